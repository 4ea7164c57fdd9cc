#pragma once
/// Causal row softmax in binary32.
#include "models/numerics/rounding.h"
#include "models/units/row_blocks.h"

namespace guardbit::units {

/// Row r of scores (rows, T) is token first_row + r and uses columns 0 .. min(first_row + r, T - 1); y is +0 elsewhere.
///   m = max, e_j = exp_fp32(fp32(x_j - m)), S = fp32 sum of e_j, j ascending, y_j = storage(fp32(e_j / S))
/// Events of the differences, the sum (swamped included) and the quotients at stage vector, of the conversion at stage
/// storage. An exponential raises inexact unless its operand is 0, and underflow (and flushed) where its result is
/// subnormal (zero) for a finite operand. A NaN, or a maximum that is not finite, makes the row NaN (invalid).
/// y may be scores. Test: tests/unit/softmax_unit_test.cpp.
void softmax_rows(MatrixView<const float> scores, std::size_t first_row, const numerics::FloatSpec& storage,
                  MatrixView<float> y, EventLedger& ledger, const ParallelFor& parallel_for = {});

}  // namespace guardbit::units
