#include "models/units/softmax_unit.h"

#include <algorithm>
#include <limits>
#include <span>

#include "models/units/arithmetic.h"

namespace guardbit::units {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// NaNs are ignored: they reach the sum by themselves.
float maximum_of(std::span<const float> scores, float maximum) {
  for (const float score : scores) maximum = score > maximum ? score : maximum;
  return maximum;
}

}  // namespace

SoftmaxUnit::SoftmaxUnit(const SoftmaxConfig& config, const numerics::FloatSpec& storage)
    : online_(config.method == "online"),
      block_(static_cast<std::size_t>(config.block)),
      round_(conversion_spec(config.format)),
      storage_(storage),
      exp_(config) {}

/// In place: scores of one row -> probabilities.
void SoftmaxUnit::two_pass(std::span<float> row, EventCounts& events) const {
  const float maximum = maximum_of(row, -kInfinity);
  float sum = 0;
  for (float& value : row) {
    value = exp_(round_.add(value, -maximum, events), events);
    sum = round_.accumulate(sum, value, events);
  }
  for (float& value : row) value = round_.divide(value, sum, events);
}

float SoftmaxUnit::weight(float score, float maximum, EventCounts& events) const {
  if (score == -kInfinity && maximum == -kInfinity) return 0;
  return exp_(round_.add(score, -maximum, events), events);
}

void SoftmaxUnit::online(std::span<float> row, EventCounts& events) const {
  float maximum = -kInfinity;
  float sum = 0;
  for (std::size_t first = 0; first < row.size(); first += block_) {
    const std::span<const float> block = row.subspan(first, std::min(block_, row.size() - first));
    const float earlier = maximum;
    maximum = maximum_of(block, earlier);
    if (first > 0) sum = round_.multiply(sum, weight(earlier, maximum, events), events);
    for (const float score : block) sum = round_.accumulate(sum, weight(score, maximum, events), events);
  }
  for (float& value : row) value = round_.divide(weight(value, maximum, events), sum, events);
}

void SoftmaxUnit::run(MatrixView<const float> scores, std::size_t first_row, MatrixView<float> y, EventLedger& ledger,
                      const ParallelFor& parallel_for) const {
  GUARDBIT_CHECK(y.rows == scores.rows && y.cols == scores.cols, "y has the scores' shape");
  for_row_blocks(y.rows, y.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    std::vector<float> values;
    for (std::size_t row = begin; row < end; ++row) {
      values.resize(std::min(y.cols, first_row + row + 1));
      for (std::size_t col = 0; col < values.size(); ++col) values[col] = scores(row, col);
      online_ ? online(values, events[numerics::Stage::kVector]) : two_pass(values, events[numerics::Stage::kVector]);
      for (std::size_t col = 0; col < y.cols; ++col) {
        y(row, col) = col < values.size() ? storage_({values[col]}, events[numerics::Stage::kStorage]) : 0.0F;
      }
    }
  });
}

}  // namespace guardbit::units
