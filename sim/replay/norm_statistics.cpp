#include "sim/replay/norm_statistics.h"

#include <cmath>
#include <limits>
#include <utility>

#include "sim/replay/spread.h"

namespace guardbit::sim {
namespace {

/// ||row|| in binary64, rounded once; NaN if an element is not finite.
float length_of(numerics::MatrixView<const float> rows, std::size_t row) {
  double sum = 0;
  for (std::size_t j = 0; j < rows.cols; ++j) sum += static_cast<double>(rows(row, j)) * rows(row, j);
  return std::isfinite(sum) ? static_cast<float>(std::sqrt(sum)) : std::numeric_limits<float>::quiet_NaN();
}

AccumulatorRange range_of(const units::NormAccumulatorConfig& accumulator) {
  const numerics::FloatSpec spec =
      units::float_spec(accumulator.format, accumulator.rounding, accumulator.overflow, accumulator.subnormals);
  const numerics::FloatFormat& format = spec.format;
  return {.format = accumulator.format,
          .largest = format.max_exponent(),
          .least_normal = format.emin(),
          .least = spec.flush_output ? format.emin() : format.quantum_exponent()};
}

void add_finite(float value, std::vector<float>& values) {
  if (std::isfinite(value)) values.push_back(value);
}

Spread scaled(Spread spread, double factor) {
  spread.min *= factor;
  spread.median *= factor;
  spread.max *= factor;
  return spread;
}

}  // namespace

void add_lengths(numerics::MatrixView<const float> rows, std::vector<float>& lengths) {
  for (std::size_t row = 0; row < rows.rows; ++row) add_finite(length_of(rows, row), lengths);
}

void add_token_events(std::span<const units::NormTrace> traces, std::size_t rows_per_token, TokenPlace first,
                      std::array<TokenEvents, kNormEvents.size()>& events) {
  for (std::size_t token = 0; token < traces.size() / rows_per_token; ++token) {
    numerics::EventCounts of_token;
    for (std::size_t row = 0; row < rows_per_token; ++row) {
      of_token += traces[token * rows_per_token + row].events;
    }
    for (std::size_t kind = 0; kind < kNormEvents.size(); ++kind) {
      const std::uint64_t count = of_token[kNormEvents[kind]];
      TokenEvents& sum = events[kind];
      sum.tokens += count > 0 ? 1 : 0;
      sum.events += count;
      if (count <= sum.worst_events) continue;
      sum.worst = {first.window, first.position + token};
      sum.worst_events = count;
    }
  }
}

NormStatistics::NormStatistics(const transformer::Op& op, const units::NormConfig& config)
    : op_(op), centres_(op.norm == transformer::NormKind::kLayerNorm && config.statistics != "one_pass") {
  report_.accumulator = range_of(config.accumulator);
  if (op.predicted_norm > 0) report_.predicted_norm = op.predicted_norm;
}

void NormStatistics::add_squares(numerics::MatrixView<const float> rows, std::size_t row,
                                 const units::NormTrace& trace) {
  const double mean = centres_ ? trace.mean : 0;
  double sum = 0;
  for (std::size_t j = 0; j < rows.cols; ++j) {
    const double value = static_cast<double>(rows(row, j)) * trace.reciprocal_scale - mean;
    squares_.add(value * value);
    sum += value * value;
  }
  sums_.add(sum);
}

void NormStatistics::add_simulated(numerics::MatrixView<const float> rows, TokenPlace first, std::size_t rows_per_token,
                                   std::span<const units::NormTrace> traces) {
  report_.rows_per_token = rows_per_token;
  report_.tokens += rows.rows / rows_per_token;
  for (std::size_t row = 0; row < rows.rows; ++row) {
    const float length = length_of(rows, row);
    add_finite(length, simulated_norms_);
    add_finite(length * traces[row].reciprocal_scale, scaled_norms_);
    add_squares(rows, row, traces[row]);
  }
  add_token_events(traces, rows_per_token, first, report_.events);
}

void NormStatistics::add_reference(numerics::MatrixView<const float> rows) { add_lengths(rows, reference_norms_); }

NormReport NormStatistics::finish() {
  report_.reference_norm = spread_of(std::move(reference_norms_));
  report_.simulated_norm = spread_of(std::move(simulated_norms_));
  report_.scaled_simulated_norm = spread_of(std::move(scaled_norms_));
  if (!op_.dynamic_input_scale) {
    report_.scaled_reference_norm = scaled(report_.reference_norm, 1 / op_.input_scale);
  }
  report_.squares = squares_.histogram();
  report_.sums = sums_.histogram();
  return std::move(report_);
}

}  // namespace guardbit::sim
