/// quantize_row() against integer arithmetic that shares nothing with it: the quotient is compared with midpoints by
/// cross-multiplication.
#include "models/kernels/int_quantize.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "models/numerics/codec.h"
#include "tests/support/vector_targets.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;
using numerics::EventSet;
using numerics::NumberClass;

constexpr std::uint64_t kSeed = 20260102;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// round(2x / scale) compared with an integer: sign of 2|x| - odd * scale, exact (exponents within 100 of each other).
int compare_twice(const numerics::Unrounded& x, std::uint32_t multiple, const numerics::Unrounded& scale) {
  const int shift = x.exponent + 1 - scale.exponent;
  numerics::Uint128 left = x.significand;
  numerics::Uint128 right = scale.significand * multiple;
  if (shift > 90) return 1;
  if (shift < -90) return -1;
  (shift >= 0 ? left : right) <<= shift >= 0 ? shift : -shift;
  return left == right ? 0 : (left < right ? -1 : 1);
}

std::int8_t quantize_exactly(float value, float divisor, int bits, EventCounts& events) {
  const numerics::Unrounded x = numerics::decode(value);
  const numerics::Unrounded scale = numerics::decode(divisor);
  if (x.number_class == NumberClass::kNan) {
    events.add({Event::kInvalid});
    return 0;
  }
  if (x.number_class == NumberClass::kZero) return 0;
  const std::uint32_t limit = (1u << (bits - 1)) - (x.negative ? 0 : 1);
  std::uint32_t magnitude = 0;  // the largest with (2 * magnitude - 1) * scale below 2|x|, or equal and magnitude even
  if (x.number_class == NumberClass::kInfinity) {
    magnitude = limit + 1;
  } else {
    while (magnitude <= limit) {
      const int side = compare_twice(x, 2 * magnitude + 1, scale);
      if (side < 0 || (side == 0 && magnitude % 2 == 0)) break;
      ++magnitude;
    }
  }
  EventSet raised;
  if (magnitude > limit) raised.add(Event::kClipped);
  magnitude = std::min(magnitude, limit);
  if (magnitude == 0) raised.add(Event::kZeroed);
  if (x.number_class == NumberClass::kInfinity || compare_twice(x, 2 * magnitude, scale) != 0) {
    raised.add(Event::kInexact);
  }
  events.add(raised);
  const int code = static_cast<int>(magnitude);
  return static_cast<std::int8_t>(x.negative ? -code : code);
}

std::vector<float> inputs(std::size_t n, float scale, std::mt19937_64& random) {
  std::vector<float> x(n);
  for (std::size_t i = 0; i < n; ++i) {
    const auto word = static_cast<std::uint32_t>(random());
    // Midpoints and their neighbours, where a second rounding would show.
    float value = scale * (static_cast<float>(word % 600) / 2.0F);
    if (word % 3 == 1) value = std::nextafter(value, kInfinity);
    if (word % 3 == 2) value = std::nextafter(value, 0.0F);
    if (word % 16 == 5) value = std::bit_cast<float>(word);
    if (word % 64 == 9) value = word % 128 == 9 ? kInfinity : kNan;
    if (word % 64 == 11) value = 0.0F;
    x[i] = (word >> 31) != 0 ? -value : value;
  }
  return x;
}

TEST(IntQuantizeTest, EqualsExactDivisionOnEveryTarget) {
  test::on_every_vector_target([] {
    std::mt19937_64 random(kSeed);
    for (int round = 0; round < 300; ++round) {
      float scale = std::bit_cast<float>(static_cast<std::uint32_t>(1 + random() % 0x7F7FFFFE));
      if (round % 3 != 0)
        scale = std::ldexp(1.0F + static_cast<float>(random() % 0x800000) * 0x1p-23F, round % 20 - 15);
      const int bits = 2 + round % 7;
      const std::size_t n = random() % 70;
      const std::vector<float> x = inputs(n, scale, random);
      std::vector<std::int8_t> q(n);
      EventCounts events, expected_events;
      quantize_row(x, scale, bits, q, events);
      for (std::size_t i = 0; i < n; ++i) {
        ASSERT_EQ(static_cast<int>(quantize_exactly(x[i], scale, bits, expected_events)), static_cast<int>(q[i]))
            << "bits " << bits << " x 0x" << std::hex << std::bit_cast<std::uint32_t>(x[i]) << " scale 0x"
            << std::bit_cast<std::uint32_t>(scale) << std::dec << " index " << i << " seed " << kSeed;
      }
      ASSERT_EQ(expected_events, events) << "bits " << bits << " scale " << scale << " seed " << kSeed;
    }
  });
}

TEST(IntQuantizeTest, TiesGoToEvenAndTheRangeIsAsymmetric) {
  const std::vector<float> x = {0.5F,   1.5F, -0.5F, -1.5F,     7.5F,       -8.5F,
                                -8.75F, 7.0F, kNan,  kInfinity, -kInfinity, -0.0F};
  const std::vector<std::int8_t> expected = {0, 2, 0, -2, 7, -8, -8, 7, 0, 7, -8, 0};
  std::vector<std::int8_t> q(x.size());
  EventCounts events;
  quantize_row(x, 1.0F, 4, q, events);
  EXPECT_EQ(q, expected);
  EXPECT_EQ(events[Event::kClipped], 4u);  // 7.5 -> 8, -8.75 -> -9, both infinities
  EXPECT_EQ(events[Event::kZeroed], 2u);
  EXPECT_EQ(events[Event::kInexact], 9u);
  EXPECT_EQ(events[Event::kInvalid], 1u);
}

TEST(IntQuantizeTest, RefusesScalesThatAreNotPositive) {
  std::vector<float> x(1);
  std::vector<std::int8_t> q(1);
  EventCounts events;
  for (const float scale : {0.0F, -1.0F, kInfinity, kNan})
    EXPECT_THROW(quantize_row(x, scale, 4, q, events), InternalError);
}

TEST(IntQuantizeTest, MaximaIgnoreNansOnEveryTarget) {
  test::on_every_vector_target([] {
    std::mt19937_64 random(kSeed);
    for (int round = 0; round < 60; ++round) {
      const std::size_t rows = random() % 7;
      const std::size_t cols = random() % 50;
      numerics::Matrix<float> x(rows, cols);
      for (float& value : x.data()) value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
      for (float& value : x.data()) value = random() % 8 == 0 ? kNan : value;
      std::vector<float> column(cols), row(rows), expected_column(cols, 0.0F), expected_row(rows, 0.0F);
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t c = 0; c < cols; ++c) {
          if (std::isnan(x(r, c))) continue;
          expected_row[r] = std::max(expected_row[r], std::fabs(x(r, c)));
          expected_column[c] = std::max(expected_column[c], std::fabs(x(r, c)));
        }
        EXPECT_EQ(max_abs({x.row(r), cols}), expected_row[r]) << "seed " << kSeed;
      }
      column_max_abs(std::as_const(x).view(), column);
      EXPECT_EQ(column, expected_column) << "seed " << kSeed;
      column_max_abs(std::as_const(x).view().transposed(), row);
      EXPECT_EQ(row, expected_row) << "seed " << kSeed;
    }
  });
}

}  // namespace
}  // namespace guardbit::kernels
