/// ScalarRounder against round_to_format(), float_ops.h and the accumulation step of the reference: bits and events.
#include "models/kernels/scalar_rounder.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "models/arith/accumulators/float_steps.h"
#include "models/arith/float_ops.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;
using numerics::EventSet;
using numerics::FloatFormat;
using numerics::NumberClass;
using numerics::OverflowPolicy;
using numerics::Rounded;
using numerics::RoundingMode;
using numerics::SpecialCodes;
using numerics::Tininess;
using numerics::Unrounded;

constexpr std::uint64_t kSeed = 20260101;
constexpr std::array kModes = {RoundingMode::kTiesToEven,     RoundingMode::kTowardZero, RoundingMode::kTowardPositive,
                               RoundingMode::kTowardNegative, RoundingMode::kTiesToAway, RoundingMode::kToOdd,
                               RoundingMode::kStochastic};
constexpr std::array kPolicies = {OverflowPolicy::kInfinity, OverflowPolicy::kNan, OverflowPolicy::kSaturate};

std::vector<FloatFormat> formats() {
  std::vector<FloatFormat> all;
  for (const auto& named : numerics::kFloatFormats) all.push_back(named.format);
  all.push_back({6, 9, 31, SpecialCodes::kIeee});
  all.push_back({2, 23, 1, SpecialCodes::kIeee});
  all.push_back({8, 1, 127, SpecialCodes::kIeee});
  all.push_back({4, 17, 7, SpecialCodes::kNone});
  return all;
}

/// Every combination of rounding, overflow, flush_output and tininess for a format.
std::vector<FloatSpec> specs_of(const FloatFormat& format) {
  std::vector<FloatSpec> specs;
  for (const RoundingMode mode : kModes) {
    for (const OverflowPolicy policy : kPolicies) {
      for (const bool flush : {false, true}) {
        for (const Tininess tininess : {Tininess::kAfterRounding, Tininess::kBeforeRounding}) {
          specs.push_back({.format = format,
                           .rounding = mode,
                           .overflow = policy,
                           .flush_output = flush,
                           .tininess = tininess,
                           .random_bits = flush ? 28 : 5});
        }
      }
    }
  }
  return specs;
}

std::string describe(const FloatSpec& spec) {
  return name_of(spec.format) + " " + std::string(name_of(spec.rounding)) + " " + std::string(name_of(spec.overflow)) +
         (spec.flush_output ? " flush_output" : "") + (spec.flush_input ? " flush_input" : "") +
         (spec.tininess == Tininess::kBeforeRounding ? " before" : "") + " seed " + std::to_string(kSeed);
}

std::string hex(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%a", value);
  return text;
}

/// NaN carriers compare by their bits too: there is one quiet NaN.
void expect_same(const Rounded& expected, const FloatFormat& format, float actual, const EventCounts& events,
                 const std::string& what) {
  EventCounts expected_events;
  expected_events.add(expected.events);
  ASSERT_EQ(std::bit_cast<std::uint32_t>(numerics::to_carrier(expected.code, format)),
            std::bit_cast<std::uint32_t>(actual))
      << what << " got " << hex(actual);
  ASSERT_EQ(expected_events, events) << what << " got " << hex(actual);
}

