#pragma once
/// The norm unit's steps (norm_unit.h, welford.h) in reference operations, row by row: what the unit is compared with.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "models/units/norm_unit.h"
#include "tests/support/reference_steps.h"

namespace guardbit::tests {

using numerics::Event;
using numerics::EventCounts;
using numerics::EventLedger;
using units::conversion_spec;
using units::float_spec;
using units::NormConfig;
using units::NormParameters;
using units::RsqrtUnit;

/// A straightforward re-implementation of one row.
struct ReferenceNorm {
  NormConfig config;
  ReferenceSteps input{conversion_spec(config.input)};
  ReferenceSteps acc{float_spec(config.accumulator.format, config.accumulator.rounding, config.accumulator.overflow,
                                config.accumulator.subnormals)};
  ReferenceSteps arithmetic{conversion_spec(config.arithmetic)};
  ReferenceSteps storage;

  float tree(const std::vector<float>& values, std::size_t begin, std::size_t width, EventCounts& events) const {
    if (width == 1) return begin < values.size() ? values[begin] : 0.0F;
    // Children first, left to right; the order of events does not matter, the pairing does.
    const float left = tree(values, begin, width / 2, events);
    const float right = tree(values, begin + width / 2, width / 2, events);
    return acc.add(left, right, events);
  }

  float total(const std::vector<float>& values, EventCounts& events) const {
    const auto lanes = static_cast<std::size_t>(config.lanes);
    std::vector<float> sums(static_cast<std::size_t>(config.accumulator.interleave), 0.0F);
    for (std::size_t step = 0; step * lanes < values.size(); ++step) {
      float& sum = sums[step % sums.size()];
      sum = acc.accumulate(sum, tree(values, step * lanes, lanes, events), events);
    }
    for (std::size_t k = 1; k < sums.size(); ++k) sums[0] = acc.accumulate(sums[0], sums[k], events);
    return sums[0];
  }

  /// Mean and M2 of a set of elements that meet one state, in order; then as many states as there are.
  struct State {
    std::size_t count = 0;
    float mean = 0;
    float m2 = 0;
  };
  /// acc + a * b with event swamped.
  float accumulate_product(float sum, float a, float b, EventCounts& events) const {
    const float result = acc.multiply_add(a, b, sum, events);
    const bool eligible = std::isfinite(sum) && std::isfinite(a) && std::isfinite(b) && sum != 0 && a != 0 && b != 0;
    if (eligible && std::bit_cast<std::uint32_t>(result) == std::bit_cast<std::uint32_t>(sum)) {
      ++events[Event::kSwamped];
    }
    return result;
  }
  State merged(const State& a, const State& b, EventLedger& ledger) const {
    if (b.count == 0) return a;
    const ReferenceSteps table{conversion_spec(config.accumulator.format)};
    const auto both = static_cast<double>(a.count + b.count);
    const float delta = acc.add(b.mean, -a.mean, ledger[Stage::kSum]);
    const float weight = table.constant(static_cast<double>(b.count) / both);
    const float weighting = table.constant(static_cast<double>(a.count * b.count) / both);
    const float mean = accumulate_product(a.mean, delta, weight, ledger[Stage::kSum]);
    const float m2 = acc.accumulate(a.m2, b.m2, ledger[Stage::kSumOfSquares]);
    return {a.count + b.count, mean,
            accumulate_product(m2, acc.multiply(delta, delta, ledger[Stage::kSquare]), weighting,
                               ledger[Stage::kSumOfSquares])};
  }
  State lane_state(const std::vector<float>& u, std::size_t lane, std::size_t k, EventLedger& ledger) const {
    const ReferenceSteps table{conversion_spec(config.accumulator.format)};
    const auto lanes = static_cast<std::size_t>(config.lanes);
    const auto interleave = static_cast<std::size_t>(config.accumulator.interleave);
    State state;
    for (std::size_t j = lane + k * lanes; j < u.size(); j += lanes * interleave) {
      ++state.count;
      const float delta = acc.add(u[j], -state.mean, ledger[Stage::kSum]);
      state.mean = accumulate_product(state.mean, delta, table.constant(1.0 / static_cast<double>(state.count)),
                                      ledger[Stage::kSum]);
      const float delta2 = acc.add(u[j], -state.mean, ledger[Stage::kSquare]);
      state.m2 = accumulate_product(state.m2, delta, delta2, ledger[Stage::kSumOfSquares]);
    }
    return state;
  }
  State welford(const std::vector<float>& u, std::size_t first_lane, std::size_t num_lanes, EventLedger& ledger) const {
    if (num_lanes > 1) {
      const State left = welford(u, first_lane, num_lanes / 2, ledger);
      return merged(left, welford(u, first_lane + num_lanes / 2, num_lanes / 2, ledger), ledger);
    }
    State state = lane_state(u, first_lane, 0, ledger);
    for (std::size_t k = 1; k < static_cast<std::size_t>(config.accumulator.interleave); ++k) {
      state = merged(state, lane_state(u, first_lane, k, ledger), ledger);
    }
    return state;
  }

