#pragma once
/// Ranges of sweep axes: { from, to, step } and { from, to, factor }, both ends included.
#include <string>
#include <string_view>
#include <vector>

#include "sim/config/fields.h"

namespace guardbit::sim {

/// As written; a member that is not is OtherValue{}.
struct SweepRange {
  ConfigValue from = OtherValue{};
  ConfigValue to = OtherValue{};
  ConfigValue step = OtherValue{};
  ConfigValue factor = OtherValue{};

  /// The member of that name, or null.
  ConfigValue* member(std::string_view name);
};

/// Appends from, from + step, ... or from, from * factor, ... while at most `to`. Integers stay integers (exact, a
/// value beyond 64 bits ends the range); if any of the numbers is real, all values are: from + i * step, each computed
/// and rounded by itself. Returns "" or "got X; expected Y" (no end, step 0, factor 1, more than kMaxAxisValues
/// values).
[[nodiscard]] std::string expand(const SweepRange& range, std::vector<ConfigValue>& values);

}  // namespace guardbit::sim
