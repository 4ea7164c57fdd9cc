#include "sim/probe/coding_parts.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "models/arith/float_ops.h"
#include "models/numerics/codec.h"

namespace guardbit::sim {
namespace {

std::size_t bytes_for(int bits) { return bits <= 8 ? 1 : bits <= 16 ? 2 : 4; }

}  // namespace

CodeArray::CodeArray(std::size_t count, int bits, bool is_signed)
    : code_bytes_(bytes_for(bits)), is_signed_(is_signed), bytes_(count * code_bytes_) {}

void CodeArray::set(std::size_t index, std::int64_t code) {
  std::memcpy(bytes_.data() + index * code_bytes_, &code, code_bytes_);
}

EncodedTensor CodeArray::take(std::string name, std::vector<std::uint64_t> shape) {
  return {std::move(name), (is_signed_ ? "I" : "U") + std::to_string(8 * code_bytes_), std::move(shape),
          std::move(bytes_)};
}

EncodedTensor float_tensor(std::string name, std::vector<std::uint64_t> shape, std::span<const float> values) {
  std::vector<unsigned char> bytes(values.size_bytes());
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return {std::move(name), "F32", std::move(shape), std::move(bytes)};
}

float scaled_carrier(double value, float scale) {
  bool invalid = false;  // never: scales are neither zero nor infinite where values are infinite or zero
  const numerics::Unrounded product = arith::exact_product(numerics::decode(value), numerics::decode(scale), &invalid);
  return numerics::to_carrier(numerics::round_to_format(product, {.format = numerics::kFp32}).code, numerics::kFp32);
}

float positive_scale(float dividend, double divisor, bool pow2) {
  if (dividend == 0) return 1;
  using Limits = std::numeric_limits<float>;
  const auto quotient = static_cast<float>(static_cast<double>(dividend) / divisor);
  const float scale = std::clamp(quotient, Limits::denorm_min(), Limits::max());
  if (!pow2) return scale;
  int exponent = 0;
  const bool exact = std::frexp(scale, &exponent) == 0.5F;
  return std::ldexp(1.0F, std::min(exact ? exponent - 1 : exponent, Limits::max_exponent - 1));
}

void CodingStatistics::add(float x, double value, double scale) {
  const auto exact = static_cast<double>(x);
  if (scale == 0 && x != 0) {
    ++num_without_quotient;
  } else {
    add_value(inputs, scale == 0 ? exact : exact / scale);
  }
  add_value(outputs, value);
  const double delivered = value * scale;
  if (std::isfinite(exact) && std::isfinite(delivered)) {
    errors.add(delivered - exact, exact);
  } else {
    errors.leave_out();
  }
}

QuantizedTensor finish(const SourceTensor& tensor, const TensorCoding& coding, std::span<const CodingStatistics> pieces,
                       std::span<const float> scales) {
  QuantizedTensor report;
  report.name = tensor.name;
  report.shape = tensor.shape;
  ErrorSums errors;
  for (const CodingStatistics& piece : pieces) {
    report.events += piece.events;
    errors.merge(piece.errors);
    merge(report.inputs, piece.inputs);
    merge(report.outputs, piece.outputs);
    report.num_below += piece.num_without_quotient;
  }
  report.error = errors.finish();
  const ExponentRange range = exponent_range(coding);
  for (const auto& [exponent, count] : report.inputs.exponents) {
    if (exponent < range.least) report.num_below += count;
    if (exponent > range.largest) report.num_above += count;
  }
  report.num_scales = scales.size();
  bool any = false;
  for (const float scale : scales) {
    if (std::isnan(scale)) continue;
    report.min_scale = any ? std::min(report.min_scale, scale) : scale;
    report.max_scale = any ? std::max(report.max_scale, scale) : scale;
    any = true;
  }
  return report;
}

}  // namespace guardbit::sim
