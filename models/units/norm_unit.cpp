#include "models/units/norm_unit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "models/kernels/float_environment.h"
#include "models/kernels/int_quantize.h"

namespace guardbit::units {
namespace {

using numerics::Event;
using numerics::Stage;

/// A register's content, prepared offline: rounded once, without events.
float register_value(double value, const kernels::ScalarRounder& round) {
  numerics::EventSet ignored;
  return numerics::round_carrier(value, round.spec(), ignored);
}

std::vector<float> register_values(std::span<const float> values, const kernels::ScalarRounder& round) {
  std::vector<float> rounded(values.size());
  std::ranges::transform(values, rounded.begin(), [&](float value) { return register_value(value, round); });
  return rounded;
}

}  // namespace

/// Register contents of one run.
struct NormUnit::Constants {
  bool layer_norm = true;
  bool dynamic_scale = false;
  float reciprocal_scale = 1;      ///< fp32(1 / s) of a static scale
  float reciprocal_count = 0;      ///< 1 / d
  std::optional<Welford> welford;  ///< its tables of counts, where it is used
  float epsilon = 0;
  std::vector<float> gamma;
  std::vector<float> beta;
};

/// Working storage of one row.
struct NormUnit::Scratch {
  std::vector<float> x;             ///< (d) input
  std::vector<float> u;             ///< (d) scaled input
  std::vector<float> squares;       ///< (d)
  std::vector<float> tree;          ///< (lanes)
  std::vector<float> accumulators;  ///< (interleave)
};

NormUnit::NormUnit(const NormConfig& config, const numerics::FloatSpec& storage)
    : lanes_(static_cast<std::size_t>(config.lanes)),
      interleave_(static_cast<std::size_t>(config.accumulator.interleave)),
      two_pass_(config.statistics == "two_pass"),
      welford_(config.statistics == "welford"),
      rescale_epsilon_(config.epsilon == "rescaled"),
      pow2_scale_(config.scale == "pow2"),
      input_(conversion_spec(config.input)),
      accumulator_(float_spec(config.accumulator.format, config.accumulator.rounding, config.accumulator.overflow,
                              config.accumulator.subnormals)),
      arithmetic_(conversion_spec(config.arithmetic)),
      storage_(storage),
      divider_(conversion_spec("fp32")),
      rsqrt_(config.rsqrt) {}

NormUnit::Constants NormUnit::constants_of(const NormParameters& parameters, std::size_t num_elements) const {
  const double s = parameters.input_scale;
  Constants constants;
  constants.layer_norm = parameters.layer_norm;
  constants.dynamic_scale = parameters.dynamic_scale;
  if (parameters.layer_norm && welford_) constants.welford.emplace(lanes_, interleave_, accumulator_, num_elements);
  constants.reciprocal_scale = static_cast<float>(1 / s);
  constants.reciprocal_count = register_value(1 / static_cast<double>(num_elements), arithmetic_);
  constants.epsilon = register_value(rescale_epsilon_ ? parameters.epsilon / (s * s) : parameters.epsilon, arithmetic_);
  constants.gamma = register_values(parameters.gamma, arithmetic_);
  constants.beta = register_values(parameters.beta, arithmetic_);
  return constants;
}

float NormUnit::total(std::span<const float> values, Scratch& scratch, EventCounts& events) const {
  std::vector<float>& tree = scratch.tree;
  std::vector<float>& accumulators = scratch.accumulators;
  accumulators.assign(interleave_, 0.0F);
  std::size_t step = 0;
  for (std::size_t first = 0; first < values.size(); first += lanes_, ++step) {
    const std::size_t count = std::min(lanes_, values.size() - first);
    tree.assign(lanes_, 0.0F);
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(first), count, tree.begin());
    for (std::size_t width = lanes_ / 2; width > 0; width /= 2) {
      for (std::size_t node = 0; node < width; ++node) {
        tree[node] = accumulator_.add(tree[2 * node], tree[2 * node + 1], events);
      }
    }
    float& sum = accumulators[step % interleave_];
    sum = accumulator_.accumulate(sum, tree[0], events);
  }
  for (std::size_t k = 1; k < interleave_; ++k) {
    accumulators[0] = accumulator_.accumulate(accumulators[0], accumulators[k], events);
  }
  return accumulators[0];
}

/// r of a row whose scale is its largest magnitude.
float NormUnit::dynamic_reciprocal(std::span<const float> x, EventCounts& events) const {
  constexpr float kSmallest = 0x1p-126F;  // its reciprocal is finite
  const float measured = kernels::max_abs(x);
  const float largest = measured == 0 ? 1 : std::clamp(measured, kSmallest, std::numeric_limits<float>::max());
  if (!pow2_scale_) return divider_.divide(1, largest, events);
  int exponent = 0;
  const float fraction = std::frexp(largest, &exponent);  // in [0.5, 1)
  return std::ldexp(1.0F, -std::min(fraction == 0.5F ? exponent - 1 : exponent, 127));
}

float NormUnit::row_epsilon(const Constants& constants, float reciprocal_scale, EventCounts& events) const {
  if (!constants.dynamic_scale || !rescale_epsilon_) return constants.epsilon;
  return arithmetic_.multiply(arithmetic_.multiply(constants.epsilon, reciprocal_scale, events), reciprocal_scale,
                              events);
}

