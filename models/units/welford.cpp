#include "models/units/welford.h"

#include "models/units/arithmetic.h"

namespace guardbit::units {

using numerics::Stage;

Welford::Welford(std::size_t lanes, std::size_t interleave, const kernels::ScalarRounder& accumulator,
                 std::size_t num_elements)
    : lanes_(lanes), interleave_(interleave), round_(accumulator) {
  const numerics::FloatSpec table = conversion_spec(numerics::name_of(accumulator.spec().format));
  const auto entry = [&table](std::size_t numerator, std::size_t denominator) {
    numerics::EventSet ignored;
    return numerics::round_carrier(static_cast<double>(numerator) / static_cast<double>(denominator), table, ignored);
  };
  std::vector<std::size_t> counts(lanes * interleave, 0);
  for (std::size_t j = 0; j < num_elements; ++j) ++counts[j % lanes * interleave + j / lanes % interleave];
  for (std::size_t k = 1; k <= counts[0]; ++k) reciprocals_.push_back(entry(1, k));  // no state has more than the first

  const auto merge = [&](std::size_t into, std::size_t from) {
    if (counts[from] == 0) return;
    const std::size_t both = counts[into] + counts[from];
    merges_.push_back({into, from, entry(counts[from], both), entry(counts[into] * counts[from], both)});
    counts[into] = both;
  };
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    for (std::size_t k = 1; k < interleave; ++k) merge(lane * interleave, lane * interleave + k);
  }
  for (std::size_t distance = 1; distance < lanes; distance *= 2) {
    for (std::size_t lane = 0; lane < lanes; lane += 2 * distance) {
      merge(lane * interleave, (lane + distance) * interleave);
    }
  }
}

WelfordResult Welford::operator()(std::span<const float> u, EventLedger& ledger) const {
  struct State {
    float mean = 0;
    float squared_deviations = 0;
    std::size_t count = 0;
  };
  EventCounts& sum = ledger[Stage::kSum];
  EventCounts& square = ledger[Stage::kSquare];
  EventCounts& sum_of_squares = ledger[Stage::kSumOfSquares];
  std::vector<State> states(lanes_ * interleave_);
  for (std::size_t j = 0; j < u.size(); ++j) {
    State& state = states[j % lanes_ * interleave_ + j / lanes_ % interleave_];
    const float delta = round_.add(u[j], -state.mean, sum);
    state.mean = round_.accumulate_product(state.mean, delta, reciprocals_[state.count++], sum);
    const float delta2 = round_.add(u[j], -state.mean, square);
    state.squared_deviations = round_.accumulate_product(state.squared_deviations, delta, delta2, sum_of_squares);
  }
  for (const Merge& merge : merges_) {
    State& a = states[merge.into];
    const State& b = states[merge.from];
    const float delta = round_.add(b.mean, -a.mean, sum);
    const float q = round_.multiply(delta, delta, square);
    const float t = round_.accumulate(a.squared_deviations, b.squared_deviations, sum_of_squares);
    a.mean = round_.accumulate_product(a.mean, delta, merge.weight, sum);
    a.squared_deviations = round_.accumulate_product(t, q, merge.weighting, sum_of_squares);
  }
  return {states[0].mean, states[0].squared_deviations};
}

}  // namespace guardbit::units
