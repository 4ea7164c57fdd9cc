/// hadamard_rows() against plain loops over the reference operations: bits and events.
#include "models/kernels/hadamard.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "models/arith/float_ops.h"
#include "tests/support/vector_targets.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;
using numerics::EventCounts;
using numerics::FloatFormat;
using numerics::FloatSpec;
using numerics::Matrix;
using numerics::MatrixView;

constexpr std::uint64_t kSeed = 20260103;

/// Two threads, each taking every other index.
void on_two_threads(std::size_t count, const std::function<void(std::size_t)>& body) {
  const auto half = [&](std::size_t first) {
    for (std::size_t i = first; i < count; i += 2) body(i);
  };
  std::thread other(half, 1);
  half(0);
  other.join();
}

/// The definition in hadamard.h, on codes.
void transform_reference(MatrixView<float> x, const FloatSpec& spec, float scale, EventCounts& events) {
  const FloatFormat& format = spec.format;
  for (std::size_t row = 0; row < x.rows; ++row) {
    std::vector<std::uint32_t> codes(x.cols);
    for (std::size_t i = 0; i < x.cols; ++i) codes[i] = numerics::from_carrier(x(row, i), format);
    for (std::size_t h = 1; h < x.cols; h *= 2) {
      for (std::size_t i = 0; i < x.cols; ++i) {
        if ((i & h) != 0) continue;
        const float minus = -numerics::to_carrier(codes[i + h], format);
        const auto sum = arith::add(codes[i], codes[i + h], format, spec);
        const bool no_negation = minus == 0 && !format.has_negative_zero();
        const auto difference =
            arith::add(codes[i], no_negation ? 0 : numerics::from_carrier(minus, format), format, spec);
        codes[i] = sum.code;
        codes[i + h] = difference.code;
        events.add(sum.events);
        events.add(difference.events);
      }
    }
    for (std::size_t i = 0; i < x.cols; ++i) {
      x(row, i) = numerics::to_carrier(codes[i], format);
      if (scale == 1.0F) continue;
      bool invalid = false;
      const auto product = arith::exact_product(numerics::decode(x(row, i)), numerics::decode(scale), &invalid);
      const auto scaled = numerics::round_to_format(product, spec);
      x(row, i) = numerics::to_carrier(scaled.code, format);
      events.add(scaled.events);
    }
  }
}

enum class Data { kNormal, kAnyCode, kExtreme, kTiny };

Matrix<float> random_matrix(std::size_t rows, std::size_t cols, const FloatFormat& format, Data data,
                            std::mt19937_64& random) {
  Matrix<float> x(rows, cols);
  std::normal_distribution<double> normal;
  for (float& value : x.data()) {
    const auto word = static_cast<std::uint32_t>(random());
    const std::uint32_t sign = word & 0x80000000u ? format.sign_code() : 0;
    numerics::EventSet ignored;
    switch (data) {
      case Data::kNormal:
        value = numerics::round_carrier(normal(random),
                                        {.format = format, .overflow = numerics::OverflowPolicy::kSaturate}, ignored);
        break;
      case Data::kAnyCode:
        value = numerics::to_carrier(sign | word % (format.max_finite_code() - format.max_finite_code() / 8), format);
        break;
      case Data::kExtreme:
        value = numerics::to_carrier(
            word % 8 == 0 && format.has_nan()
                ? (word % 16 == 0 ? format.nan_code() : format.max_finite_code() + (format.has_infinity() ? 1 : 0))
                : sign | (format.max_finite_code() - word % 3),
            format);
        break;
      case Data::kTiny: value = numerics::to_carrier(sign | word % (3u << format.trailing_bits), format); break;
    }
    if (!format.has_negative_zero() && value == 0) value = 0.0F;
  }
  return x;
}

void expect_equal(const Matrix<float>& input, const FloatSpec& spec, float scale, const std::string& what) {
  Matrix<float> expected = input;
  EventCounts expected_events;
  transform_reference(expected.view(), spec, scale, expected_events);
  for (const bool threads : {false, true}) {
    Matrix<float> actual = input;
    EventCounts events;
    hadamard_rows(actual.view(), spec, scale, threads ? numerics::ParallelFor(on_two_threads) : nullptr, events);
    for (std::size_t i = 0; i < actual.data().size(); ++i) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(expected.data()[i]), std::bit_cast<std::uint32_t>(actual.data()[i]))
          << what << " index " << i << " of " << input.rows() << "x" << input.cols() << " threads " << threads;
    }
    ASSERT_EQ(expected_events, events) << what << " " << input.rows() << "x" << input.cols() << " threads " << threads;
    Matrix<float> uncounted = input;
    EventCounts none;
    hadamard_rows(uncounted.view(), spec, scale, nullptr, none, {});
    EXPECT_FALSE(none.any()) << what;
    for (std::size_t i = 0; i < actual.data().size(); ++i) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(expected.data()[i]), std::bit_cast<std::uint32_t>(uncounted.data()[i]))
          << what << " uncounted, index " << i << " of " << input.rows() << "x" << input.cols();
    }
  }
}

const std::vector<FloatFormat>& formats() {
  static const std::vector<FloatFormat> all = [] {
    std::vector<FloatFormat> list;
    for (const auto& named : numerics::kFloatFormats) list.push_back(named.format);
    list.push_back(*numerics::parse_float_format("e6m9"));
    list.push_back(*numerics::parse_float_format("e7m10"));
    list.push_back(*numerics::parse_float_format("e5m14"));
    list.push_back(*numerics::parse_float_format("e8m1"));
    return list;
  }();
  return all;
}

