#include "sim/sweep/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "sim/sweep/pareto.h"
#include "sim/sweep/sweep_status.h"

namespace guardbit::sim {
namespace {

using Rows = std::vector<std::vector<double>>;

/// Members of a result that a replay without values has too (test: tests/system/sweep_search_test.cpp).
constexpr std::array<std::string_view, 8> kCosts = {
    "cycles",    "macs",     "utilization",           "dram_bytes",
    "energy_pj", "area_um2", "scratchpad_peak_bytes", "accumulator_peak_bytes"};

bool is_cost(const std::string& objective) {
  return std::find(kCosts.begin(), kCosts.end(), objective) != kCosts.end();
}

/// Fixes an axis that the search sets; makes it if the space has none.
void fix_axis(DesignSpace& space, const std::string& key, const std::string& value) {
  auto axis = std::find_if(space.axes.begin(), space.axes.end(),
                           [&](const SpaceAxis& candidate) { return candidate.key == key; });
  if (axis == space.axes.end()) axis = space.axes.insert(axis, SpaceAxis{key, {}});
  if (axis->values.size() > 1) {
    throw UserError(ExitCode::kUsage, fmt::format("{}: got an axis; expected it fixed: a search varies it", key));
  }
  axis->values = {value};
}

/// The plan of the points whose indices in `plan` are given, replayed as the rung says.
Plan rung_plan(const Plan& plan, const std::vector<std::size_t>& indices, const SearchRung& made) {
  Plan rung = plan;
  rung.points.clear();
  fix_axis(rung.space, "replay.tokens", std::to_string(made.tokens));
  fix_axis(rung.space, "replay.values", made.values ? "true" : "false");
  PointResolver resolver(rung.space);
  for (const std::size_t index : indices) {
    Choice choice = plan.points[index].choice;
    choice.resize(rung.space.axes.size(), 0);
    resolver.choose(choice);
    rung.points.push_back({sha256_hex(resolver.description()), std::move(choice)});
  }
  return rung;
}

/// An objective of a result, smaller is better; nothing if it is not a number. Perplexity by its logarithm, the mean
/// loss: a hopeless point's would be beyond all bounds.
std::optional<double> objective_of(const nlohmann::json& result, const std::string& name) {
  const auto member = result.find(name);
  if (member == result.end() || !(member->is_number() || member->is_null())) {
    throw UserError(ExitCode::kUsage, fmt::format("{}: got no number of a point's result; expected one such as cycles, "
                                                  "perplexity, sqnr_db, energy_pj or area_um2",
                                                  name));
  }
  if (!member->is_number()) return std::nullopt;
  const auto value = member->get<double>();
  if (name == "perplexity") return std::log(value);
  return larger_is_better(name) ? -value : value;
}

class Search {
 public:
  Search(const Plan& plan, const std::filesystem::path& directory, const SearchOptions& options,
         const SweepProgress& progress)
      : plan_(plan), directory_(directory), options_(options), progress_(progress), rows_(plan.points.size()) {
    for (const std::string& name : options.objectives) (is_cost(name) ? costs_ : estimates_).push_back(name);
  }

  std::vector<SearchRung> run() {
    std::vector<std::size_t> left(plan_.points.size());
    std::iota(left.begin(), left.end(), std::size_t{0});
    if (!costs_.empty()) left = run_rung({.tokens = options_.tokens.back(), .values = false}, left, costs_, 0);
    for (const std::int64_t tokens : options_.tokens) {
      if (left.empty() || (!rungs_.empty() && rungs_.back().summary.violated)) break;
      left = run_rung({.tokens = tokens}, left, estimates_, costs_.size());
      Rows rows;
      for (const std::size_t index : left) rows.push_back(rows_[index]);
      std::vector<std::size_t> chosen = promising(rows, costs_.size(), options_.keep);
      for (std::size_t& row : chosen) row = left[row];
      left = std::move(chosen);
    }
    return std::move(rungs_);
  }

