#include "sim/sweep/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "sim/sweep/pareto.h"
#include "sim/sweep/search_work.h"
#include "sim/sweep/sweep_status.h"

namespace guardbit::sim {
namespace {

/// Members of a result that a replay without values has too (test: tests/system/sweep_search_test.cpp).
constexpr std::array<std::string_view, 8> kCosts = {
    "cycles",    "macs",     "utilization",           "dram_bytes",
    "energy_pj", "area_um2", "scratchpad_peak_bytes", "accumulator_peak_bytes"};

bool is_cost(const std::string& objective) {
  return std::find(kCosts.begin(), kCosts.end(), objective) != kCosts.end();
}

/// The plan of the points whose indices in `plan` are given, replayed as the rung says.
Plan rung_plan(const Plan& plan, const std::vector<std::size_t>& indices, const SearchRung& made) {
  Plan rung = plan;
  rung.points.clear();
  rung.space = rung_space(plan.space, made.tokens, made.values);
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

/// An estimate with what token_errors has of it, in the same unit: the mean loss of perplexity, the noise of SQNR.
std::optional<Estimate> estimate_of(const nlohmann::json& result, const std::string& name) {
  const std::optional<double> value = objective_of(result, name);
  if (!value) return std::nullopt;
  Estimate estimate{.value = *value};
  const char* list = nullptr;
  if (name == "perplexity") list = "loss";
  if (name == "top1_agreement") list = "disagreement";
  if (name == "sqnr_db") {
    constexpr double kDecibels = 10;
    estimate.value = std::pow(10.0, *value / kDecibels);
    list = "noise";
  }
  if (list == nullptr) return estimate;
  for (const nlohmann::json& error : result.at("token_errors").at(list)) {
    if (!error.is_number()) return std::nullopt;
    estimate.errors.push_back(error.get<double>());
  }
  return estimate;
}

class Search {
 public:
  Search(const Plan& plan, const std::filesystem::path& directory, const SearchOptions& options,
         const SweepProgress& progress)
      : plan_(plan),
        directory_(directory),
        options_(options),
        progress_(progress),
        work_(plan, options.tokens),
        candidates_(plan.points.size()) {
    for (const std::string& name : options.objectives) (is_cost(name) ? costs_ : estimates_).push_back(name);
    if (options.budget > 0 && options.budget < work_.least_budget()) {
      throw UserError(ExitCode::kUsage,
                      fmt::format("--budget: got {:.4g}; expected {:.4g} or more of the grid's work: every point once "
                                  "with {} tokens, and one point in each rung behind",
                                  options.budget, work_.least_budget(), options.tokens.front()));
    }
  }

  std::vector<SearchRung> run() {
    std::vector<std::size_t> left(plan_.points.size());
    std::iota(left.begin(), left.end(), std::size_t{0});
    if (!costs_.empty()) left = run_rung({.tokens = options_.tokens.back(), .values = false}, left);
    for (std::size_t rung = 0; rung < options_.tokens.size(); ++rung) {
      const std::int64_t tokens = options_.tokens[rung];
      if (left.empty() || (!rungs_.empty() && rungs_.back().summary.violated)) break;
      const double work = work_.of(rung, left);
      spent_ += work;
      left = run_rung({.tokens = tokens, .work = work}, left);
      const std::int64_t last = options_.tokens.back();
      if (tokens == last) break;
      // Of a whole window nobody says how long it is: as if none of it had been replayed.
      Promise promise = options_.promise;
      promise.replayed = last == 0 ? 0 : static_cast<double>(tokens) / static_cast<double>(last);
      if (options_.budget > 0) promise.at_most = work_.most_points(rung + 1, left, options_.budget - spent_);
      std::vector<Candidate> candidates;
      for (const std::size_t index : left) candidates.push_back(candidates_[index]);
      std::vector<std::size_t> chosen = promising(candidates, promise);
      for (std::size_t& index : chosen) index = left[index];
      left = std::move(chosen);
    }
    return std::move(rungs_);
  }

 private:
  /// Runs the points and keeps what they say of their costs or, with values, of the rest. Returns those that have a
  /// number for every objective.
  std::vector<std::size_t> run_rung(SearchRung made, const std::vector<std::size_t>& indices) {
    made.store = directory_ / (made.values ? fmt::format("tokens-{}", made.tokens) : "costs");
    const Plan rung = rung_plan(plan_, indices, made);
    Store::create(made.store, rung, /*replace=*/true);
    const Store store(made.store);
    made.summary = run_sweep(store, rung, options_.run, progress_);
    const bool values = made.values;
    rungs_.push_back(std::move(made));
    std::vector<std::size_t> complete;
    PointResolver resolver(rung.space);
    (void)read_store(store, rung, false, [&](std::size_t index, const PointFile& file) {
      const nlohmann::json result = nlohmann::json::parse(file.result);
      Candidate& candidate = candidates_[indices[index]];
      resolver.choose(rung.points[index].choice);
      if (values ? read_estimates(result, resolver, candidate) : read_costs(result, candidate)) {
        complete.push_back(indices[index]);
      }
    });
    return complete;
  }

  bool read_costs(const nlohmann::json& result, Candidate& candidate) const {
    candidate.costs.clear();
    for (const std::string& name : costs_) {
      if (const std::optional<double> value = objective_of(result, name)) candidate.costs.push_back(*value);
    }
    return candidate.costs.size() == costs_.size();
  }

  bool read_estimates(const nlohmann::json& result, const PointResolver& resolver, Candidate& candidate) const {
    candidate.estimates.clear();
    for (const std::string& name : estimates_) {
      if (std::optional<Estimate> estimate = estimate_of(result, name)) {
        candidate.estimates.push_back(std::move(*estimate));
      }
    }
    candidate.tokens = fmt::format("{} {}", resolver.trace().sha256, resolver.settings().windows);
    return candidate.estimates.size() == estimates_.size();
  }

  const Plan& plan_;
  const std::filesystem::path& directory_;
  const SearchOptions& options_;
  const SweepProgress& progress_;
  const SearchWork work_;
  double spent_ = 0;  // of the grid's work
  std::vector<std::string> costs_;
  std::vector<std::string> estimates_;
  std::vector<Candidate> candidates_;  // by point of the plan, as the longest replay so far says
  std::vector<SearchRung> rungs_;
};

}  // namespace

std::vector<SearchRung> search(const Plan& plan, const std::filesystem::path& directory, const SearchOptions& options,
                               const SweepProgress& progress) {
  if (Store::is_store(directory)) {
    throw UserError(ExitCode::kCannotCreate,
                    fmt::format("{}: is the store of a sweep; expected a new name or the directory of a search",
                                directory.string()));
  }
  return Search(plan, directory, options, progress).run();
}

}  // namespace guardbit::sim
