#include "sim/probe/tensor_coder.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "models/kernels/affine_quantize.h"
#include "models/kernels/int_quantize.h"
#include "models/kernels/scalar_rounder.h"
#include "models/numerics/codec.h"
#include "models/numerics/random_bits.h"
#include "sim/probe/coding_parts.h"

namespace guardbit::sim {
namespace {

using kernels::AffineCode;
using numerics::Event;
using numerics::FloatSpec;
using numerics::IntFormat;
using numerics::UintFormat;

/// A row's scale, and of uintN its zero point.
struct RowScale {
  float scale = 1;
  std::int64_t zero_point = 0;
};

RowScale scale_of(std::span<const float> x, const TensorCoding& coding) {
  if (const auto* spec = std::get_if<FloatSpec>(&coding.destination)) {
    return {positive_scale(kernels::max_abs(x), numerics::max_finite(spec->format), coding.pow2), 0};
  }
  if (const auto* format = std::get_if<IntFormat>(&coding.destination)) {
    return {positive_scale(kernels::max_abs(x), static_cast<double>(format->max()), coding.pow2), 0};
  }
  const auto max = std::get<UintFormat>(coding.destination).max();
  float low = 0;  // 0 has a code of its own: the zero point
  float high = 0;
  for (const float value : x) {  // a NaN compares false
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const float scale = positive_scale(high - low, static_cast<double>(max), coding.pow2);
  return {scale, kernels::zero_point_of(-low, scale, max)};
}

std::vector<RowScale> scales_of(const numerics::Matrix<float>& x, const TensorCoding& coding) {
  switch (coding.scale) {
    case ScaleKind::kNone: return {};
    case ScaleKind::kTensor: return {scale_of(x.data(), coding)};
    case ScaleKind::kRow: break;
  }
  std::vector<RowScale> scales(x.rows());
  for (std::size_t row = 0; row < x.rows(); ++row) scales[row] = scale_of({x.row(row), x.cols()}, coding);
  return scales;
}

/// Codes of a row and their values in units of the scale (of uintN: minus the zero point).
struct CodedRow {
  std::vector<std::int64_t> codes;
  std::vector<double> values;
};

void code_floats(std::span<const float> x, float scale, const kernels::ScalarRounder& round,
                 const numerics::RandomStream& stream, std::size_t row, CodedRow& coded,
                 numerics::EventCounts& events) {
  const bool stochastic = round.spec().rounding == numerics::RoundingMode::kStochastic;
  for (std::size_t col = 0; col < x.size(); ++col) {
    const std::uint32_t random =
        stochastic ? stream(static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(col), 0) : 0;
    const std::uint64_t overflows = events[Event::kOverflow];
    const float value = round.divide(x[col], scale, events, random);
    if (events[Event::kOverflow] != overflows) ++events[Event::kClipped];
    if (value == 0 && x[col] != 0) ++events[Event::kZeroed];
    coded.values[col] = static_cast<double>(value);
    coded.codes[col] = numerics::from_carrier(value, round.spec().format);
  }
}

void code_integers(std::span<const float> x, const AffineCode& code, CodedRow& coded, numerics::EventCounts& events) {
  kernels::quantize_affine_row(x, code, coded.codes, events);
  std::transform(coded.codes.begin(), coded.codes.end(), coded.values.begin(),
                 [&](std::int64_t value) { return static_cast<double>(value - code.zero_point); });
}

/// Converts rows one by one; safe to use from several threads at once.
class RowCoder {
 public:
  RowCoder(const SourceTensor& tensor, const TensorCoding& coding)
      : stream_{.seed = coding.seed, .unit = tensor.index} {
    if (const auto* spec = std::get_if<FloatSpec>(&coding.destination)) {
      round_.emplace(*spec);
    } else if (const auto* format = std::get_if<IntFormat>(&coding.destination)) {
      range_ = {.min = format->min(), .max = format->max()};
    } else {
      range_ = {.max = std::get<UintFormat>(coding.destination).max()};
    }
  }

  void code(std::span<const float> x, const RowScale& scale, std::size_t row, CodedRow& coded,
            numerics::EventCounts& events) const {
    if (round_) return code_floats(x, scale.scale, *round_, stream_, row, coded, events);
    AffineCode code = range_;
    code.scale = scale.scale;
    code.zero_point = scale.zero_point;
    code_integers(x, code, coded, events);
  }

 private:
  numerics::RandomStream stream_;
  std::optional<kernels::ScalarRounder> round_;  // floats
  AffineCode range_;                             // integers
};

struct CodeType {
  int bits = 8;
  bool is_signed = false;
};

CodeType code_type(const TensorCoding& coding) {
  if (const auto* spec = std::get_if<FloatSpec>(&coding.destination)) return {spec->format.storage_bits(), false};
  if (const auto* format = std::get_if<IntFormat>(&coding.destination)) return {format->bits, true};
  if (const auto* format = std::get_if<UintFormat>(&coding.destination)) return {format->bits, false};
  return {8, std::get<BlockCoding>(coding.destination).format.format.element_kind == numerics::BlockElement::kInt8};
}

std::vector<float> values_of(const std::vector<RowScale>& scales) {
  std::vector<float> values;
  for (const RowScale& scale : scales) values.push_back(scale.scale);
  return values;
}

/// "<name>.scale" and, of uintN, "<name>.zero_point".
void add_scales(const SourceTensor& tensor, const TensorCoding& coding, const std::vector<RowScale>& scales,
                std::vector<EncodedTensor>& parts) {
  if (scales.empty()) return;
  parts.push_back(float_tensor(tensor.name + ".scale", {scales.size()}, values_of(scales)));
  if (!std::holds_alternative<UintFormat>(coding.destination)) return;
  CodeArray zero_points(scales.size(), code_type(coding).bits, false);
  for (std::size_t i = 0; i < scales.size(); ++i) zero_points.set(i, scales[i].zero_point);
  parts.push_back(zero_points.take(tensor.name + ".zero_point", {scales.size()}));
}

}  // namespace

CodedTensor code_tensor(const SourceTensor& tensor, const TensorCoding& coding, bool carrier,
                        const numerics::ParallelFor& parallel_for) {
  if (std::holds_alternative<BlockCoding>(coding.destination)) {
    return code_blocks(tensor, coding, carrier, parallel_for);
  }
  const numerics::Matrix<float>& x = tensor.values;
  const std::vector<RowScale> scales = scales_of(x, coding);
  const RowCoder coder(tensor, coding);
  CodeArray codes(carrier ? 0 : x.data().size(), code_type(coding).bits, code_type(coding).is_signed);
  std::vector<float> carriers(carrier ? x.data().size() : 0);
  constexpr std::size_t kElementsPerPiece = 1 << 16;
  const std::size_t rows_per_piece = std::max<std::size_t>(1, kElementsPerPiece / std::max<std::size_t>(1, x.cols()));
  std::vector<CodingStatistics> pieces((x.rows() + rows_per_piece - 1) / rows_per_piece);
  numerics::run_parallel(parallel_for, pieces.size(), [&](std::size_t index) {
    CodedRow coded{std::vector<std::int64_t>(x.cols()), std::vector<double>(x.cols())};
    const std::size_t end = std::min(x.rows(), (index + 1) * rows_per_piece);
    for (std::size_t row = index * rows_per_piece; row < end; ++row) {
      const RowScale scale = scales.empty() ? RowScale{} : scales[scales.size() == 1 ? 0 : row];
      coder.code({x.row(row), x.cols()}, scale, row, coded, pieces[index].events);
      for (std::size_t col = 0; col < x.cols(); ++col) {
        pieces[index].add(x(row, col), coded.values[col], static_cast<double>(scale.scale));
        const std::size_t at = row * x.cols() + col;
        if (carrier) {
          carriers[at] = scaled_carrier(coded.values[col], scale.scale);
        } else {
          codes.set(at, coded.codes[col]);
        }
      }
    }
  });
  CodedTensor result;
  result.report = finish(tensor, coding, pieces, values_of(scales));
  if (std::holds_alternative<UintFormat>(coding.destination) && !scales.empty()) {
    const auto [least, largest] = std::minmax_element(
        scales.begin(), scales.end(), [](const RowScale& a, const RowScale& b) { return a.zero_point < b.zero_point; });
    result.report.min_zero_point = least->zero_point;
    result.report.max_zero_point = largest->zero_point;
  }
  if (carrier) {
    result.parts.push_back(float_tensor(tensor.name, tensor.shape, carriers));
    return result;
  }
  result.parts.push_back(codes.take(tensor.name, tensor.shape));
  add_scales(tensor, coding, scales, result.parts);
  return result;
}

double coded_bytes(const std::vector<std::uint64_t>& shape, const TensorCoding& coding, bool carrier) {
  double num_elements = 1;
  for (const std::uint64_t size : shape) num_elements *= static_cast<double>(size);
  double num_scales = 0;
  if (coding.scale == ScaleKind::kRow && !shape.empty()) num_scales = num_elements / static_cast<double>(shape.back());
  if (const auto* blocks = std::get_if<BlockCoding>(&coding.destination)) {
    const std::size_t axis =
        static_cast<std::size_t>(blocks->axis < 0 ? blocks->axis + std::ssize(shape) : blocks->axis);
    const auto block_size = static_cast<std::uint64_t>(blocks->format.format.block_size);
    const std::uint64_t length = axis < shape.size() ? shape[axis] : 1;
    num_scales =
        num_elements / static_cast<double>(length) * static_cast<double>((length + block_size - 1) / block_size);
  }
  constexpr double kBytesPerScale = 32;  // with its zero point, in use and as stored
  const int bits = code_type(coding).bits;
  const double code_bytes = carrier      ? 2.0 * sizeof(float)
                            : bits <= 8  ? 1
                            : bits <= 16 ? 2
                                         : 4;  // carriers: copied once
  return num_elements * code_bytes + num_scales * kBytesPerScale;
}

ExponentRange exponent_range(const TensorCoding& coding) {
  if (const auto* spec = std::get_if<FloatSpec>(&coding.destination)) {
    return {spec->format.quantum_exponent(), spec->format.max_exponent()};
  }
  if (const auto* format = std::get_if<IntFormat>(&coding.destination)) return {0, format->bits - 2};
  if (const auto* format = std::get_if<UintFormat>(&coding.destination)) return {0, format->bits - 1};
  const numerics::BlockFormat& format = std::get<BlockCoding>(coding.destination).format.format;
  constexpr int kMxint8QuantumExponent = -6;
  const bool is_integer = format.element_kind == numerics::BlockElement::kInt8;
  return {is_integer ? kMxint8QuantumExponent : format.element.quantum_exponent(), format.element_max_exponent()};
}

std::map<std::string, std::string> describe(const TensorCoding& coding) {
  std::map<std::string, std::string> text = {
      {"rounding", "rne"}, {"overflow", "saturate"}, {"subnormals", "keep"}, {"scale", "none"}};
  const std::string pow2 = coding.pow2 ? "_pow2" : "";
  if (coding.scale == ScaleKind::kTensor) text["scale"] = "tensor" + pow2;
  if (coding.scale == ScaleKind::kRow) text["scale"] = "row" + pow2;
  const std::string times_scale = coding.scale == ScaleKind::kNone ? "" : " * scale";
  if (const auto* spec = std::get_if<FloatSpec>(&coding.destination)) {
    text["format"] = numerics::name_of(spec->format);
    text["rounding"] = numerics::name_of(spec->rounding);
    text["overflow"] = numerics::name_of(spec->overflow);
    text["subnormals"] = spec->flush_output ? "flush" : "keep";
    text["value"] = "float(code)" + times_scale;
  } else if (const auto* format = std::get_if<IntFormat>(&coding.destination)) {
    text["format"] = numerics::name_of(*format);
    text["value"] = "code" + times_scale;
  } else if (const auto* unsigned_format = std::get_if<UintFormat>(&coding.destination)) {
    text["format"] = numerics::name_of(*unsigned_format);
    text["value"] = times_scale.empty() ? "code" : "(code - zero_point) * scale";
  } else {
    const auto& blocks = std::get<BlockCoding>(coding.destination);
    const bool is_integer = blocks.format.format.element_kind == numerics::BlockElement::kInt8;
    const bool is_e8m0 = blocks.format.format.scale == numerics::BlockScale::kE8M0;
    text["format"] = blocks.format.name;
    text["rounding"] = numerics::name_of(blocks.rounding);
    text["scale"] = is_e8m0 ? "e8m0" : "fp8_e4m3";
    text["value"] = std::string(is_integer ? "code * 2^-6" : "float(code)") +
                    (is_e8m0 ? " * 2^(scale - 127)" : " * float(scale) * tensor_scale");
    text["block_size"] = std::to_string(blocks.format.format.block_size);
    text["axis"] = std::to_string(blocks.axis);
  }
  return text;
}

}  // namespace guardbit::sim
