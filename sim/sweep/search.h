#pragma once
/// Successive halving over the length of the replays: all points with few tokens, the promising part of them with more,
/// and so on. What a rung computes is a sweep of its own, with a store that survives everything a store survives.
///
/// Objectives are of two kinds. Costs (cycles, bytes, energy, area) follow from shapes: a replay without values has
/// them exactly, at the last rung's length, for every point before the first rung. Only what depends on values
/// (perplexity, SQNR, agreement) is estimated by short replays. promising() decides.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "sim/sweep/promising.h"
#include "sim/sweep/runner.h"

namespace guardbit::sim {

struct SearchOptions {
  std::vector<std::int64_t> tokens;     ///< of the rungs, ascending; 0 as the last: whole windows
  Promise promise;                      ///< keep is at least 2
  std::vector<std::string> objectives;  ///< members of a point's result, as in pareto
  double budget = 0;  ///< most that all rungs may cost, of the grid's work (search_work.h); 0: no limit
  RunOptions run;
};

struct SearchRung {
  std::int64_t tokens = 0;
  bool values = true;  ///< false: costs alone
  double work = 0;     ///< of the grid's (search_work.h), whether computed or reused
  std::filesystem::path store = {};
  RunSummary summary = {};
};

/// Plans and runs <directory>/costs (if an objective is a cost) and rung after rung in <directory>/tokens-<n>. A point
/// that fails, or has no number for an objective, goes no further. Running it again resumes. Errors as make_plan() and
/// run_sweep(); UserError kUsage for an unknown objective, a
/// budget that the first rung exceeds, and an axis that a search itself sets; kCannotCreate if
/// the directory is a store.
[[nodiscard]] std::vector<SearchRung> search(const Plan& plan, const std::filesystem::path& directory,
                                             const SearchOptions& options, const SweepProgress& progress);

}  // namespace guardbit::sim
