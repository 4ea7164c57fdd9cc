#include "models/units/smooth_unit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "models/kernels/int_quantize.h"
#include "models/kernels/scalar_rounder.h"

namespace guardbit::units {
namespace {

constexpr float kSmallestMaximum = 1e-5F;

/// The power of two at or above s, at most 2^127.
float power_of_two_above(float s) {
  int exponent = 0;
  const float significand = std::frexp(s, &exponent);  // [1/2, 1)
  if (significand == 0.5F) return s;
  return std::ldexp(1.0F, std::min(exponent, std::numeric_limits<float>::max_exponent - 1));
}

/// Groups in reverse order; the partial group, cut from the front, comes last.
std::vector<std::uint32_t> reverse_groups(const std::vector<std::uint32_t>& permutation, std::size_t group) {
  std::vector<std::uint32_t> reversed;
  reversed.reserve(permutation.size());
  std::size_t end = permutation.size();
  while (end > 0) {
    const std::size_t begin = end - std::min(group, end);
    reversed.insert(reversed.end(), permutation.begin() + static_cast<std::ptrdiff_t>(begin),
                    permutation.begin() + static_cast<std::ptrdiff_t>(end));
    end = begin;
  }
  return reversed;
}

}  // namespace

SmoothPlan smooth_plan(MatrixView<const float> x, const SmoothConfig& config) {
  std::vector<float> maxima(x.cols);
  kernels::column_max_abs(x, maxima);
  for (float& maximum : maxima) maximum = std::clamp(maximum, kSmallestMaximum, std::numeric_limits<float>::max());

  SmoothPlan plan;
  plan.permutation.resize(x.cols);
  std::iota(plan.permutation.begin(), plan.permutation.end(), 0U);
  if (config.sort) {
    std::ranges::stable_sort(plan.permutation, [&](std::uint32_t a, std::uint32_t b) { return maxima[a] > maxima[b]; });
  }
  const auto group = static_cast<std::size_t>(config.group);
  if (config.order == "ascending") plan.permutation = reverse_groups(plan.permutation, group);

  for (std::size_t begin = 0; begin < x.cols; begin += group) {
    float scale = 0;
    for (std::size_t p = begin; p < std::min(begin + group, x.cols); ++p) {
      scale = std::max(scale, maxima[plan.permutation[p]]);
    }
    plan.group_scales.push_back(config.scale == "pow2" ? power_of_two_above(scale) : scale);
  }
  return plan;
}

void smooth(MatrixView<const float> x, const SmoothPlan& plan, std::size_t group, const numerics::FloatSpec& storage,
            MatrixView<float> y, EventLedger& ledger, const ParallelFor& parallel_for) {
  GUARDBIT_CHECK(y.rows == x.rows && y.cols == x.cols && plan.permutation.size() == x.cols, "shapes agree");
  GUARDBIT_CHECK(y.data != x.data, "columns are permuted: y is not x");
  const kernels::ScalarRounder round(storage);
  for_row_blocks(y.rows, y.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    EventCounts& counts = events[numerics::Stage::kSmooth];
    for (std::size_t row = begin; row < end; ++row) {
      for (std::size_t p = 0; p < y.cols; ++p) {
        y(row, p) = round.divide(x(row, plan.permutation[p]), plan.group_scales[p / group], counts);
      }
    }
  });
}

Matrix<float> gather_columns(MatrixView<const float> w, const std::vector<std::uint32_t>& permutation) {
  GUARDBIT_CHECK(permutation.size() == w.cols, "one position per column");
  Matrix<float> gathered(w.rows, w.cols);
  for (std::size_t row = 0; row < w.rows; ++row) {
    for (std::size_t p = 0; p < w.cols; ++p) gathered(row, p) = w(row, permutation[p]);
  }
  return gathered;
}

}  // namespace guardbit::units