/// Boundaries of the format and random bit patterns of every magnitude the format reacts to.
std::vector<double> values_for(const FloatFormat& format, std::mt19937_64& random) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<double> values = {0.0, kInfinity, std::numeric_limits<double>::quiet_NaN(), 0x1p-1074, 0x1.8p-1040};
  for (int i = 0; i < 400; ++i) {
    std::uint32_t code = static_cast<std::uint32_t>(random()) % (format.max_finite_code() + 1);
    if (i % 4 == 0) code = static_cast<std::uint32_t>(i) / 8 % (format.max_finite_code() + 1);
    if (i % 4 == 1) code = format.max_finite_code() - static_cast<std::uint32_t>(i) / 8 % format.max_finite_code();
    if (i % 4 == 2) code = (1u << format.trailing_bits) + static_cast<std::uint32_t>(i % 32) / 4 - 4;
    code = std::min(code, format.max_finite_code());
    const double low = static_cast<double>(numerics::to_carrier(code, format));
    const double step =
        std::ldexp(1.0, std::max(low == 0 ? -200 : std::ilogb(low), format.emin()) - format.trailing_bits);
    for (const double part : {0.0, 0.25, 0.5, 0.75}) {
      const double value = low + part * step;
      for (const double near : {value, std::nextafter(value, kInfinity), std::nextafter(value, 0.0)})
        values.push_back(near);
    }
  }
  for (int i = 0; i < 1500; ++i) {
    const int lowest = format.quantum_exponent() - 90;
    const int span = format.max_exponent() + 4 - lowest;
    const int exponent = lowest + static_cast<int>(random() % static_cast<std::uint64_t>(span));
    const std::uint64_t field = i % 3 == 0 ? random() : random() & random() & random();
    values.push_back(std::ldexp(1.0 + std::ldexp(static_cast<double>(field >> 12), -52), exponent));
  }
  const std::size_t half = values.size();
  for (std::size_t i = 0; i < half; ++i) values.push_back(-values[i]);
  return values;
}

TEST(ScalarRounderTest, EqualsRoundToFormat) {
  std::mt19937_64 random(kSeed);
  for (const FloatFormat& format : formats()) {
    const std::vector<double> values = values_for(format, random);
    for (const FloatSpec& spec : specs_of(format)) {
      const ScalarRounder rounder(spec);
      for (const double value : values) {
        const auto bits = static_cast<std::uint32_t>(random());
        const Rounded expected = numerics::round_to_format(numerics::decode(value), spec, bits);
        EventCounts events;
        const float actual = rounder({value}, events, bits);
        EventCounts expected_events;
        expected_events.add(expected.events);
        if (events == expected_events && numerics::to_carrier(expected.code, format) == actual &&
            std::signbit(actual) == ((expected.code & format.sign_code()) != 0)) {
          continue;  // the common case without building a message; a NaN never takes it
        }
        ASSERT_NO_FATAL_FAILURE(expect_same(expected, format, actual, events, describe(spec) + " " + hex(value)));
      }
    }
  }
}

/// A random code that is a boundary, a special or anything, with equal likelihood.
std::uint32_t random_code(const FloatFormat& format, std::mt19937_64& random) {
  const std::uint32_t all = format.sign_code() * 2u - 1u;  // 2^32 - 1 for fp32
  const auto any = static_cast<std::uint32_t>(random()) & all;
  const std::uint32_t sign = any & format.sign_code();
  switch (random() % 6) {
    case 0: return sign | (any % 5);
    case 1: return sign | (format.max_finite_code() - any % 4);
    case 2: return sign | ((1u << format.trailing_bits) + any % 5 - 2);
    case 3: return format.has_infinity() && any % 8 == 0 ? sign | format.infinity_code() : any;
    default: return any;
  }
}

