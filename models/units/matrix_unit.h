#pragma once
/// The matrix unit's values: operand conversion or quantization, the product, and what happens to an accumulator on its
/// way out (scales, bias, storage format). Cycles are sim/modules'.
#include <cstdint>
#include <span>
#include <vector>

#include "models/arith/accumulator.h"
#include "models/units/arithmetic.h"
#include "models/units/row_blocks.h"

namespace guardbit::units {

/// One side of a product, row by row: tokens or output channels.
struct Operand {
  bool integer = false;
  Matrix<std::int8_t> codes;  ///< (rows, K), integer
  Matrix<float> values;       ///< (rows, K), float: carriers of the operand format
  std::vector<float> scales;  ///< (rows), fp32: true value = (code - zero point) * scale; empty: all 1
  /// Affine products (affine_product.h): what groups of channels share, (rows, ceil(K / group)).
  std::size_t group = 0;            ///< channels; 0: all K
  Matrix<float> group_scales;       ///< fp32, in place of scales; no elements: none
  Matrix<std::int8_t> zero_points;  ///< no elements: all 0
  Matrix<std::int32_t> folded;      ///< weights: by chunk, of fold_static_range(); no elements: not folded

  std::size_t rows() const { return integer ? codes.rows() : values.rows(); }
  std::size_t cols() const { return integer ? codes.cols() : values.cols(); }
};

/// Brings x (rows = tokens or output channels, K) into the operand format; any strides.
///   integer        scale = fp32(max|x| / (2^(b-1) - 1)), code = clamp(rne(x / scale))            stage quantizer
///   dynamic scale  scale = fp32(max|x| / operand_max), value = round(x / scale), saturating;     stage quantizer
///                  clipped: the quotient is beyond the largest finite, zeroed: not zero before, zero after
///   none           value = round(x) (conversion_spec)                                            stage operand
/// A row of zeros has scale 1, a quotient that is zero or infinite in fp32 becomes the smallest or largest positive
/// fp32 instead; NaNs are ignored by the maximum, their integer code is 0 (event invalid).
/// Activations of a mode with activation_group or activation_zero_point: quantize_affine_operand() (affine_product.h).
/// Test: tests/unit/matrix_unit_test.cpp.
Operand quantize_operand(MatrixView<const float> x, const MatrixMode& mode, bool is_weight, EventLedger& ledger,
                         const ParallelFor& parallel_for = {});

/// One scale per accumulation chunk from one per mode.group channels of num_products; empty for none.
std::vector<float> chunk_scales(std::span<const float> group_scales, const MatrixMode& mode, std::size_t num_products);

struct IndexRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t size() const { return end - begin; }
};

struct MatrixProductOptions {
  numerics::EventSet wanted = numerics::EventSet::all();  ///< counters to keep; never changes bits
  numerics::RandomStream stream;                          ///< stochastic rounding
  arith::OutputIndex origin;  ///< of the operands' first row and column in the whole product they are part of
  ParallelFor parallel_for;
};

/// Accumulators of rows x cols of a (M, K) times the transpose of b (N, K): acc(i, j) belongs to output
/// (rows.begin + i, cols.begin + j), whose random bits it draws, so that tiles of a product equal the whole.
/// The operands' scales are not applied (epilogue), those of groups are (affine_product.h); group_scales has one fp32
/// carrier per mode.group channels (ceil(K / group)), or is empty. Stages product, inner accumulator, outer
/// accumulator. Test: tests/unit/matrix_unit_test.cpp.
void matrix_product(const Operand& a, const Operand& b, IndexRange rows, IndexRange cols, const MatrixMode& mode,
                    std::span<const float> group_scales, const MatrixProductOptions& options, MatrixView<float> acc,
                    EventLedger& ledger);

/// What is applied to accumulators; scales and bias belong to acc's own rows and columns.
struct Epilogue {
  std::span<const float> row_scales{};  ///< (rows) fp32 carriers, or empty
  std::span<const float> col_scales{};  ///< (cols) fp32 carriers, or empty
  float factor = 1;                     ///< attention's 1/sqrt(head_size)
  std::span<const float> bias{};        ///< (cols) fp32 carriers, or empty
};

/// y = acc scaled, biased and converted to storage, each step rounded to fp32 (ties to even, overflow to infinity):
///   t = round(row_scale * col_scale), or the one that is given
///   v = round(acc * t) if scales are given; v = round(v * factor) if factor != 1; v = round(v + bias) if a bias is
///   given y = storage(v)
/// Events of the fp32 steps at stage epilogue (t counts once per output), of the conversion at stage storage.
/// y may be acc. Test: tests/unit/matrix_unit_test.cpp.
void epilogue(MatrixView<const float> acc, const Epilogue& steps, const numerics::FloatSpec& storage,
              MatrixView<float> y, EventLedger& ledger, const ParallelFor& parallel_for = {});

}  // namespace guardbit::units
