#pragma once
/// What a sweep keeps of a replay: one line of JSON (schema in docs/sweeps.md), lean enough for ten thousand points.
#include <string>

#include "sim/stats/result.h"
#include "sim/sweep/token_errors.h"

namespace guardbit::sim {

/// Of a result with one variant. Integers are exact, reals have six significant digits (they come through libm, whose
/// last bits differ between machines), null stands for what is not a number.
/// @param errors  of its tokens; null without values
[[nodiscard]] std::string point_result_json(const ReplayResult& result, const TokenErrors* errors);

}  // namespace guardbit::sim
