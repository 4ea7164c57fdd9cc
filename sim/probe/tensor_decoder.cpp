#include "sim/probe/tensor_decoder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "models/numerics/codec.h"
#include "sim/base/error.h"
#include "sim/probe/block_layout.h"
#include "sim/probe/coding_parts.h"

namespace guardbit::sim {
namespace {

using numerics::Matrix;

[[noreturn]] void refuse(const std::string& text) { throw UserError(ExitCode::kMalformedInput, text); }

/// Codes that the format has.
struct CodeRange {
  std::int64_t min = 0;
  std::int64_t max = 0;
};

CodeRange range_of(const TensorCoding& coding) {
  const auto unsigned_bits = [](int bits) { return CodeRange{0, (std::int64_t{1} << bits) - 1}; };
  if (const auto* spec = std::get_if<numerics::FloatSpec>(&coding.destination)) {
    return unsigned_bits(spec->format.storage_bits());
  }
  if (const auto* format = std::get_if<numerics::IntFormat>(&coding.destination)) return {format->min(), format->max()};
  if (const auto* format = std::get_if<numerics::UintFormat>(&coding.destination)) {
    return {format->min(), format->max()};
  }
  const numerics::BlockFormat& format = std::get<BlockCoding>(coding.destination).format.format;
  const bool is_integer = format.element_kind == numerics::BlockElement::kInt8;
  return is_integer ? CodeRange{-128, 127} : unsigned_bits(format.element_bits());
}

void check_codes(const char* name, const std::vector<std::int64_t>& codes, const CodeRange& range) {
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] >= range.min && codes[i] <= range.max) continue;
    refuse(fmt::format("{}: got {} at element {}; expected {}..{}", name, codes[i], i, range.min, range.max));
  }
}

void check_scale(const char* name, float scale) {
  if (std::isfinite(scale) && scale > 0) return;
  refuse(fmt::format("{}: got {}; expected positive, finite numbers", name, scale));
}

void expect_none(const char* name, bool none) {
  if (!none) refuse(fmt::format("{}: got one; expected none, as this format has no {}", name, name));
}

/// Parts of a format whose scales are binary32.
void check_scaled(const StoredTensor& tensor, const TensorCoding& coding, std::size_t num_rows) {
  expect_none("tensor_scale", !tensor.tensor_scale);
  const std::size_t num_scales = tensor.scales.size();
  if (num_scales > 1 && num_scales != num_rows) {
    refuse(fmt::format("scale: got {} scales; expected none, one or {} (one per row)", num_scales, num_rows));
  }
  for (const float scale : tensor.scales) check_scale("scale", scale);
  if (!std::holds_alternative<numerics::UintFormat>(coding.destination)) {
    return expect_none("zero_point", tensor.zero_points.empty());
  }
  if (!tensor.zero_points.empty() && tensor.zero_points.size() != num_scales) {
    refuse(fmt::format("zero_point: got {} zero points for {} scales; expected as many", tensor.zero_points.size(),
                       num_scales));
  }
  check_codes("zero_point", tensor.zero_points, range_of(coding));
}

Matrix<float> decode_scaled(const StoredTensor& tensor, const TensorCoding& coding, Matrix<float> values,
                            const numerics::ParallelFor& parallel_for) {
  check_scaled(tensor, coding, values.rows());
  const auto* spec = std::get_if<numerics::FloatSpec>(&coding.destination);
  const auto of_row = [&](const auto& parts, std::size_t row) { return parts[parts.size() == 1 ? 0 : row]; };
  numerics::run_parallel(parallel_for, values.rows(), [&](std::size_t row) {
    const float scale = tensor.scales.empty() ? 1.0F : of_row(tensor.scales, row);
    const std::int64_t zero_point = tensor.zero_points.empty() ? 0 : of_row(tensor.zero_points, row);
    for (std::size_t col = 0; col < values.cols(); ++col) {
      const std::int64_t code = tensor.codes[row * values.cols() + col];
      const double value =
          spec != nullptr ? static_cast<double>(numerics::to_carrier(static_cast<std::uint32_t>(code), spec->format))
                          : static_cast<double>(code - zero_point);
      values(row, col) = scaled_carrier(value, scale);
    }
  });
  return values;
}

/// Layout and parts of a block format.
BlockLayout check_blocks(const StoredTensor& tensor, const BlockCoding& blocks) {
  expect_none("zero_point", tensor.zero_points.empty());
  const BlockLayout layout = layout_of(tensor.shape, blocks, "codes");
  if (tensor.block_scales_shape != layout.scales_shape) {
    refuse(fmt::format("scale: got shape ({}); expected ({}), one for each block of up to {}",
                       fmt::join(tensor.block_scales_shape, ", "), fmt::join(layout.scales_shape, ", "),
                       layout.block_size));
  }
  const bool has_tensor_scale = blocks.format.format.scale == numerics::BlockScale::kE4M3;
  if (!has_tensor_scale) expect_none("tensor_scale", !tensor.tensor_scale);
  if (has_tensor_scale && !tensor.tensor_scale) refuse("tensor_scale: got none; expected one number");
  if (tensor.tensor_scale) check_scale("tensor_scale", *tensor.tensor_scale);
  return layout;
}

Matrix<float> decode_blocks(const StoredTensor& tensor, const BlockCoding& blocks, Matrix<float> values) {
  const BlockLayout layout = check_blocks(tensor, blocks);
  for (std::size_t line = 0; line < layout.num_lines; ++line) {
    const std::size_t first = layout.begin(line, layout.length);
    const std::size_t first_scale = layout.begin(line, layout.num_blocks);
    for (std::size_t i = 0; i < layout.length; ++i) {
      const std::size_t at = first + i * layout.stride;
      const std::uint8_t scale = tensor.block_scales[first_scale + i / layout.block_size * layout.stride];
      const double value = numerics::dequantize(static_cast<std::uint8_t>(tensor.codes[at]), scale,
                                                blocks.format.format, tensor.tensor_scale.value_or(1.0F));
      numerics::EventSet ignored;  // of the carrier, not of the format
      values.data()[at] = numerics::round_carrier(value, {.format = numerics::kFp32}, ignored);
    }
  }
  return values;
}

}  // namespace

Matrix<float> decode_tensor(const StoredTensor& tensor, const TensorCoding& coding,
                            const numerics::ParallelFor& parallel_for) {
  check_codes("codes", tensor.codes, range_of(coding));
  const std::size_t num_cols = tensor.shape.empty() ? 1 : tensor.shape.back();
  Matrix<float> values(tensor.codes.size() / std::max<std::size_t>(1, num_cols), num_cols);
  GUARDBIT_CHECK(values.data().size() == tensor.codes.size(), "codes fill the shape");
  if (const auto* blocks = std::get_if<BlockCoding>(&coding.destination)) {
    return decode_blocks(tensor, *blocks, std::move(values));
  }
  return decode_scaled(tensor, coding, std::move(values), parallel_for);
}

}  // namespace guardbit::sim
