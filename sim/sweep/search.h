#pragma once
/// Successive halving over the length of the replays: all points with few tokens, the promising part of them with more,
/// and so on. What a rung computes is a sweep of its own, with a store that survives everything a store survives.
///
/// Objectives are of two kinds. Costs (cycles, bytes, energy, area) follow from shapes: a replay without values has
/// them exactly, at the last rung's length, for every point before the first rung. Only what depends on values
/// (perplexity, SQNR, agreement) is estimated by short replays.
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
  bool values = true;  ///< false: costs alone
  std::filesystem::path store = {};
  RunSummary summary = {};
};

/// Which rows go on: those that are beaten by the smallest margins, at least ceil(rows / keep) of them, with all that
/// tie with the last. Indices in ascending order; smaller is better.
///
/// The first `num_costs` columns are exact, the others are estimates. A row's margin is the largest amount by which a
/// row of no higher costs beats it in every estimate; 0 if none does. Several estimates are measured in their
/// interquartile ranges. Rows that a cheaper row equals in every estimate (the same arithmetic, as far as it has been
/// tried, on a slower machine) come after all others. O(rows^2). Test: tests/unit/sweep_plan_test.cpp.
[[nodiscard]] std::vector<std::size_t> promising(const std::vector<std::vector<double>>& rows, std::size_t num_costs,
                                                 std::size_t keep);

/// Plans and runs <directory>/costs (if an objective is a cost) and rung after rung in <directory>/tokens-<n>. A point
/// that fails, or has no number for an objective, goes no further. Running it again resumes. Errors as make_plan() and
/// run_sweep(); UserError kUsage for an unknown objective, and for an axis that a search itself sets.
[[nodiscard]] std::vector<SearchRung> search(const Plan& plan, const std::filesystem::path& directory,
                                             const SearchOptions& options, const SweepProgress& progress);

}  // namespace guardbit::sim
