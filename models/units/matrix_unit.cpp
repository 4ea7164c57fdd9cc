#include "models/units/matrix_unit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/kernels/gemm.h"
#include "models/kernels/int_quantize.h"
#include "models/kernels/scalar_rounder.h"
#include "models/units/affine_product.h"

namespace guardbit::units {
namespace {

using kernels::ScalarRounder;
using numerics::Event;
using numerics::Stage;

/// The row of any-stride view as contiguous values.
std::span<const float> contiguous_row(MatrixView<const float> x, std::size_t row, std::vector<float>& buffer) {
  if (x.col_stride == 1) return {x.row(row), x.cols};
  buffer.resize(x.cols);
  for (std::size_t k = 0; k < x.cols; ++k) buffer[k] = x(row, k);
  return buffer;
}

/// fp32(max|x| / largest), kept positive and finite.
float scale_of(std::span<const float> x, float largest) {
  const float max_abs = kernels::max_abs(x);
  if (max_abs == 0) return 1;
  return std::clamp(max_abs / largest, std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::max());
}

void quantize_integer_row(std::span<const float> x, int bits, std::size_t row, Operand& operand, EventLedger& ledger) {
  const auto largest = static_cast<float>((1 << (bits - 1)) - 1);
  operand.scales[row] = scale_of(x, largest);
  kernels::quantize_row(x, operand.scales[row], bits, {operand.codes.row(row), x.size()}, ledger[Stage::kQuantizer]);
}

void quantize_scaled_row(std::span<const float> x, float largest, const ScalarRounder& round, std::size_t row,
                         Operand& operand, EventLedger& ledger) {
  const float scale = scale_of(x, largest);
  operand.scales[row] = scale;
  EventCounts& counts = ledger[Stage::kQuantizer];
  float* values = operand.values.row(row);
  for (std::size_t k = 0; k < x.size(); ++k) {
    const std::uint64_t overflows = counts[Event::kOverflow];
    values[k] = round.divide(x[k], scale, counts);
    if (counts[Event::kOverflow] != overflows) ++counts[Event::kClipped];
    if (values[k] == 0 && x[k] != 0) ++counts[Event::kZeroed];
  }
}

}  // namespace

std::vector<float> chunk_scales(std::span<const float> group_scales, const MatrixMode& mode, std::size_t num_products) {
  if (group_scales.empty()) return {};
  GUARDBIT_CHECK(mode.group > 0, "group scales belong to a smoothed operand's mode");
  const auto chunk = static_cast<std::size_t>(mode.chunk);
  const auto group = static_cast<std::size_t>(mode.group);
  GUARDBIT_CHECK(group_scales.size() == (num_products + group - 1) / group, "one scale per group of channels");
  std::vector<float> scales((num_products + chunk - 1) / chunk);
  for (std::size_t c = 0; c < scales.size(); ++c) scales[c] = group_scales[c * chunk / group];
  return scales;
}

Operand quantize_operand(MatrixView<const float> x, const MatrixMode& mode, bool is_weight, EventLedger& ledger,
                         const ParallelFor& parallel_for) {
  if (!is_weight && (mode.activation_group > 0 || mode.activation_zero_point)) {
    return quantize_affine_operand(x, mode, ledger, parallel_for);
  }
  Operand operand;
  operand.integer = mode.integer;
  if (mode.integer) {
    operand.codes = Matrix<std::int8_t>(x.rows, x.cols);
  } else {
    operand.values = Matrix<float>(x.rows, x.cols);
  }
  if (mode.integer || mode.dynamic_scale) operand.scales.resize(x.rows);

  const int bits = is_weight ? mode.weight_bits : mode.activation_bits;
  const float largest = is_weight ? mode.operand_max_weight : mode.operand_max_activation;
  numerics::FloatSpec spec = conversion_spec(numerics::name_of(is_weight ? mode.weight : mode.activation));
  if (mode.dynamic_scale) spec.overflow = numerics::OverflowPolicy::kSaturate;
  const ScalarRounder round(spec);
  for_row_blocks(x.rows, x.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    std::vector<float> buffer;
    for (std::size_t row = begin; row < end; ++row) {
      const std::span<const float> values = contiguous_row(x, row, buffer);
      if (mode.integer) {
        quantize_integer_row(values, bits, row, operand, events);
      } else if (mode.dynamic_scale) {
        quantize_scaled_row(values, largest, round, row, operand, events);
      } else {
        for (std::size_t k = 0; k < values.size(); ++k) {
          operand.values(row, k) = round({values[k]}, events[Stage::kOperand]);
        }
      }
    }
  });
  return operand;
}

