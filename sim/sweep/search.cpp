#include "sim/sweep/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "sim/sweep/pareto.h"
#include "sim/sweep/sweep_status.h"

namespace guardbit::sim {
namespace {

constexpr const char* kTokensKey = "replay.tokens";

/// The plan of the points whose choices are given, with another number of tokens.
Plan rung_plan(const Plan& plan, const std::vector<Choice>& choices, std::int64_t tokens) {
  Plan rung = plan;
  rung.points.clear();
  auto axis = std::find_if(rung.space.axes.begin(), rung.space.axes.end(),
                           [](const SpaceAxis& candidate) { return candidate.key == kTokensKey; });
  const bool is_new = axis == rung.space.axes.end();
  if (is_new) axis = rung.space.axes.insert(axis, SpaceAxis{kTokensKey, {}});
  if (axis->values.size() > 1) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("{}: got an axis; expected it fixed: a search varies it", kTokensKey));
  }
  axis->values = {std::to_string(tokens)};
  PointResolver resolver(rung.space);
  for (Choice choice : choices) {
    choice.resize(rung.space.axes.size(), 0);
    resolver.choose(choice);
    rung.points.push_back({sha256_hex(resolver.description()), std::move(choice)});
  }
  return rung;
}

/// The objectives of the points that are done, smaller is better; `done` gets their indices in the plan.
std::vector<std::vector<double>> objective_rows(const Store& store, const Plan& plan,
                                                const std::vector<std::string>& objectives,
                                                std::vector<std::size_t>& done) {
  std::vector<std::vector<double>> rows;
  (void)read_store(store, plan, false, [&](std::size_t index, const PointFile& file) {
    const nlohmann::json result = nlohmann::json::parse(file.result);
    std::vector<double> row;
    for (const std::string& name : objectives) {
      const auto member = result.find(name);
      if (member == result.end() || !(member->is_number() || member->is_null())) {
        throw UserError(ExitCode::kUsage,
                        fmt::format("{}: got no number of a point's result; expected one such as cycles, "
                                    "perplexity, sqnr_db, energy_pj or area_um2",
                                    name));
      }
      if (member->is_number()) row.push_back(member->get<double>() * (larger_is_better(name) ? -1 : 1));
    }
    if (row.size() != objectives.size()) return;
    rows.push_back(std::move(row));
    done.push_back(index);
  });
  return rows;
}

}  // namespace

std::vector<std::size_t> promising(const std::vector<std::vector<double>>& rows, std::size_t keep) {
  const std::size_t wanted = (rows.size() + keep - 1) / keep;
  std::vector<std::size_t> left(rows.size());
  std::iota(left.begin(), left.end(), std::size_t{0});
  std::vector<std::size_t> chosen;
  while (chosen.size() < wanted) {
    std::vector<std::vector<double>> rest;
    for (const std::size_t row : left) rest.push_back(rows[row]);
    std::vector<std::size_t> next;
    const std::vector<std::size_t> layer = pareto_rows(rest);
    for (std::size_t index = 0, in_layer = 0; index < left.size(); ++index) {
      const bool is_in_layer = in_layer < layer.size() && layer[in_layer] == index;
      if (is_in_layer) ++in_layer;
      (is_in_layer ? chosen : next).push_back(left[index]);
    }
    left = std::move(next);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

std::vector<SearchRung> search(const Plan& plan, const std::filesystem::path& directory, const SearchOptions& options,
                               const SweepProgress& progress) {
  std::vector<SearchRung> rungs;
  std::vector<Choice> choices;
  for (const PlanPoint& point : plan.points) choices.push_back(point.choice);
  for (const std::int64_t tokens : options.tokens) {
    const Plan rung = rung_plan(plan, choices, tokens);
    SearchRung& made = rungs.emplace_back();
    made.tokens = tokens;
    made.store = directory / fmt::format("tokens-{}", tokens);
    Store::create(made.store, rung, /*replace=*/true);
    const Store store(made.store);
    made.summary = run_sweep(store, rung, options.run, progress);
    if (made.summary.violated) break;
    std::vector<std::size_t> done;
    const std::vector<std::vector<double>> rows = objective_rows(store, rung, options.objectives, done);
    choices.clear();
    for (const std::size_t row : promising(rows, options.keep)) choices.push_back(rung.points[done[row]].choice);
    if (choices.empty()) break;
  }
  return rungs;
}

}  // namespace guardbit::sim
