/// The reciprocal square root against a composition of reference operations, and its accuracy against long double.
#include "models/units/rsqrt_unit.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tests/support/reference_steps.h"

namespace guardbit::units {
namespace {

using numerics::Event;
using numerics::EventCounts;
using tests::ReferenceSteps;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

RsqrtConfig rsqrt_config(int table_bits, int newton_steps, const char* format) {
  RsqrtConfig config;
  config.table_bits = table_bits;
  config.newton_steps = newton_steps;
  config.format = format;
  return config;
}

/// rsqrt_unit.h, step by step, for finite v > 0.
float expected_rsqrt(float v, const RsqrtConfig& config, EventCounts& events) {
  const ReferenceSteps round{conversion_spec(config.format)};
  int h = 0;
  double f = v;
  while (f >= 4) f /= 4, ++h;
  while (f < 1) f *= 4, --h;
  const double interval = (f < 2 ? 1.0 : 2.0) / std::ldexp(1.0, static_cast<int>(config.table_bits) - 1);
  const double base = f < 2 ? 1 : 2;
  const double midpoint = base + (std::floor((f - base) / interval) + 0.5) * interval;
  float y = round.constant(1 / std::sqrt(midpoint));
  const float g = round.convert(static_cast<float>(f / 2), events);
  for (int step = 0; step < config.newton_steps; ++step) {
    const float a = round.multiply(y, y, events);
    const float b = round.multiply(g, a, events);
    const float c = round.add(1.5F, -b, events);
    y = round.multiply(y, c, events);
  }
  const numerics::Unrounded scaled = [&] {
    numerics::Unrounded value = numerics::decode(y);
    value.exponent -= h;
    return value;
  }();
  const numerics::Rounded rounded = numerics::round_to_format(scaled, round.spec);
  events.add(rounded.events);
  return numerics::to_carrier(rounded.code, round.spec.format);
}

TEST(RsqrtUnitTest, EqualsTheCompositionOfReferenceStepsOnEveryFp16) {
  for (const char* format : {"fp32", "fp16", "bf16", "fp8_e4m3"}) {
    const RsqrtConfig config = rsqrt_config(6, 2, format);
    const RsqrtUnit unit(config);
    EventCounts actual_events;
    EventCounts expected_events;
    for (std::uint32_t code = 1; code < numerics::kFp16.infinity_code(); ++code) {
      const float v = numerics::to_carrier(code, numerics::kFp16);
      const float actual = unit(v, actual_events);
      const float expected = expected_rsqrt(v, config, expected_events);
      ASSERT_EQ(std::bit_cast<std::uint32_t>(actual), std::bit_cast<std::uint32_t>(expected))
          << format << std::hexfloat << " v = " << v << ": got " << actual << ", expected " << expected;
    }
    EXPECT_EQ(actual_events, expected_events) << format;
  }
}

TEST(RsqrtUnitTest, EqualsTheCompositionOfReferenceStepsOverTheRangeOfFp32) {
  for (const auto& [bits, steps] : {std::pair{2, 0}, {5, 1}, {9, 3}, {12, 4}}) {
    const RsqrtConfig config = rsqrt_config(bits, steps, "fp32");
    const RsqrtUnit unit(config);
    EventCounts actual_events;
    EventCounts expected_events;
    for (std::uint32_t code = 1; code < 0x7F800000; code += 1234577) {  // subnormals included
      const auto v = std::bit_cast<float>(code);
      ASSERT_EQ(unit(v, actual_events), expected_rsqrt(v, config, expected_events)) << std::hexfloat << v;
    }
    EXPECT_EQ(actual_events, expected_events);
  }
}

TEST(RsqrtUnitTest, ErrorsAreTheOnesOfTableAndNewtonSteps) {
  constexpr double kTable = 0x1p-7 * 1.02;  // half an interval, relative, times 1/2; curvature below 2 %
  const double after_one = 1.5 * kTable * kTable * 1.02;
  const double bounds[] = {kTable, after_one, 1.5 * after_one * after_one + 4 * 0x1p-24};
  for (int steps = 0; steps <= 2; ++steps) {
    const RsqrtUnit unit(rsqrt_config(6, steps, "fp32"));
    double worst = 0;
    EventCounts events;
    for (float v = 1; v < 4; v += 0x1p-15F) {
      worst = std::max(worst, std::fabs(unit(v, events) * std::sqrt(static_cast<double>(v)) - 1));
    }
    EXPECT_LE(worst, bounds[steps]) << steps << " Newton steps";
    if (steps < 2) {
      EXPECT_GE(worst, bounds[steps] * 0.9) << steps << " Newton steps";
    }
  }
}

TEST(RsqrtUnitTest, Specials) {
  const RsqrtUnit unit(rsqrt_config(6, 2, "fp16"));
  EventCounts events;
  EXPECT_EQ(unit(0.0F, events), kInfinity);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(unit(kInfinity, events)), 0u);
  EXPECT_TRUE(std::isnan(unit(std::numeric_limits<float>::quiet_NaN(), events)));
  EXPECT_FALSE(events.any());
  EXPECT_TRUE(std::isnan(unit(-1.0F, events)));
  EXPECT_EQ(events[Event::kInvalid], 1u);
  EXPECT_EQ(RsqrtUnit(rsqrt_config(6, 2, "fp8_e4m3"))(0.0F, events), 448.0F);
}

TEST(RsqrtUnitTest, AResultBeyondTheFormatOverflowsThere) {
  const RsqrtUnit unit(rsqrt_config(6, 2, "fp16"));
  EventCounts events;
  EXPECT_EQ(unit(0x1p-40F, events), kInfinity);  // 2^20
  EXPECT_EQ(events[Event::kOverflow], 1u);
}

}  // namespace
}  // namespace guardbit::units
