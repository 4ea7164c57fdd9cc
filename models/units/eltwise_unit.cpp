#include "models/units/eltwise_unit.h"

#include "models/kernels/scalar_rounder.h"
#include "models/units/arithmetic.h"
#include "models/units/function_unit.h"

namespace guardbit::units {

using kernels::ScalarRounder;
using numerics::Stage;

void residual_add(MatrixView<const float> stream, MatrixView<const float> branch, const numerics::FloatSpec& residual,
                  MatrixView<float> y, EventLedger& ledger, const ParallelFor& parallel_for) {
  GUARDBIT_CHECK(stream.rows == branch.rows && stream.cols == branch.cols, "stream and branch have one shape");
  GUARDBIT_CHECK(y.rows == stream.rows && y.cols == stream.cols, "y has the stream's shape");
  const ScalarRounder round(residual);
  for_row_blocks(y.rows, y.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    EventCounts& counts = events[Stage::kVector];
    for (std::size_t row = begin; row < end; ++row) {
      for (std::size_t col = 0; col < y.cols; ++col) {
        y(row, col) = round.accumulate(stream(row, col), branch(row, col), counts);
      }
    }
  });
}

void convert_rows(MatrixView<const float> x, const numerics::FloatSpec& destination, Stage stage, MatrixView<float> y,
                  EventLedger& ledger, const ParallelFor& parallel_for) {
  GUARDBIT_CHECK(y.rows == x.rows && y.cols == x.cols, "y has x's shape");
  const ScalarRounder round(destination);
  for_row_blocks(y.rows, y.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    for (std::size_t row = begin; row < end; ++row) {
      for (std::size_t col = 0; col < y.cols; ++col) y(row, col) = round({x(row, col)}, events[stage]);
    }
  });
}

RopeTable make_rope_table(int head_size, int num_positions, double theta, RopePairs pairs, const RopeScaling& scaling) {
  GUARDBIT_CHECK(head_size > 0 && head_size % 2 == 0, "rotary pairs need an even head size");
  const auto num_pairs = static_cast<std::size_t>(head_size / 2);
  const auto positions = static_cast<std::size_t>(num_positions);
  RopeTable table{Matrix<float>(positions, num_pairs), Matrix<float>(positions, num_pairs), pairs};
  const double log_theta = log_fp64(theta);
  for (std::size_t pair = 0; pair < num_pairs; ++pair) {
    const double frequency =
        scaled_frequency(scaling, exp_fp64(-2.0 * static_cast<double>(pair) / head_size * log_theta));
    for (std::size_t position = 0; position < positions; ++position) {
      const SinCos value = sin_cos_fp64(static_cast<double>(position) * frequency);
      table.cos(position, pair) = static_cast<float>(value.cos);
      table.sin(position, pair) = static_cast<float>(value.sin);
    }
  }
  return table;
}

void rope(MatrixView<const float> x, const RopeTable& table, std::size_t first_position,
          const numerics::FloatSpec& storage, MatrixView<float> y, EventLedger& ledger,
          const ParallelFor& parallel_for) {
  const std::size_t num_pairs = table.cos.cols();
  GUARDBIT_CHECK(y.rows == x.rows && y.cols == x.cols, "y has x's shape");
  GUARDBIT_CHECK(x.cols % (2 * num_pairs) == 0, "rows are whole heads");
  GUARDBIT_CHECK(first_position + x.rows <= table.cos.rows(), "positions are in the table");
  const ScalarRounder fp32(conversion_spec("fp32"));
  const ScalarRounder store(storage);
  const bool halves = table.pairs == RopePairs::kHalves;
  const std::size_t apart = halves ? num_pairs : 1;  // columns between the elements of a pair
  for_row_blocks(y.rows, y.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    EventCounts& counts = events[Stage::kVector];
    for (std::size_t row = begin; row < end; ++row) {
      for (std::size_t index = 0; index < y.cols / 2; ++index) {
        const std::size_t pair = index % num_pairs;
        const std::size_t col = 2 * (index - pair) + (halves ? pair : 2 * pair);
        const float cos = table.cos(first_position + row, pair);
        const float sin = table.sin(first_position + row, pair);
        const float x0 = x(row, col);
        const float x1 = x(row, col + apart);
        const float y0 = fp32.multiply_add(x0, cos, -fp32.multiply(x1, sin, counts), counts);
        const float y1 = fp32.multiply_add(x0, sin, fp32.multiply(x1, cos, counts), counts);
        y(row, col) = store({y0}, events[Stage::kStorage]);
        y(row, col + apart) = store({y1}, events[Stage::kStorage]);
      }
    }
  });
}

}  // namespace guardbit::units
