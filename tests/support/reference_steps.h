#pragma once
/// Single rounded operations on carriers by the exact reference (models/arith/float_ops.h), with event counts: what the
/// units are compared with. Shares no code with models/kernels.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <vector>

#include "models/arith/float_ops.h"
#include "models/numerics/events.h"
#include "models/numerics/matrix.h"

namespace guardbit::tests {

/// Operations that round into one destination.
struct ReferenceSteps {
  numerics::FloatSpec spec;

  float add(float a, float b, numerics::EventCounts& events) const {
    return deliver(arith::add(code(a), code(b), numerics::kFp32, spec), events);
  }
  float multiply(float a, float b, numerics::EventCounts& events) const {
    return deliver(arith::multiply(code(a), code(b), numerics::kFp32, spec), events);
  }
  float multiply_add(float a, float b, float c, numerics::EventCounts& events) const {
    return deliver(arith::multiply_add(code(a), code(b), numerics::kFp32, code(c), numerics::kFp32, spec), events);
  }
  float convert(float x, numerics::EventCounts& events) const {
    return deliver(arith::convert(code(x), numerics::kFp32, spec), events);
  }
  /// Sum with event swamped: both non-zero and finite, and the accumulator unchanged.
  float accumulate(float acc, float addend, numerics::EventCounts& events) const {
    const float sum = add(acc, addend, events);
    const bool eligible = std::isfinite(acc) && std::isfinite(addend) && acc != 0 && addend != 0;
    if (eligible && code(sum) == code(acc)) ++events[numerics::Event::kSwamped];
    return sum;
  }
  /// A binary64 value, rounded once, without events.
  float constant(double value) const {
    return numerics::to_carrier(numerics::round_to_format(numerics::decode(value), spec).code, spec.format);
  }
  /// a / b for finite non-zero operands: an 80-bit quotient of integers with a sticky bit.
  float divide(float a, float b, numerics::EventCounts& events) const {
    const numerics::Unrounded x = numerics::decode(a);
    const numerics::Unrounded y = numerics::decode(b);
    if (x.number_class != numerics::NumberClass::kFinite || y.number_class != numerics::NumberClass::kFinite) {
      return convert(a / b, events);
    }
    constexpr int kShift = 80;
    const numerics::Uint128 numerator = x.significand << kShift;
    const numerics::Unrounded quotient{.number_class = numerics::NumberClass::kFinite,
                                       .negative = x.negative != y.negative,
                                       .significand = numerator / y.significand,
                                       .exponent = x.exponent - y.exponent - kShift,
                                       .sticky = numerator % y.significand != 0};
    return deliver(numerics::round_to_format(quotient, spec), events);
  }

 private:
  static std::uint32_t code(float x) { return std::bit_cast<std::uint32_t>(x); }
  float deliver(const numerics::Rounded& rounded, numerics::EventCounts& events) const {
    events.add(rounded.events);
    return numerics::to_carrier(rounded.code, spec.format);
  }
};

/// Bits of carriers, for comparisons that see -0 and NaN.
inline std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
  std::vector<std::uint32_t> bits(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) bits[i] = std::bit_cast<std::uint32_t>(values[i]);
  return bits;
}

/// "index i: 0x3f800000 (0x1p+0) != ..." for the first difference, or "".
inline std::string first_difference(const std::vector<float>& actual, const std::vector<float>& expected) {
  if (actual.size() != expected.size()) return "sizes differ";
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const auto a = std::bit_cast<std::uint32_t>(actual[i]);
    const auto e = std::bit_cast<std::uint32_t>(expected[i]);
    if (a == e) continue;
    char text[160];
    std::snprintf(text, sizeof text, "index %zu: got 0x%08x (%a), expected 0x%08x (%a)", i, a,
                  static_cast<double>(actual[i]), e, static_cast<double>(expected[i]));
    return text;
  }
  return "";
}

/// Differences of two ledgers, one line each: "stage event: got a, expected b".
inline std::string ledger_difference(const numerics::EventLedger& actual, const numerics::EventLedger& expected) {
  std::string text;
  for (std::size_t stage = 0; stage < numerics::kNumStages; ++stage) {
    for (std::size_t event = 0; event < numerics::kNumEvents; ++event) {
      const auto a = actual.stages[stage].counts[event];
      const auto e = expected.stages[stage].counts[event];
      if (a == e) continue;
      text += std::string(numerics::kStageNames[stage]) + " " + std::string(numerics::kEventNames[event]) + ": got " +
              std::to_string(a) + ", expected " + std::to_string(e) + "\n";
    }
  }
  return text;
}

/// Carriers of a format: normal deviates times `scale`, rounded to nearest, saturating.
inline numerics::Matrix<float> random_carriers(std::size_t rows, std::size_t cols, const numerics::FloatFormat& format,
                                               double scale, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::normal_distribution<double> normal;
  numerics::Matrix<float> x(rows, cols);
  const ReferenceSteps round{{.format = format, .overflow = numerics::OverflowPolicy::kSaturate}};
  for (float& value : x.data()) value = round.constant(normal(generator) * scale);
  return x;
}

/// A ParallelFor that runs the last index first.
inline void run_backwards(std::size_t count, const std::function<void(std::size_t)>& body) {
  for (std::size_t i = count; i-- > 0;) body(i);
}

}  // namespace guardbit::tests
