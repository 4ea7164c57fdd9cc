#pragma once
/// Element-wise work of the vector unit: conversions, the residual addition, rotary position embedding.
#include "models/numerics/rounding.h"
#include "models/units/rope_scaling.h"
#include "models/units/row_blocks.h"

namespace guardbit::units {

/// y = residual(stream + branch): exact sum, one rounding, stage vector; swamped where the branch leaves a non-zero
/// finite stream unchanged. y may be either operand. Test: tests/unit/eltwise_unit_test.cpp.
void residual_add(MatrixView<const float> stream, MatrixView<const float> branch, const numerics::FloatSpec& residual,
                  MatrixView<float> y, EventLedger& ledger, const ParallelFor& parallel_for = {});

/// y = destination(x), events at `stage`. y may be x.
void convert_rows(MatrixView<const float> x, const numerics::FloatSpec& destination, numerics::Stage stage,
                  MatrixView<float> y, EventLedger& ledger, const ParallelFor& parallel_for = {});

/// Cosines and sines of position * theta^(-2i / head_size), i < head_size / 2, rounded once to fp32 from binary64
/// values with an absolute error below 1e-15 * (1 + position * 16) (function_unit.h); with scaling, of
/// scaled_frequency(theta^(-2i / head_size)).
struct RopeTable {
  Matrix<float> cos;  ///< (positions, head_size / 2)
  Matrix<float> sin;  ///< (positions, head_size / 2)
  RopePairs pairs = RopePairs::kNeighbours;
};
RopeTable make_rope_table(int head_size, int num_positions, double theta, RopePairs pairs = RopePairs::kNeighbours,
                          const RopeScaling& scaling = {});

/// Rotates the table's pairs (x_0, x_1) of every head of x (T, heads * head_size); row t has position
/// first_position + t. In fp32, then storage:
///   y_0 = fp32(x_0 * cos - fp32(x_1 * sin)),  y_1 = fp32(x_0 * sin + fp32(x_1 * cos))
/// Events at stage vector and storage. y may be x.
void rope(MatrixView<const float> x, const RopeTable& table, std::size_t first_position,
          const numerics::FloatSpec& storage, MatrixView<float> y, EventLedger& ledger,
          const ParallelFor& parallel_for = {});

}  // namespace guardbit::units
