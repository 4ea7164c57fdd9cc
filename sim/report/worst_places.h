#pragma once
/// Which places (op, stage) of a variant went wrong first and foremost.
#include <cstddef>
#include <string>
#include <vector>

#include "sim/stats/result.h"

namespace guardbit::sim {

struct Place {
  const OpResult* op = nullptr;
  numerics::Stage stage = numerics::Stage::kOperand;
  numerics::EventCounts counts;
};

/// The `limit` worst places: by results that left their range (overflow + invalid + saturated + wrapped), then by
/// swamped addends, then underflows, then quantizer losses (clipped + zeroed); equals in op order. Places that are only
/// inexact or flushed are not listed.
[[nodiscard]] std::vector<Place> worst_places(const VariantResult& variant, std::size_t limit);

/// The place's up to three gravest kinds of events with their counts, "overflow 1,234, swamped 5".
[[nodiscard]] std::string gravest_events(const numerics::EventCounts& counts);

}  // namespace guardbit::sim
