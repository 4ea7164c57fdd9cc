#pragma once
/// The JSON objects of sim/stats/value_reports.h; docs/result.md describes every key.
#include "sim/report/replay_json.h"

namespace guardbit::sim {

[[nodiscard]] Json histogram_json(const ExponentHistogram& histogram);
/// Null if there are no figures.
[[nodiscard]] Json spread_json(const Spread& spread);
[[nodiscard]] Json token_events_json(const TokenEvents& events);

/// Puts "exponent_histogram", "quantizers", "norm", "outliers" and "group_scales" into an op's object, each where the
/// op has it.
void add_value_reports(const OpResult& op, Json& json);

[[nodiscard]] Json layers_json(const VariantResult& variant);

}  // namespace guardbit::sim
