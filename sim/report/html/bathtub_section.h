#pragma once
/// The bathtub curves of norms (`guardbit bathtub`) on the page of a replay.
#include <string>

#include "sim/report/replay_json.h"
#include "sim/stats/bathtub_result.h"

namespace guardbit::sim::html {

/// Empty without a result.
[[nodiscard]] std::string bathtub_section(const BathtubResult* bathtub);
/// [{"op", "tokens", "points": [[log2 s, error or null, [tokens with each of kNormEvents]], ...],
///   "marks": [[method, log2 s], ...], "same_bits": null or [from, to]}, ...]
[[nodiscard]] Json bathtub_data(const BathtubResult* bathtub);

}  // namespace guardbit::sim::html