TEST(ScalarRounderTest, OperationsEqualFloatOps) {
  std::mt19937_64 random(kSeed);
  for (const FloatFormat& format : formats()) {
    for (FloatSpec spec : specs_of(format)) {
      spec.flush_input = random() % 4 == 0;
      const ScalarRounder rounder(spec);
      for (int i = 0; i < 300; ++i) {
        const std::uint32_t a = random_code(format, random);
        const std::uint32_t b = i % 5 == 0 ? a ^ format.sign_code() : random_code(format, random);
        const std::uint32_t c = random_code(format, random);
        const float x = numerics::to_carrier(a, format);
        const float y = numerics::to_carrier(b, format);
        const float z = numerics::to_carrier(c, format);
        const auto bits = static_cast<std::uint32_t>(random());
        const std::string what = describe(spec) + " a " + hex(x) + " b " + hex(y) + " c " + hex(z);
        EventCounts add, multiply, fused;
        const float sum = rounder.add(x, y, add, bits);
        const float product = rounder.multiply(x, y, multiply, bits);
        const float sum_of_product = rounder.multiply_add(x, y, z, fused, bits);
        ASSERT_NO_FATAL_FAILURE(expect_same(arith::add(a, b, format, spec, bits), format, sum, add, "add " + what));
        ASSERT_NO_FATAL_FAILURE(
            expect_same(arith::multiply(a, b, format, spec, bits), format, product, multiply, "multiply " + what));
        ASSERT_NO_FATAL_FAILURE(expect_same(arith::multiply_add(a, b, format, c, format, spec, bits), format,
                                            sum_of_product, fused, "multiply_add " + what));
      }
    }
  }
}

/// Operands of any magnitude of binary32 into any format, where the exact sum needs far more than 53 bits.
TEST(ScalarRounderTest, SumsOfProductsOfCarriersAreRoundedOnce) {
  std::mt19937_64 random(kSeed);
  for (const FloatFormat& format : formats()) {
    for (const FloatSpec& spec : specs_of(format)) {
      const ScalarRounder rounder(spec);
      for (int i = 0; i < 200; ++i) {
        std::array<float, 4> x{};
        for (float& value : x) {
          const auto magnitude = static_cast<std::uint32_t>(random()) & 0x7FFFFFFFu;
          const std::uint32_t base = i % 2 == 0 ? 0x3F800000u + (magnitude & 0x83FFFFFFu) / 4 : magnitude;
          value = std::bit_cast<float>((base % 0x7F800000u) | (random() % 2 == 0 ? 0x80000000u : 0u));
        }
        bool invalid = false;
        const Unrounded exact =
            arith::exact_sum(arith::exact_product(numerics::decode(x[0]), numerics::decode(x[1]), &invalid),
                             arith::exact_product(numerics::decode(x[2]), numerics::decode(x[3]), &invalid),
                             RoundingMode::kTiesToEven, &invalid);
        const auto bits = static_cast<std::uint32_t>(random());
        EventCounts events;
        const float actual = rounder(sum_of(product_of(x[0], x[1]).value, product_of(x[2], x[3]).value), events, bits);
        ASSERT_NO_FATAL_FAILURE(
            expect_same(numerics::round_to_format(exact, spec, bits), format, actual, events,
                        describe(spec) + hex(x[0]) + " " + hex(x[1]) + " " + hex(x[2]) + " " + hex(x[3])));
      }
    }
  }
}

/// a / b by integer long division with a sticky remainder; a and b finite and not zero.
Unrounded long_division(float a, float b) {
  const Unrounded x = numerics::decode(a);
  const Unrounded y = numerics::decode(b);
  constexpr int kShift = 100;
  const numerics::Uint128 dividend = x.significand << kShift;
  return {.number_class = NumberClass::kFinite,
          .negative = x.negative != y.negative,
          .significand = dividend / y.significand,
          .exponent = x.exponent - kShift - y.exponent,
          .sticky = dividend % y.significand != 0};
}

TEST(ScalarRounderTest, QuotientsEqualLongDivision) {
  std::mt19937_64 random(kSeed);
  for (const FloatFormat& format : formats()) {
    for (const FloatSpec& spec : specs_of(format)) {
      const ScalarRounder rounder(spec);
      for (int i = 0; i < 300; ++i) {
        const auto any_float = [&] {
          const auto magnitude = static_cast<std::uint32_t>(random()) & (i % 2 == 0 ? 0x7FFFFFFFu : 0x7FF00000u);
          return std::bit_cast<float>(1u + magnitude % 0x7F7FFFFFu) * (random() % 2 == 0 ? 1.0F : -1.0F);
        };
        const float b = any_float();
        // Every third quotient is near a value or midpoint of a short format.
        const float a = i % 3 == 0 ? b * static_cast<float>(random() % 512) / 256.0F : any_float();
        if (a == 0 || std::isinf(a)) continue;
        const auto bits = static_cast<std::uint32_t>(random());
        EventCounts events;
        const float actual = rounder.divide(a, b, events, bits);
        ASSERT_NO_FATAL_FAILURE(expect_same(numerics::round_to_format(long_division(a, b), spec, bits), format, actual,
                                            events, describe(spec) + " " + hex(a) + " / " + hex(b)));
      }
    }
  }
}

