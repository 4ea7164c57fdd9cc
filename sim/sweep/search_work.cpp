#include "sim/sweep/search_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "sim/base/error.h"
#include "sim/sweep/work_estimate.h"

namespace guardbit::sim {

namespace {

/// Makes the axis if the space has none.
void fix_axis(DesignSpace& space, const std::string& key, const std::string& value) {
  auto axis = std::find_if(space.axes.begin(), space.axes.end(),
                           [&](const SpaceAxis& candidate) { return candidate.key == key; });
  if (axis == space.axes.end()) axis = space.axes.insert(axis, SpaceAxis{key, {}});
  if (axis->values.size() > 1) {
    throw UserError(ExitCode::kUsage, fmt::format("{}: got an axis; expected it fixed: a search varies it", key));
  }
  axis->values = {value};
}

}  // namespace

DesignSpace rung_space(DesignSpace space, std::int64_t tokens, bool values) {
  fix_axis(space, "replay.tokens", std::to_string(tokens));
  fix_axis(space, "replay.values", values ? "true" : "false");
  return space;
}

SearchWork::SearchWork(const Plan& plan, std::span<const std::int64_t> tokens) {
  for (const std::int64_t length : tokens) {
    const DesignSpace space = rung_space(plan.space, length, /*values=*/true);
    WorkEstimate estimate(space);
    PointResolver resolver(space);
    std::vector<double>& macs = macs_.emplace_back();
    for (const PlanPoint& point : plan.points) {
      Choice choice = point.choice;
      choice.resize(space.axes.size(), 0);
      resolver.choose(choice);
      macs.push_back(estimate.macs(resolver));
    }
  }
  grid_ = std::accumulate(macs_.back().begin(), macs_.back().end(), 0.0);
}

double SearchWork::of(std::size_t rung, std::span<const std::size_t> points) const {
  double sum = 0;
  for (const std::size_t point : points) sum += macs_[rung][point];
  return sum / grid_;
}

double SearchWork::largest(std::size_t rung, std::span<const std::size_t> points) const {
  double most = 0;
  for (const std::size_t point : points) most = std::max(most, macs_[rung][point]);
  return most / grid_;
}

double SearchWork::least_budget() const {
  std::vector<std::size_t> all(macs_.front().size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  double least = of(0, all);
  for (std::size_t rung = 1; rung < macs_.size(); ++rung) least += largest(rung, all);
  return least;
}

std::size_t SearchWork::most_points(std::size_t rung, std::span<const std::size_t> candidates, double left) const {
  for (std::size_t later = rung; later < macs_.size(); ++later) left -= largest(later, candidates);
  const double share = std::max(0.0, left) / static_cast<double>(macs_.size() - rung);
  const double more = share / largest(rung, candidates);
  return 1 + static_cast<std::size_t>(std::min(more, static_cast<double>(candidates.size())));
}

}  // namespace guardbit::sim