void matrix_product(const Operand& a, const Operand& b, IndexRange rows, IndexRange cols, const MatrixMode& mode,
                    std::span<const float> group_scales, const MatrixProductOptions& options, MatrixView<float> acc,
                    EventLedger& ledger) {
  GUARDBIT_CHECK(a.cols() == b.cols() && a.integer == mode.integer && b.integer == mode.integer,
                 "operands agree in K and in kind");
  GUARDBIT_CHECK(acc.rows == rows.size() && acc.cols == cols.size(), "acc has the block's shape");
  const std::vector<float> scales = chunk_scales(group_scales, mode, a.cols());
  if (mode.is_affine()) return affine_product(a, b, rows, cols, mode, scales, options, acc, ledger);
  const kernels::GemmOptions gemm_options{.wanted = options.wanted,
                                          .stream = options.stream,
                                          .first = {options.origin.row + static_cast<std::uint32_t>(rows.begin),
                                                    options.origin.column + static_cast<std::uint32_t>(cols.begin)},
                                          .parallel_for = options.parallel_for};
  arith::AccumulationEvents events;
  if (mode.integer) {
    kernels::gemm(a.codes.view().rows_range(rows.begin, rows.end),
                  b.codes.view().rows_range(cols.begin, cols.end).transposed(),
                  std::max(mode.activation_bits, mode.weight_bits), mode.int_spec, scales, gemm_options, acc, events);
  } else {
    kernels::gemm(a.values.view().rows_range(rows.begin, rows.end),
                  b.values.view().rows_range(cols.begin, cols.end).transposed(), {mode.activation, mode.weight},
                  mode.float_spec, scales, gemm_options, acc, events);
  }
  ledger[Stage::kProduct] += events.product;
  ledger[Stage::kInnerAccumulator] += events.inner;
  ledger[Stage::kOuterAccumulator] += events.outer;
}

void epilogue(MatrixView<const float> acc, const Epilogue& steps, const numerics::FloatSpec& storage,
              MatrixView<float> y, EventLedger& ledger, const ParallelFor& parallel_for) {
  GUARDBIT_CHECK(y.rows == acc.rows && y.cols == acc.cols, "y has acc's shape");
  GUARDBIT_CHECK(steps.row_scales.empty() || steps.row_scales.size() == acc.rows, "one scale per row");
  GUARDBIT_CHECK(steps.col_scales.empty() || steps.col_scales.size() == acc.cols, "one scale per column");
  GUARDBIT_CHECK(steps.bias.empty() || steps.bias.size() == acc.cols, "one bias per column");
  const ScalarRounder fp32(conversion_spec("fp32"));
  const ScalarRounder store(storage);
  const bool has_row = !steps.row_scales.empty();
  const bool has_col = !steps.col_scales.empty();
  for_row_blocks(acc.rows, acc.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& block) {
    EventCounts& events = block[Stage::kEpilogue];
    for (std::size_t row = begin; row < end; ++row) {
      for (std::size_t col = 0; col < acc.cols; ++col) {
        float v = acc(row, col);
        if (has_row && has_col) {
          v = fp32.multiply(v, fp32.multiply(steps.row_scales[row], steps.col_scales[col], events), events);
        } else if (has_row || has_col) {
          v = fp32.multiply(v, has_row ? steps.row_scales[row] : steps.col_scales[col], events);
        }
        if (steps.factor != 1) v = fp32.multiply(v, steps.factor, events);
        if (!steps.bias.empty()) v = fp32.add(v, steps.bias[col], events);
        y(row, col) = store({v}, block[Stage::kStorage]);
      }
    }
  });
}

}  // namespace guardbit::units
