#pragma once
/// Least, median and largest of collected figures.
#include <algorithm>
#include <vector>

#include "sim/stats/value_reports.h"

namespace guardbit::sim {

/// `values` hold no NaN.
inline Spread spread_of(std::vector<float> values) {
  if (values.empty()) return {};
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  const auto [least, largest] = std::minmax_element(values.begin(), values.end());
  return {.count = values.size(), .min = *least, .median = *middle, .max = *largest};
}

}  // namespace guardbit::sim
