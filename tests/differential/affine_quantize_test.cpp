/// quantize_affine_row() against rational arithmetic, and against quantize_row() where both apply.
#include "models/kernels/affine_quantize.h"

#include <gtest/gtest.h>

#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "models/kernels/int_quantize.h"

namespace guardbit::kernels {
namespace {

using boost::multiprecision::cpp_int;
using boost::multiprecision::cpp_rational;
using numerics::Event;
using numerics::EventCounts;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

cpp_int floor_of(const cpp_rational& value) {
  const cpp_int quotient = numerator(value) / denominator(value);
  return quotient * denominator(value) > numerator(value) ? cpp_int(quotient - 1) : quotient;
}

cpp_int round_half_even(const cpp_rational& value) {
  const cpp_int below = floor_of(value);
  const cpp_rational twice_tail = (value - cpp_rational(below)) * 2;
  if (twice_tail > 1 || (twice_tail == 1 && below % 2 != 0)) return below + 1;
  return below;
}

std::int64_t expected_code(float x, const AffineCode& code, EventCounts& events) {
  if (std::isnan(x)) {
    ++events[Event::kInvalid];
    return code.zero_point;
  }
  cpp_int unclamped = x > 0 ? cpp_int(1) << 400 : -(cpp_int(1) << 400);
  if (std::isfinite(x)) unclamped = round_half_even(cpp_rational(x) / cpp_rational(code.scale)) + code.zero_point;
  const cpp_int clamped = unclamped < code.min   ? cpp_int(code.min)
                          : unclamped > code.max ? cpp_int(code.max)
                                                 : unclamped;
  if (clamped != unclamped) ++events[Event::kClipped];
  if (x != 0 && clamped == code.zero_point) ++events[Event::kZeroed];
  const bool exact =
      std::isfinite(x) && cpp_rational(clamped - code.zero_point) * cpp_rational(code.scale) == cpp_rational(x);
  if (!exact) ++events[Event::kInexact];
  return static_cast<std::int64_t>(clamped);
}

/// Values of every size, near midpoints of the scale, exact multiples, specials.
std::vector<float> values_for(float scale, std::mt19937_64& random) {
  std::vector<float> values = {0.0F,     -0.0F,     0x1p-149F,  -0x1p-149F,   3.4e38F,
                               -3.4e38F, kInfinity, -kInfinity, std::nanf("")};
  for (int i = 0; i < 300; ++i) {
    const auto significand = static_cast<float>(random() % (1 << 24));
    values.push_back(std::ldexp(significand, static_cast<int>(random() % 250) - 149) *
                     (random() % 2 != 0 ? 1.0F : -1.0F));
    const double multiple = static_cast<double>(random() % (std::uint64_t{1} << (1 + random() % 33))) / 2;
    const auto near = static_cast<float>(multiple * static_cast<double>(scale));
    values.insert(values.end(), {near, -near, std::nextafter(near, kInfinity), std::nextafter(near, 0.0F)});
  }
  return values;
}

TEST(AffineQuantizeTest, CodesAndEventsAreThoseOfRationals) {
  std::mt19937_64 random(20260105);
  for (int trial = 0; trial < 60; ++trial) {
    const float scale = trial % 3 == 0 ? std::ldexp(1.0F, static_cast<int>(random() % 200) - 100)
                                       : std::ldexp(static_cast<float>(1 + random() % (1 << 24)),
                                                    static_cast<int>(random() % 120) - 100);
    const int bits = 2 + static_cast<int>(random() % 31);
    const bool is_signed = trial % 2 == 0;
    AffineCode code{.scale = scale, .zero_point = 0, .min = 0, .max = (std::int64_t{1} << bits) - 1};
    if (is_signed) {
      code.min = -(std::int64_t{1} << (bits - 1));
      code.max = -code.min - 1;
    } else {
      code.zero_point = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(code.max + 1));
    }
    const std::vector<float> values = values_for(scale, random);
    std::vector<std::int64_t> codes(values.size());
    EventCounts events, expected_events;
    quantize_affine_row(values, code, codes, events);
    for (std::size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(codes[i], expected_code(values[i], code, expected_events))
          << values[i] << " / " << scale << " + " << code.zero_point << ", " << bits << " bits";
    }
    EXPECT_EQ(events, expected_events) << scale << ", " << bits << " bits";
  }
}

TEST(AffineQuantizeTest, NarrowSignedCodesAreQuantizeRows) {
  std::mt19937_64 random(7);
  for (int bits = 2; bits <= 8; ++bits) {
    const float scale = std::ldexp(static_cast<float>(1 + random() % (1 << 24)), -30);
    const std::vector<float> values = values_for(scale, random);
    const std::int64_t max = (std::int64_t{1} << (bits - 1)) - 1;
    std::vector<std::int64_t> codes(values.size());
    std::vector<std::int8_t> expected(values.size());
    EventCounts events, expected_events;
    quantize_affine_row(values, {.scale = scale, .zero_point = 0, .min = -max - 1, .max = max}, codes, events);
    quantize_row(values, scale, bits, expected, expected_events);
    EXPECT_EQ(codes, std::vector<std::int64_t>(expected.begin(), expected.end())) << bits;
    EXPECT_EQ(events, expected_events) << bits;
  }
}

TEST(AffineQuantizeTest, ZeroPointIsRoundedOnceAndClamped) {
  EXPECT_EQ(zero_point_of(2.5F, 1, 255), 2);
  EXPECT_EQ(zero_point_of(3.5F, 1, 255), 4);
  EXPECT_EQ(zero_point_of(1000, 1, 255), 255);
  EXPECT_EQ(zero_point_of(0, 0.25F, 255), 0);
  EXPECT_EQ(zero_point_of(3, 2.0F, 3), 2) << "1.5 to even";
}

}  // namespace
}  // namespace guardbit::kernels