/// Mean and sum of squares.
void NormUnit::sums(const Constants& constants, Scratch& scratch, NormTrace& trace, EventLedger& ledger) const {
  EventCounts& statistics_events = ledger[Stage::kStatistics];
  if (constants.welford) {
    const WelfordResult result = (*constants.welford)(scratch.u, ledger);
    trace.mean = arithmetic_({result.mean}, statistics_events);
    trace.sum_of_squares = result.squared_deviations;
    return;
  }
  EventCounts& square_events = ledger[Stage::kSquare];
  if (constants.layer_norm) {
    const float sum = total(scratch.u, scratch, ledger[Stage::kSum]);
    trace.mean = arithmetic_.multiply(sum, constants.reciprocal_count, statistics_events);
  }
  const bool centre = constants.layer_norm && two_pass_;
  for (std::size_t j = 0; j < scratch.u.size(); ++j) {
    const float value = centre ? input_.add(scratch.u[j], -trace.mean, square_events) : scratch.u[j];
    scratch.squares[j] = accumulator_.multiply(value, value, square_events);
  }
  trace.sum_of_squares = total(scratch.squares, scratch, ledger[Stage::kSumOfSquares]);
}

void NormUnit::statistics(const Constants& constants, Scratch& scratch, NormTrace& trace, EventLedger& ledger) const {
  sums(constants, scratch, trace, ledger);
  EventCounts& events = ledger[Stage::kStatistics];
  trace.variance = arithmetic_.multiply(trace.sum_of_squares, constants.reciprocal_count, events);
  if (constants.layer_norm && !two_pass_ && !welford_) {
    const float mean_squared = arithmetic_.multiply(trace.mean, trace.mean, events);
    trace.variance = arithmetic_.add(trace.variance, -mean_squared, events);
    if (trace.variance < 0) trace.variance = 0;  // cancellation; a NaN stays
  }
  const float v = arithmetic_.add(trace.variance, row_epsilon(constants, trace.reciprocal_scale, events), events);
  trace.inv_std = rsqrt_(v, ledger[Stage::kRsqrt]);
}

void NormUnit::normalize(const Constants& constants, const NormTrace& trace, std::span<const float> u,
                         MatrixView<float> y, std::size_t row, EventLedger& ledger) const {
  EventCounts& events = ledger[Stage::kNormalize];
  const bool has_gamma = !constants.gamma.empty();
  const bool has_beta = !constants.beta.empty();
  for (std::size_t j = 0; j < u.size(); ++j) {
    const float centred = constants.layer_norm ? arithmetic_.add(u[j], -trace.mean, events) : u[j];
    float value = arithmetic_.multiply(centred, trace.inv_std, events);
    if (has_beta) {
      value = arithmetic_.multiply_add(value, has_gamma ? constants.gamma[j] : 1.0F, constants.beta[j], events);
    } else if (has_gamma) {
      value = arithmetic_.multiply(value, constants.gamma[j], events);
    }
    y(row, j) = storage_({value}, ledger[Stage::kStorage]);
  }
}

void NormUnit::run(MatrixView<const float> x, const NormParameters& parameters, MatrixView<float> y,
                   EventLedger& ledger, std::vector<NormTrace>* traces, const ParallelFor& parallel_for) const {
  const kernels::FloatEnvironment environment;
  GUARDBIT_CHECK(y.rows == x.rows && y.cols == x.cols, "y has x's shape");
  GUARDBIT_CHECK(parameters.gamma.empty() || parameters.gamma.size() == x.cols, "gamma has one value per element");
  GUARDBIT_CHECK(parameters.beta.empty() || parameters.beta.size() == x.cols, "beta has one value per element");
  GUARDBIT_CHECK(parameters.input_scale > 0, "a norm's static scale is positive");
  GUARDBIT_CHECK(!parameters.dynamic_scale || parameters.input_scale == 1, "a norm's scale is static or dynamic");
  const Constants constants = constants_of(parameters, x.cols);
  if (traces != nullptr) traces->assign(x.rows, {});
  for_row_blocks(x.rows, x.cols, parallel_for, ledger, [&](std::size_t begin, std::size_t end, EventLedger& events) {
    Scratch scratch;
    scratch.x.resize(x.cols);
    scratch.u.resize(x.cols);
    scratch.squares.resize(x.cols);
    for (std::size_t row = begin; row < end; ++row) {
      EventLedger row_events;
      EventCounts& input_events = row_events[Stage::kScaledInput];
      for (std::size_t j = 0; j < x.cols; ++j) scratch.x[j] = x(row, j);
      NormTrace trace;
      trace.reciprocal_scale =
          constants.dynamic_scale ? dynamic_reciprocal(scratch.x, input_events) : constants.reciprocal_scale;
      for (std::size_t j = 0; j < x.cols; ++j) {
        scratch.u[j] = input_.multiply(scratch.x[j], trace.reciprocal_scale, input_events);
      }
      statistics(constants, scratch, trace, row_events);
      trace.events = row_events.total();
      events += row_events;
      normalize(constants, trace, scratch.u, y, row, events);
      if (traces != nullptr) (*traces)[row] = trace;
    }
  });
}

}  // namespace guardbit::units
