#include "models/units/softmax_unit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "models/kernels/scalar_rounder.h"
#include "models/units/arithmetic.h"
#include "models/units/function_unit.h"

namespace guardbit::units {
namespace {

using kernels::ScalarRounder;
using numerics::Event;
using numerics::Stage;

/// The exponential as one operator.
float evaluate_exp(float x, EventCounts& events) {
  const float value = exp_fp32(x);
  if (x == 0 || !std::isfinite(x)) return value;
  ++events[Event::kInexact];
  if (value < std::numeric_limits<float>::min()) ++events[Event::kUnderflow];
  if (value == 0) ++events[Event::kFlushed];
  return value;
}

/// In place: scores of one row -> fp32 probabilities.
void softmax_row(std::span<float> row, const ScalarRounder& fp32, EventCounts& events) {
  float maximum = -std::numeric_limits<float>::infinity();
  for (const float score : row) maximum = score > maximum ? score : maximum;  // NaNs reach the sum by themselves
  float sum = 0;
  for (float& value : row) {
    value = evaluate_exp(fp32.add(value, -maximum, events), events);
    sum = fp32.accumulate(sum, value, events);
  }
  for (float& value : row) value = fp32.divide(value, sum, events);
}

}  // namespace

void softmax_rows(MatrixView<const float> scores, std::size_t first_row, const numerics::FloatSpec& storage,
                  MatrixView<float> y, EventLedger& ledger, const ParallelFor& parallel_for) {
  GUARDBIT_CHECK(y.rows == scores.rows && y.cols == scores.cols, "y has the scores' shape");
  const ScalarRounder fp32(conversion_spec("fp32"));
  const ScalarRounder store(storage);
  for_row_blocks(y.rows, y.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    std::vector<float> values;
    for (std::size_t row = begin; row < end; ++row) {
      values.resize(std::min(y.cols, first_row + row + 1));
      for (std::size_t col = 0; col < values.size(); ++col) values[col] = scores(row, col);
      softmax_row(values, fp32, events[Stage::kVector]);
      for (std::size_t col = 0; col < y.cols; ++col) {
        y(row, col) = col < values.size() ? store({values[col]}, events[Stage::kStorage]) : 0.0F;
      }
    }
  });
}

}  // namespace guardbit::units
