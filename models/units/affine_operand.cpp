#include <algorithm>
#include <limits>
#include <vector>

#include "models/kernels/affine_quantize.h"
#include "models/kernels/scalar_rounder.h"
#include "models/units/affine_product.h"
#include "models/units/chunk_terms.h"

namespace guardbit::units {
namespace {

using numerics::Stage;

/// fp32(range / steps), kept positive and finite; 1 of a range of 0.
float scale_of(float range, int steps) {
  if (range == 0) return 1;
  return std::clamp(range / static_cast<float>(steps), std::numeric_limits<float>::denorm_min(),
                    std::numeric_limits<float>::max());
}

/// Scale and zero point of values that share them.
kernels::AffineCode affine_code(const ValueRange& range, int bits, bool has_zero_point) {
  const int half = 1 << (bits - 1);
  kernels::AffineCode code{.scale = 1, .zero_point = 0, .min = -half, .max = half - 1};
  if (!has_zero_point) {
    code.scale = scale_of(std::max(range.high, -range.low), half - 1);
    return code;
  }
  code.scale = scale_of(range.high - range.low, 2 * half - 1);
  code.zero_point = kernels::zero_point_of(-range.low, code.scale, 2 * half - 1) - half;
  return code;
}

ValueRange range_of(std::span<const float> x) {
  return units::range_of(MatrixView<const float>{x.data(), 1, x.size(), x.size(), 1});
}

}  // namespace

ValueRange range_of(MatrixView<const float> x) {
  ValueRange range;
  for (std::size_t row = 0; row < x.rows; ++row) {
    for (std::size_t col = 0; col < x.cols; ++col) range.add(x(row, col));
  }
  return range;
}

Operand quantize_affine_operand(MatrixView<const float> x, const MatrixMode& mode, EventLedger& ledger,
                                const ParallelFor& parallel_for, const ValueRange* whole) {
  GUARDBIT_CHECK(mode.integer, "float activations have no zero points and no groups");
  const auto group = static_cast<std::size_t>(mode.activation_group);
  const std::size_t groups = num_groups(x.cols, group);
  const std::size_t width = group == 0 ? x.cols : group;
  Operand operand;
  operand.integer = true;
  operand.codes = Matrix<std::int8_t>(x.rows, x.cols);
  operand.group = group;
  if (group == 0) {
    operand.scales.resize(x.rows);
  } else {
    operand.group_scales = Matrix<float>(x.rows, groups);
  }
  if (mode.activation_zero_point) operand.zero_points = Matrix<std::int8_t>(x.rows, groups);
  for_row_blocks(x.rows, x.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    std::vector<float> values(x.cols);
    std::vector<std::int64_t> codes(x.cols);
    for (std::size_t row = begin; row < end; ++row) {
      for (std::size_t k = 0; k < x.cols; ++k) values[k] = x(row, k);
      for (std::size_t g = 0; g < groups; ++g) {
        const std::size_t first = g * width;
        const std::size_t count = std::min(width, x.cols - first);
        const std::span<const float> part = std::span(values).subspan(first, count);
        const kernels::AffineCode code =
            affine_code(whole != nullptr ? *whole : range_of(part), mode.activation_bits, mode.activation_zero_point);
        kernels::quantize_affine_row(part, code, std::span(codes).subspan(first, count), events[Stage::kQuantizer]);
        (group == 0 ? operand.scales[row] : operand.group_scales(row, g)) = code.scale;
        if (mode.activation_zero_point) operand.zero_points(row, g) = static_cast<std::int8_t>(code.zero_point);
      }
      std::transform(codes.begin(), codes.end(), operand.codes.row(row),
                     [](std::int64_t code) { return static_cast<std::int8_t>(code); });
    }
  });
  return operand;
}

void fold_static_range(const ValueRange& range, const MatrixMode& mode, Operand& weights) {
  GUARDBIT_CHECK(mode.integer && mode.activation_group == 0, "one range for all of a layer's input");
  const kernels::AffineCode code = affine_code(range, mode.activation_bits, mode.activation_zero_point);
  for (float& scale : weights.scales) scale *= code.scale;  // ties to even in binary32, as the epilogue does it
  if (!mode.activation_zero_point) return;
  weights.folded = folded_zero_point(weights, static_cast<int>(code.zero_point), static_cast<std::size_t>(mode.chunk));
}

Operand weight_operand(const QuantizedWeight& weight, const MatrixMode& mode, EventLedger& ledger) {
  Operand operand;
  operand.integer = mode.integer;
  const bool scales_follow = mode.integer || mode.scaled_sums;
  if (scales_follow && weight.group == 0) {
    operand.scales = weight.scales.data();
  } else if (scales_follow) {
    operand.group = weight.group;
    operand.group_scales = weight.scales;
  }
  if (mode.integer) {
    operand.codes = weight.codes;
    operand.zero_points = weight.zero_points;
    return operand;
  }
  GUARDBIT_CHECK(!mode.dynamic_scale, "weights that are dequantized have their scale");
  const kernels::ScalarRounder round(conversion_spec(numerics::name_of(mode.weight)));
  operand.values = Matrix<float>(weight.codes.rows(), weight.codes.cols());
  for (std::size_t n = 0; n < operand.values.rows(); ++n) {
    for (std::size_t k = 0; k < operand.values.cols(); ++k) {
      const std::size_t g = weight.group_of(k);
      const int zero = weight.is_symmetric() ? 0 : weight.zero_points(n, g);
      const auto steps = static_cast<float>(weight.codes(n, k) - zero);
      // At most 24 and 8 bits: product_of is exact in binary64, so this is one rounding.
      operand.values(n, k) =
          mode.scaled_sums ? steps : round(kernels::product_of(weight.scales(n, g), steps), ledger[Stage::kOperand]);
    }
  }
  return operand;
}

}  // namespace guardbit::units
