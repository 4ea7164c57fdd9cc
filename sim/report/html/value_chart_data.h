#pragma once
/// Parts of chart_data() that come from the values of norms and linear layers.
#include "sim/report/replay_json.h"

namespace guardbit::sim::html {

/// Of each norm its accumulator's exponents and the histograms of squares and sums.
[[nodiscard]] Json norms_of(const VariantResult& variant);
/// Of each linear layer [median, largest] of max / sigma, the number of outliers, of tokens and of channel-wise
/// outliers, and the listed channels with their tokens, in the reference and at the array.
[[nodiscard]] Json outliers_of(const VariantResult& variant);

}  // namespace guardbit::sim::html
