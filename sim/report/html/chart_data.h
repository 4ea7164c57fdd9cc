#pragma once
/// What the charts of src/ draw, as one JSON object; described at the functions that fill it. Counts beyond 2^53 lose
/// their last digits in a browser; the tables have all of them.
#include "sim/report/replay_json.h"

namespace guardbit::sim::html {

[[nodiscard]] Json chart_data(const ReplayResult& result);

}  // namespace guardbit::sim::html