 private:
  /// Runs the points and appends what they measured to the first `known` columns of their rows. Returns those that have
  /// a number for every objective.
  std::vector<std::size_t> run_rung(SearchRung made, const std::vector<std::size_t>& indices,
                                    const std::vector<std::string>& objectives, std::size_t known) {
    made.store = directory_ / (made.values ? fmt::format("tokens-{}", made.tokens) : "costs");
    const Plan rung = rung_plan(plan_, indices, made);
    Store::create(made.store, rung, /*replace=*/true);
    const Store store(made.store);
    made.summary = run_sweep(store, rung, options_.run, progress_);
    rungs_.push_back(std::move(made));
    std::vector<std::size_t> complete;
    (void)read_store(store, rung, false, [&](std::size_t index, const PointFile& file) {
      const nlohmann::json result = nlohmann::json::parse(file.result);
      std::vector<double>& row = rows_[indices[index]];
      row.resize(known);
      for (const std::string& name : objectives) {
        if (const std::optional<double> value = objective_of(result, name)) row.push_back(*value);
      }
      if (row.size() == known + objectives.size()) complete.push_back(indices[index]);
    });
    return complete;
  }

  const Plan& plan_;
  const std::filesystem::path& directory_;
  const SearchOptions& options_;
  const SweepProgress& progress_;
  std::vector<std::string> costs_;
  std::vector<std::string> estimates_;
  Rows rows_;  // by point of the plan: costs, estimates of the longest replay so far
  std::vector<SearchRung> rungs_;
};

/// The interquartile range of every column; 1 for one that is 0.
std::vector<double> spreads(const Rows& rows) {
  std::vector<double> spreads(rows.front().size());
  for (std::size_t column = 0; column < spreads.size(); ++column) {
    std::vector<double> values;
    for (const std::vector<double>& row : rows) values.push_back(row[column]);
    std::sort(values.begin(), values.end());
    const double range = values[values.size() * 3 / 4] - values[values.size() / 4];
    spreads[column] = range > 0 ? range : 1;
  }
  return spreads;
}

/// How a row is beaten, the best first.
struct Standing {
  bool matched = false;  ///< by a cheaper row that equals it in every estimate
  double margin = 0;
  auto operator<=>(const Standing&) const = default;
};

Standing standing_of(const std::vector<double>& row, const Rows& rows, std::size_t num_costs,
                     const std::vector<double>& spreads) {
  const auto costs_end = static_cast<std::ptrdiff_t>(num_costs);
  Standing standing;
  for (const std::vector<double>& other : rows) {
    if (!std::equal(other.begin(), other.begin() + costs_end, row.begin(), std::less_equal<>())) continue;
    if (std::equal(other.begin() + costs_end, other.end(), row.begin() + costs_end)) {
      standing.matched = standing.matched || other != row;
      continue;
    }
    double margin = std::numeric_limits<double>::infinity();
    for (std::size_t column = num_costs; column < row.size(); ++column) {
      margin = std::min(margin, (row[column] - other[column]) / spreads[column]);
    }
    standing.margin = std::max(standing.margin, margin);
  }
  return standing;
}

}  // namespace

std::vector<std::size_t> promising(const std::vector<std::vector<double>>& rows, std::size_t num_costs,
                                   std::size_t keep) {
  if (rows.empty()) return {};
  const std::vector<double> units = spreads(rows);
  std::vector<Standing> standings;
  for (const std::vector<double>& row : rows) standings.push_back(standing_of(row, rows, num_costs, units));
  std::vector<Standing> sorted = standings;
  std::sort(sorted.begin(), sorted.end());
  const Standing last = sorted[(rows.size() + keep - 1) / keep - 1];
  std::vector<std::size_t> chosen;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    if (standings[row] <= last) chosen.push_back(row);
  }
  return chosen;
}

std::vector<SearchRung> search(const Plan& plan, const std::filesystem::path& directory, const SearchOptions& options,
                               const SweepProgress& progress) {
  return Search(plan, directory, options, progress).run();
}

}  // namespace guardbit::sim
