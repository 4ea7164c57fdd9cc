#pragma once
/// Facts about number formats, accumulators, norms and INT4 smoothing that are known without a simulator: from
/// theorems, from hand arithmetic, or from publications. Each is measured on the hardware units that a replay runs.
#include <span>
#include <string_view>
#include <vector>

#include "sim/stats/truth_result.h"

namespace guardbit::sim {

struct KnownTruth {
  std::string_view name;
  std::string_view claim;
  std::string_view reason;
  std::vector<TruthRow> (*measure)();
};

/// All rows, in the order of docs/known_truths.md. Test: tests/system/truths_test.cpp.
std::span<const KnownTruth> known_truths();

[[nodiscard]] TruthResult measure(const KnownTruth& truth);

}  // namespace guardbit::sim