TEST(ScalarRounderTest, DivisionHasTheSpecialResultsOfIeee754) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  struct Row {
    float a, b, quotient;
    bool invalid;
  };
  const std::array rows = {Row{0, 0, kNan, true},
                           Row{kInfinity, -kInfinity, kNan, true},
                           Row{kNan, 0, kNan, false},
                           Row{0, kNan, kNan, false},
                           Row{1, -0.0F, -kInfinity, false},
                           Row{-0.0F, 3, -0.0F, false},
                           Row{kInfinity, -2, -kInfinity, false},
                           Row{-7, kInfinity, -0.0F, false}};
  const ScalarRounder rounder(FloatSpec{});
  for (const Row& row : rows) {
    EventCounts events, expected;
    if (row.invalid) expected.add({Event::kInvalid});
    EXPECT_EQ(std::bit_cast<std::uint32_t>(rounder.divide(row.a, row.b, events)),
              std::bit_cast<std::uint32_t>(row.quotient))
        << row.a << " / " << row.b;
    EXPECT_EQ(events, expected) << row.a << " / " << row.b;
  }
}

TEST(ScalarRounderTest, AccumulationEqualsReferenceStep) {
  std::mt19937_64 random(kSeed);
  std::uint64_t num_swamped = 0;
  for (const FloatFormat& format : formats()) {
    for (const FloatSpec& spec : specs_of(format)) {
      const ScalarRounder rounder(spec);
      for (int i = 0; i < 300; ++i) {
        const float acc = numerics::to_carrier(random_code(format, random), format);
        float a = numerics::to_carrier(random_code(format, random), format);
        const float b = numerics::to_carrier(random_code(format, random), format);
        if (i % 2 == 0) a = acc * std::ldexp(1.0F, -static_cast<int>(random() % 30));
        const auto bits = static_cast<std::uint32_t>(random());
        const std::string what = describe(spec) + " acc " + hex(acc) + " a " + hex(a) + " b " + hex(b);
        EventCounts plain, expected_plain, fused, expected_fused;
        const float sum = rounder.accumulate(acc, a, plain, bits);
        const float sum_of_product = rounder.accumulate_product(acc, a, b, fused, bits);
        const float expected = arith::accumulate(acc, arith::addend_of(a), spec, bits, expected_plain);
        ASSERT_EQ(std::bit_cast<std::uint32_t>(expected), std::bit_cast<std::uint32_t>(sum)) << what;
        ASSERT_EQ(expected_plain, plain) << what;
        const float expected_product =
            arith::accumulate(acc, arith::exact_product_of(a, b), spec, bits, expected_fused);
        ASSERT_EQ(std::bit_cast<std::uint32_t>(expected_product), std::bit_cast<std::uint32_t>(sum_of_product)) << what;
        ASSERT_EQ(expected_fused, fused) << what;
        num_swamped += plain[Event::kSwamped];
      }
    }
  }
  EXPECT_GT(num_swamped, 1000u);
}

TEST(ScalarRounderTest, RefusesMoreRandomBitsThanADoubleHolds) {
  const FloatSpec spec{.rounding = RoundingMode::kStochastic, .random_bits = 29};
  EXPECT_THROW(ScalarRounder{spec}, InternalError);
}

}  // namespace
}  // namespace guardbit::kernels
