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

RopeTable make_rope_table(int head_size, int num_positions, double theta) {
  GUARDBIT_CHECK(head_size > 0 && head_size % 2 == 0, "rotary pairs need an even head size");
  const auto num_pairs = static_cast<std::size_t>(head_size / 2);
  const auto positions = static_cast<std::size_t>(num_positions);
  RopeTable table{Matrix<float>(positions, num_pairs), Matrix<float>(positions, num_pairs)};
  const double log_theta = log_fp64(theta);
  for (std::size_t pair = 0; pair < num_pairs; ++pair) {
    const double frequency = exp_fp64(-2.0 * static_cast<double>(pair) / head_size * log_theta);
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
  for_row_blocks(y.rows, y.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    EventCounts& counts = events[Stage::kVector];
    for (std::size_t row = begin; row < end; ++row) {
      for (std::size_t col = 0; col < y.cols; col += 2) {
        const std::size_t pair = col / 2 % num_pairs;
        const float cos = table.cos(first_position + row, pair);
        const float sin = table.sin(first_position + row, pair);
        const float x0 = x(row, col);
        const float x1 = x(row, col + 1);
        const float y0 = fp32.multiply_add(x0, cos, -fp32.multiply(x1, sin, counts), counts);
        const float y1 = fp32.multiply_add(x0, sin, fp32.multiply(x1, cos, counts), counts);
        y(row, col) = store({y0}, events[Stage::kStorage]);
        y(row, col + 1) = store({y1}, events[Stage::kStorage]);
      }
    }
  });
}

}  // namespace guardbit::units
