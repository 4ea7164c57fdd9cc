#pragma once
/// Successive halving over the length of the replays: all points with few tokens, the promising part of them with more,
/// and so on. What a rung computes is a sweep of its own, with a store that survives everything a store survives.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "sim/sweep/runner.h"

namespace guardbit::sim {

struct SearchOptions {
  std::vector<std::int64_t> tokens;     ///< of the rungs, ascending; 0 as the last: whole windows
  std::size_t keep = 3;                 ///< one of how many points goes on to the next rung, at least 2
  std::vector<std::string> objectives;  ///< members of a point's result, as in pareto
  RunOptions run;
};

struct SearchRung {
  std::int64_t tokens = 0;
  std::filesystem::path store;
  RunSummary summary;
};

/// Whole Pareto layers go on: the front, the front of the rest, ... until at least ceil(rows / keep) rows have. Indices
/// in ascending order. Smaller is better.
[[nodiscard]] std::vector<std::size_t> promising(const std::vector<std::vector<double>>& rows, std::size_t keep);

/// Plans and runs rung after rung in <directory>/tokens-<n>. A point that fails, or has no number for an objective,
/// goes no further. Running it again resumes. Errors as make_plan() and run_sweep(); UserError kUsage for an unknown
/// objective.
[[nodiscard]] std::vector<SearchRung> search(const Plan& plan, const std::filesystem::path& directory,
                                             const SearchOptions& options, const SweepProgress& progress);

}  // namespace guardbit::sim