/// Only sums of two -0 are -0, and only a row of nothing else keeps one to the end.
TEST(HadamardTest, NegativeZerosStay) {
  test::on_every_vector_target([] {
    for (const FloatFormat& format : formats()) {
      if (!format.has_negative_zero()) continue;
      for (const std::size_t cols : {16, 64, 256}) {
        expect_equal(Matrix<float>(1, cols, -0.0F), {.format = format}, 0.5F, numerics::name_of(format));
      }
    }
  });
}

TEST(HadamardTest, EqualsPlainLoopsOnEveryTarget) {
  test::on_every_vector_target([] {
    std::mt19937_64 random(kSeed);
    for (const FloatFormat& format : formats()) {
      for (const Data data : {Data::kNormal, Data::kAnyCode, Data::kExtreme, Data::kTiny}) {
        for (const std::size_t cols : {1, 2, 8, 16, 32, 64, 256}) {
          const FloatSpec spec{
              .format = format,
              .overflow = random() % 2 == 0 ? numerics::OverflowPolicy::kInfinity : numerics::OverflowPolicy::kSaturate,
              .tininess = random() % 2 == 0 ? numerics::Tininess::kAfterRounding : numerics::Tininess::kBeforeRounding};
          const std::size_t rows = 1 + random() % 3;
          const std::array scales = {1.0F, 0.0883883461F, -0x1p-20F, 3.0F};
          const float scale = scales[random() % scales.size()];
          const Matrix<float> x = random_matrix(rows, cols, format, data, random);
          ASSERT_NO_FATAL_FAILURE(expect_equal(x, spec, scale,
                                               name_of(format) + " data " + std::to_string(static_cast<int>(data)) +
                                                   " scale " + std::to_string(scale) + " seed " +
                                                   std::to_string(kSeed)));
        }
      }
    }
  });
}

TEST(HadamardTest, OtherRoundingsAndFlushingEqualPlainLoops) {
  std::mt19937_64 random(kSeed);
  for (const FloatFormat& format : formats()) {
    for (const auto rounding : {numerics::RoundingMode::kTowardZero, numerics::RoundingMode::kTowardNegative,
                                numerics::RoundingMode::kTowardPositive, numerics::RoundingMode::kTiesToAway,
                                numerics::RoundingMode::kToOdd, numerics::RoundingMode::kTiesToEven}) {
      for (const Data data : {Data::kNormal, Data::kTiny}) {
        const FloatSpec spec{.format = format, .rounding = rounding, .flush_output = true};
        const Matrix<float> x = random_matrix(2, 32, format, data, random);
        ASSERT_NO_FATAL_FAILURE(expect_equal(x, spec, 0.25F, name_of(format) + " " + std::string(name_of(rounding))));
      }
    }
  }
}

TEST(HadamardTest, LongRowsManyRowsAndStridesEqualPlainLoops) {
  std::mt19937_64 random(kSeed);
  for (const FloatFormat& format : {numerics::kFp16, numerics::kFp32, numerics::kBf16}) {
    const Matrix<float> long_row = random_matrix(1, 4096, format, Data::kNormal, random);
    ASSERT_NO_FATAL_FAILURE(expect_equal(long_row, {.format = format}, 0x1p-6F, name_of(format)));
    const Matrix<float> many = random_matrix(300, 128, format, Data::kAnyCode, random);
    ASSERT_NO_FATAL_FAILURE(expect_equal(many, {.format = format}, 0x1p-3F, name_of(format)));

    Matrix<float> columns = random_matrix(64, 5, format, Data::kNormal, random);
    Matrix<float> expected = columns;
    EventCounts events, expected_events;
    hadamard_rows(columns.view().transposed(), {.format = format}, 0.125F, nullptr, events);
    transform_reference(expected.view().transposed(), {.format = format}, 0.125F, expected_events);
    EXPECT_EQ(columns, expected) << name_of(format);
    EXPECT_EQ(events, expected_events) << name_of(format);
  }
}

TEST(HadamardTest, NaturalOrderIsSylvesters) {
  Matrix<float> x(32, 32, 0.0F);
  for (std::size_t i = 0; i < 32; ++i) x(i, i) = 1.0F;
  EventCounts events;
  hadamard_rows(x.view(), {}, 1.0F, nullptr, events);
  for (std::size_t i = 0; i < 32; ++i) {
    for (std::size_t j = 0; j < 32; ++j)
      EXPECT_EQ(x(i, j), std::popcount(i & j) % 2 == 0 ? 1.0F : -1.0F) << i << "," << j;
  }
  EXPECT_FALSE(events.any());
}

TEST(HadamardTest, OnlyWantedEventsAreAdded) {
  std::mt19937_64 random(kSeed);
  const Matrix<float> input = random_matrix(3, 64, numerics::kFp16, Data::kTiny, random);
  EventCounts all;
  Matrix<float> x = input;
  hadamard_rows(x.view(), {.format = numerics::kFp16}, 0.3F, nullptr, all);
  ASSERT_GT(all[numerics::Event::kUnderflow], 0U);
  EventCounts only;
  x = input;
  hadamard_rows(x.view(), {.format = numerics::kFp16}, 0.3F, nullptr, only, {numerics::Event::kUnderflow});
  EventCounts expected;
  expected[numerics::Event::kUnderflow] = all[numerics::Event::kUnderflow];
  EXPECT_EQ(only, expected);
}

TEST(HadamardTest, RefusesLengthsThatAreNoPowerOfTwo) {
  Matrix<float> x(1, 12, 0.0F);
  EventCounts events;
  EXPECT_THROW(hadamard_rows(x.view(), {}, 1.0F, nullptr, events), InternalError);
}

}  // namespace
}  // namespace guardbit::kernels
