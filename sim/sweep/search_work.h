#pragma once
/// What the rungs of a search cost, and what a budget leaves for the next one. The unit is the work of the whole grid:
/// the multiply-accumulates (work_estimate.h) of all points, replayed as long as the last rung is.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sim/sweep/plan.h"

namespace guardbit::sim {

/// The space of a rung: replay.tokens and replay.values are fixed, and made last if the space has no such axis, so that
/// a choice of `space` is one of the rung's when it is resized with zeros. UserError kUsage if one has several values.
[[nodiscard]] DesignSpace rung_space(DesignSpace space, std::int64_t tokens, bool values);

class SearchWork {
 public:
  /// tokens: of each window in every rung; 0: all of them. Errors as rung_space() and WorkEstimate.
  SearchWork(const Plan& plan, std::span<const std::int64_t> tokens);

  /// Of the points, replayed in the rung.
  [[nodiscard]] double of(std::size_t rung, std::span<const std::size_t> points) const;

  /// The least budget that replays all points in the first rung and one in each of the others, whichever it is.
  [[nodiscard]] double least_budget() const;

  /// How many of the candidates the rung may replay so that `left` lasts to the end: the budget's even share of the
  /// rungs that are left, and one point at least, for which the rungs before have left enough.
  [[nodiscard]] std::size_t most_points(std::size_t rung, std::span<const std::size_t> candidates, double left) const;

 private:
  double largest(std::size_t rung, std::span<const std::size_t> points) const;

  std::vector<std::vector<double>> macs_;  // by rung and point
  double grid_ = 0;
};

}  // namespace guardbit::sim
