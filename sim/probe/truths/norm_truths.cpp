/// What static scales do to a norm's statistics.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "models/kernels/scalar_rounder.h"
#include "models/units/norm_unit.h"
#include "sim/probe/truths/truth_rows.h"
#include "sim/probe/truths/truths.h"

namespace guardbit::sim {
namespace {

using numerics::Event;
using numerics::Matrix;
using numerics::Stage;

constexpr double kEpsilon = 0x1p-17;  // about 1e-5, and a power of two: its rescaling is exact

/// Everything but the accumulator is wide.
units::NormConfig config_with(const std::string& accumulator, const std::string& subnormals = "keep") {
  units::NormConfig config;
  config.input = config.arithmetic = config.rsqrt.format = "fp32";
  config.accumulator.format = accumulator;
  config.accumulator.subnormals = subnormals;
  return config;
}

struct NormRun {
  Matrix<float> y;
  numerics::EventLedger events;
  std::vector<units::NormTrace> traces;
};

NormRun run_norm(const units::NormConfig& config, const Matrix<float>& x, const units::NormParameters& parameters,
                 const char* storage = "fp32") {
  NormRun run{.y = Matrix<float>(x.rows(), x.cols()), .events = {}, .traces = {}};
  units::NormUnit(config, units::conversion_spec(storage))
      .run(x.view(), parameters, run.y.view(), run.events, &run.traces);
  return run;
}

/// rms of y minus the RMSNorm of x in binary64, over the rms of that (which is 1 but for epsilon).
double rms_error(const Matrix<float>& y, const Matrix<float>& x, double epsilon) {
  double squared_error = 0;
  for (std::size_t row = 0; row < x.rows(); ++row) {
    double sum = 0;
    for (std::size_t j = 0; j < x.cols(); ++j) sum += static_cast<double>(x(row, j)) * static_cast<double>(x(row, j));
    const double inv = 1 / std::sqrt(sum / static_cast<double>(x.cols()) + epsilon);
    for (std::size_t j = 0; j < x.cols(); ++j) {
      const double error = static_cast<double>(y(row, j)) - static_cast<double>(x(row, j)) * inv;
      squared_error += error * error;
    }
  }
  return std::sqrt(squared_error / static_cast<double>(x.data().size()));
}

/// 64 values of magnitude 1 to 2 with signs in turn: their squares stay within two binades, so that e4m3 has room.
Matrix<float> narrow_row() {
  constexpr std::size_t kWidth = 64;
  Matrix<float> x = normal_matrix(1, kWidth, 30);
  for (std::size_t j = 0; j < kWidth; ++j) {
    const float magnitude = 1 + std::min(std::fabs(x(0, j)) / 4, 0.875F);
    x(0, j) = j % 3 == 0 ? -magnitude : magnitude;
  }
  return x;
}

/// The powers s = 2^k around 1 for which the statistics of x / s neither overflow nor underflow, and for how many of
/// them the norm has the bits that it has for s = 1.
struct Invariance {
  int first = 0;
  int last = 0;
  int num_equal = 0;
};

Invariance invariance_of(const units::NormConfig& config, const Matrix<float>& x) {
  const auto run = [&](int exponent) {
    return run_norm(config, x, {.layer_norm = false, .epsilon = kEpsilon, .input_scale = std::ldexp(1.0, exponent)});
  };
  const auto stays_in_range = [&](int exponent) {
    const numerics::EventCounts events = run(exponent).events.total();
    return events[Event::kOverflow] == 0 && events[Event::kUnderflow] == 0;
  };
  constexpr int kMost = 100;
  Invariance range;
  while (range.first > -kMost && stays_in_range(range.first - 1)) --range.first;
  while (range.last < kMost && stays_in_range(range.last + 1)) ++range.last;
  const Matrix<float> expected = run(0).y;
  for (int exponent = range.first; exponent <= range.last; ++exponent) range.num_equal += run(exponent).y == expected;
  return range;
}

}  // namespace

std::vector<TruthRow> measure_scale_invariance() {
  struct Case {
    std::string format;
    int first;
    int last;
  };
  const Matrix<float> x = narrow_row();
  std::vector<TruthRow> rows;
  for (const Case& row : {Case{"fp32", -60, 63}, Case{"bf16", -60, 63}, Case{"fp16", -4, 7}, Case{"e6m9", -12, 15},
                          Case{"fp8_e5m2", -4, 7}, Case{"fp8_e4m3", -1, 3}}) {
    const Invariance range = invariance_of(config_with(row.format), x);
    rows.push_back(exactly(row.format + ": least k", range.first, row.first));
    rows.push_back(exactly(row.format + ": largest k", range.last, row.last));
    rows.push_back(exactly(row.format + ": scales with the same bits", range.num_equal, row.last - row.first + 1));
  }
  const auto error_beyond = [&](const char* subnormals) {
    const double scale = std::ldexp(1.0, 8);
    const NormRun run =
        run_norm(config_with("fp16", subnormals), x, {.layer_norm = false, .epsilon = kEpsilon, .input_scale = scale});
    return 100 * rms_error(run.y, x, kEpsilon);
  };
  rows.push_back(at_most("fp16, k = 8, subnormals kept: rms error, %", error_beyond("keep"), 0.5));
  rows.push_back(at_least("fp16, k = 8, flush to zero: rms error, %", error_beyond("flush"), 10));

  units::NormConfig raw = config_with("fp32");
  raw.epsilon = "raw";
  rows.push_back(exactly("fp32, epsilon not rescaled: scales with the same bits", invariance_of(raw, x).num_equal, 1));
  return rows;
}

std::vector<TruthRow> measure_norm_overflow() {
  const Matrix<float> x(1, 4096, 4.0F);
  units::NormConfig config = config_with("fp16");
  config.input = "fp16";
  const auto rows_of = [&](const std::string& what, double scale, double sum, double y, double overflows) {
    const NormRun run = run_norm(config, x, {.layer_norm = false, .epsilon = 0, .input_scale = scale}, "fp16");
    return std::vector<TruthRow>{
        exactly(what + ": sum of squares", static_cast<double>(run.traces[0].sum_of_squares), sum),
        exactly(what + ": overflows", static_cast<double>(run.events[Stage::kSumOfSquares][Event::kOverflow]),
                overflows),
        exactly(what + ": last output, fp16", static_cast<double>(run.y(0, 4095)), y)};
  };
  std::vector<TruthRow> rows = rows_of("no scale", 1, std::numeric_limits<double>::infinity(), 0, 1);
  const std::vector<TruthRow> scaled = rows_of("s = 4", 4, 4096, 1, 0);
  rows.insert(rows.end(), scaled.begin(), scaled.end());
  return rows;
}

std::vector<TruthRow> measure_wrong_scale() {
  constexpr std::size_t kWidth = 4096;
  const Matrix<float> x = normal_matrix(4, kWidth, 31);  // norm about 64
  const auto error_of = [&](const char* subnormals, double scale) {
    const units::NormParameters parameters{.layer_norm = false, .epsilon = kEpsilon, .input_scale = scale};
    return rms_error(run_norm(config_with("fp16", subnormals), x, parameters).y, x, parameters.epsilon);
  };
  const double none = error_of("flush", 1);
  const double large = error_of("flush", 256);
  return {shown("flush to zero, no scale: rms error", none),
          within("flush to zero, s = 8: rms error over no scale's", error_of("flush", 8) / none, 0.5, 2),
          within("flush to zero, s = 256: rms error", large, 0.8, 1.2),
          at_least("flush to zero, s = 256: over no scale's", large / none, 100),
          at_least("flush to zero, s = 4,096: rms error", error_of("flush", 4096), 100),
          within("subnormals kept, s = 256: rms error over no scale's", error_of("keep", 256) / error_of("keep", 1),
                 0.5, 4)};
}

std::vector<TruthRow> measure_target_norm() {
  const auto lost_percent = [](std::size_t width, double target, const char* subnormals) {
    constexpr std::size_t kRows = 16;
    const Matrix<float> x = normal_matrix(kRows, width, 32);
    const kernels::ScalarRounder square(units::float_spec("fp16", "rne", "infinity", subnormals));
    numerics::EventCounts ignored;
    double kept = 0;
    double all = 0;
    for (std::size_t row = 0; row < kRows; ++row) {
      double sum = 0;
      for (std::size_t j = 0; j < width; ++j) sum += static_cast<double>(x(row, j)) * static_cast<double>(x(row, j));
      const double factor = target / std::sqrt(sum);
      for (std::size_t j = 0; j < width; ++j) {
        const auto u = static_cast<float>(static_cast<double>(x(row, j)) * factor);
        kept += static_cast<double>(square.multiply(u, u, ignored));
        all += static_cast<double>(u) * static_cast<double>(u);
      }
    }
    return 100 * (1 - kept / all);
  };
  return {within("d = 4,096, norm 1: % lost", lost_percent(4096, 1, "flush"), 2.9, 3.3),
          within("d = 16,384, norm 1: % lost", lost_percent(16384, 1, "flush"), 19, 21),
          within("d = 4,096, norm 8: % lost", lost_percent(4096, 8, "flush"), 0, 0.05),
          within("d = 16,384, norm 8: % lost", lost_percent(16384, 8, "flush"), 0, 0.06),
          within("d = 16,384, norm 1, subnormals kept: % lost", lost_percent(16384, 1, "keep"), -0.05, 0.05)};
}

std::vector<TruthRow> measure_cancellation() {
  constexpr std::size_t kWidth = 4096;
  constexpr float kMean = 4096;
  Matrix<float> x = normal_matrix(1, kWidth, 33);
  double mean = 0;
  for (float& value : x.data()) {
    value += kMean;
    mean += static_cast<double>(value) / kWidth;
  }
  double variance = 0;
  for (const float value : x.data()) {
    const double deviation = static_cast<double>(value) - mean;
    variance += deviation * deviation / kWidth;
  }
  const auto relative_error = [&](const char* statistics) {
    units::NormConfig config = config_with("fp32");
    config.statistics = statistics;
    const NormRun run = run_norm(config, x, {});
    return std::fabs(static_cast<double>(run.traces[0].variance) / variance - 1);
  };
  return {at_least("one_pass: relative error of the variance", relative_error("one_pass"), 0.05),
          at_most("two_pass: relative error of the variance", relative_error("two_pass"), 1e-3),
          at_most("welford: relative error of the variance", relative_error("welford"), 1e-2)};
}

}  // namespace guardbit::sim