  /// 1/s of a row scaled by its largest magnitude.
  float dynamic_reciprocal(const std::vector<float>& x, EventCounts& events) const {
    float largest = 0;
    for (const float value : x) largest = std::fabs(value) > largest ? std::fabs(value) : largest;
    if (largest == 0) largest = 1;
    largest = std::min(std::max(largest, 0x1p-126F), std::numeric_limits<float>::max());
    if (config.scale == "exact") return ReferenceSteps{}.divide(1, largest, events);
    float scale = 0x1p-126F;
    while (scale < largest && scale < 0x1p127F) scale *= 2;
    return 1 / scale;
  }

  std::vector<float> run(const std::vector<float>& x, const NormParameters& p, EventLedger& ledger) const {
    const std::size_t d = x.size();
    const float r =
        p.dynamic_scale ? dynamic_reciprocal(x, ledger[Stage::kScaledInput]) : static_cast<float>(1 / p.input_scale);
    const float inverse_d = arithmetic.constant(1.0 / static_cast<double>(d));
    const double epsilon = config.epsilon == "rescaled" ? p.epsilon / (p.input_scale * p.input_scale) : p.epsilon;
    std::vector<float> u(d);
    for (std::size_t j = 0; j < d; ++j) u[j] = input.multiply(x[j], r, ledger[Stage::kScaledInput]);
    float mean = 0;
    EventCounts& statistics = ledger[Stage::kStatistics];
    float sum_of_squares = 0;
    const bool welford_statistics = p.layer_norm && config.statistics == "welford";
    if (welford_statistics) {
      const State state = welford(u, 0, static_cast<std::size_t>(config.lanes), ledger);
      mean = arithmetic.convert(state.mean, statistics);
      sum_of_squares = state.m2;
    } else if (p.layer_norm) {
      mean = arithmetic.multiply(total(u, ledger[Stage::kSum]), inverse_d, statistics);
    }
    std::vector<float> squares(welford_statistics ? 0 : d);
    for (std::size_t j = 0; j < squares.size(); ++j) {
      EventCounts& square = ledger[Stage::kSquare];
      const bool centred = p.layer_norm && config.statistics == "two_pass";
      const float value = centred ? input.add(u[j], -mean, square) : u[j];
      squares[j] = acc.multiply(value, value, square);
    }
    if (!welford_statistics) sum_of_squares = total(squares, ledger[Stage::kSumOfSquares]);
    float variance = arithmetic.multiply(sum_of_squares, inverse_d, statistics);
    if (p.layer_norm && config.statistics == "one_pass") {
      variance = arithmetic.add(variance, -arithmetic.multiply(mean, mean, statistics), statistics);
      if (variance < 0) variance = 0;
    }
    float e = arithmetic.constant(epsilon);
    if (p.dynamic_scale && config.epsilon == "rescaled") {
      e = arithmetic.multiply(arithmetic.multiply(e, r, statistics), r, statistics);
    }
    const float v = arithmetic.add(variance, e, statistics);
    const float inv_std = RsqrtUnit(config.rsqrt)(v, ledger[Stage::kRsqrt]);  // pinned by rsqrt_unit_test.cpp
    std::vector<float> y(d);
    for (std::size_t j = 0; j < d; ++j) {
      EventCounts& normalize = ledger[Stage::kNormalize];
      float value =
          arithmetic.multiply(p.layer_norm ? arithmetic.add(u[j], -mean, normalize) : u[j], inv_std, normalize);
      const float gamma = p.gamma.empty() ? 1.0F : arithmetic.constant(p.gamma[j]);
      if (!p.beta.empty()) {
        value = arithmetic.multiply_add(value, gamma, arithmetic.constant(p.beta[j]), normalize);
      } else if (!p.gamma.empty()) {
        value = arithmetic.multiply(value, gamma, normalize);
      }
      y[j] = storage.convert(value, ledger[Stage::kStorage]);
    }
    return y;
  }
  using Stage = numerics::Stage;
};

}  // namespace guardbit::tests
