#include "sim/sweep/promising.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace guardbit::sim {
namespace {

bool costs_no_more(const Candidate& a, const Candidate& b) {
  return std::equal(a.costs.begin(), a.costs.end(), b.costs.begin(), std::less_equal<>());
}

/// Variance of the mean of numbers, as their spread says. They are taken less the first: equal ones have none at all.
double variance_of_mean(const std::vector<double>& numbers) {
  if (numbers.size() < 2) return 0;
  const auto num = static_cast<double>(numbers.size());
  double sum = 0;
  double squares = 0;
  for (const double number : numbers) {
    sum += number - numbers.front();
    squares += (number - numbers.front()) * (number - numbers.front());
  }
  return std::max(0.0, squares - sum * sum / num) / (num - 1) / num;
}

/// Of a.value - b.value.
double standard_error(const Estimate& a, const Estimate& b, bool same_tokens) {
  if (!same_tokens || a.errors.size() != b.errors.size()) {
    return std::sqrt(variance_of_mean(a.errors) + variance_of_mean(b.errors));
  }
  std::vector<double> differences(a.errors.size());
  std::transform(a.errors.begin(), a.errors.end(), b.errors.begin(), differences.begin(), std::minus<>());
  return std::sqrt(variance_of_mean(differences));
}

/// The estimate's standard error for all candidates; 1 if nothing differs or nothing varies.
double unit_of(const std::vector<Candidate>& candidates, std::size_t estimate) {
  std::vector<double> errors;
  for (const Candidate& candidate : candidates) {
    const Candidate* best = &candidate;
    for (const Candidate& other : candidates) {
      const bool is_better = other.estimates[estimate].value < best->estimates[estimate].value;
      if (is_better && costs_no_more(other, candidate)) best = &other;
    }
    if (best == &candidate) continue;
    errors.push_back(
        standard_error(candidate.estimates[estimate], best->estimates[estimate], candidate.tokens == best->tokens));
  }
  if (errors.empty()) return 1;
  const auto middle = errors.begin() + static_cast<std::ptrdiff_t>(errors.size() / 2);
  std::nth_element(errors.begin(), middle, errors.end());
  return *middle > 0 ? *middle : 1;
}

bool equal_estimates(const Candidate& a, const Candidate& b) {
  return a.tokens == b.tokens &&
         std::equal(a.estimates.begin(), a.estimates.end(), b.estimates.begin(),
                    [](const Estimate& x, const Estimate& y) { return x.value == y.value && x.errors == y.errors; });
}

/// How a candidate is beaten, the best first.
struct Standing {
  bool matched = false;  ///< by a cheaper candidate that equals it in every estimate
  double margin = 0;
  auto operator<=>(const Standing&) const = default;
};

Standing standing_of(const Candidate& candidate, const std::vector<Candidate>& candidates,
                     const std::vector<double>& units) {
  Standing standing;
  for (const Candidate& other : candidates) {
    if (!costs_no_more(other, candidate)) continue;
    if (equal_estimates(candidate, other)) {
      standing.matched = standing.matched || other.costs != candidate.costs;
      continue;
    }
    double margin = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < units.size(); ++i) {
      margin = std::min(margin, (candidate.estimates[i].value - other.estimates[i].value) / units[i]);
    }
    standing.margin = std::max(standing.margin, margin);
  }
  return standing;
}

}  // namespace

std::vector<std::size_t> promising(const std::vector<Candidate>& candidates, const Promise& promise) {
  if (candidates.empty()) return {};
  std::vector<double> units(candidates.front().estimates.size());
  for (std::size_t i = 0; i < units.size(); ++i) units[i] = unit_of(candidates, i) * std::sqrt(1 + promise.replayed);
  std::vector<Standing> standings;
  for (const Candidate& candidate : candidates) standings.push_back(standing_of(candidate, candidates, units));
  std::vector<Standing> sorted = standings;
  std::sort(sorted.begin(), sorted.end());
  const Standing last = std::max(sorted[(candidates.size() + promise.keep - 1) / promise.keep - 1],
                                 Standing{.matched = false, .margin = promise.slack});
  std::vector<std::size_t> chosen;
  for (std::size_t index = 0; index < candidates.size(); ++index) {
    if (standings[index] <= last) chosen.push_back(index);
  }
  if (chosen.size() > promise.at_most) {
    std::stable_sort(chosen.begin(), chosen.end(),
                     [&](std::size_t a, std::size_t b) { return standings[a] < standings[b]; });
    chosen.resize(promise.at_most);
    std::sort(chosen.begin(), chosen.end());
  }
  return chosen;
}

}  // namespace guardbit::sim
