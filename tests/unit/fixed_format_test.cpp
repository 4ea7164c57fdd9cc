// Fixed-point formats and the wide integers behind them, against Boost.Multiprecision.
#include "models/numerics/fixed_format.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "models/numerics/check.h"
#include "models/numerics/codec.h"
#include "tests/support/rounding_oracle.h"
#include "tests/support/trials.h"

namespace guardbit::tests {
namespace {

using boost::multiprecision::cpp_int;
using numerics::FixedFormat;
using numerics::FixedResult;
using numerics::FixedSpec;
using numerics::IntOverflow;
using numerics::NumberClass;
using numerics::parse_fixed_format;
using numerics::Uint128;
using numerics::Unrounded;
using numerics::WideInteger;

cpp_int power_of_two(int exponent) { return pow(cpp_int(2), static_cast<unsigned>(exponent)); }

/// The value of a wide integer from its bits.
cpp_int value_of_bits(const WideInteger& integer) {
  cpp_int value = 0;
  for (int i = 0; i < WideInteger::kBits; ++i) {
    if (integer.bit(i)) value += power_of_two(i);
  }
  return integer.bit(WideInteger::kBits - 1) ? cpp_int(value - power_of_two(WideInteger::kBits)) : value;
}

/// `value` as a two's-complement number of `bits` bits.
cpp_int wrapped_oracle(const cpp_int& value, int bits) {
  cpp_int low = value % power_of_two(bits);
  if (low < 0) low += power_of_two(bits);
  return low >= power_of_two(bits - 1) ? cpp_int(low - power_of_two(bits)) : low;
}

Uint128 random_magnitude(std::mt19937_64& random) {
  const Uint128 all = Uint128{random()} << 64 | random();
  return all >> (random() % 128);
}

TEST(FixedFormatTest, NamesAndRanges) {
  for (const auto name : {"q1.1", "q2.0", "q8.8", "q36.18", "q320.320"}) {
    const auto format = parse_fixed_format(name);
    ASSERT_TRUE(format.has_value()) << name;
    EXPECT_EQ(numerics::name_of(*format), name);
  }
  EXPECT_EQ(parse_fixed_format("q36.18")->bits(), 54);
  for (const auto name : {"", "q", "q1", "q1.", "q.1", "q1.0", "q0.8", "q08.8", "q8.08", "q8.8 ", "Q8.8", "q-8.8",
                          "q8.-8", "q321.0", "q1.321", "q8,8", "q8.8.8", "q99999999999.1", "q+8.8"}) {
    EXPECT_FALSE(parse_fixed_format(name).has_value()) << name;
  }
}

TEST(WideIntegerTest, SumsWrapsAndValuesMatchUnboundedIntegers) {
  constexpr std::uint64_t kSeed = 4;
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < trials(2000); ++i) {
    SCOPED_TRACE("case " + std::to_string(i) + " of seed " + std::to_string(kSeed));
    WideInteger sum;
    cpp_int exact = 0;
    for (int term = 0; term < 4; ++term) {
      const Uint128 magnitude = random_magnitude(random);
      const int shift = static_cast<int>(random() % 600);
      const bool negative = random() % 2 == 0;
      sum += WideInteger(magnitude, shift, negative);
      cpp_int addend = static_cast<std::uint64_t>(magnitude >> 64);
      addend = addend * power_of_two(64) + static_cast<std::uint64_t>(magnitude);
      addend *= power_of_two(shift);
      exact += negative ? cpp_int(-addend) : addend;
    }
    ASSERT_EQ(value_of_bits(sum), exact);
    ASSERT_EQ(value_of_bits(sum.negated()), -exact);
    ASSERT_EQ(sum.is_negative(), exact < 0);
    const int bits = 2 + static_cast<int>(random() % 760);
    ASSERT_EQ(value_of_bits(sum.wrapped(bits)), wrapped_oracle(exact, bits)) << bits;
    ASSERT_EQ(sum.fits(bits), wrapped_oracle(exact, bits) == exact) << bits;
    ASSERT_EQ(value_of_bits(WideInteger::max_of(bits)), power_of_two(bits - 1) - 1);
    ASSERT_EQ(value_of_bits(WideInteger::min_of(bits)), -power_of_two(bits - 1));

    const Unrounded value = sum.times_power_of_two(-7);
    const cpp_int magnitude = abs(exact);
    const int width = exact == 0 ? 0 : static_cast<int>(msb(magnitude)) + 1;
    const int dropped = std::max(0, width - 110);
    const cpp_int kept = magnitude >> dropped;
    ASSERT_EQ(value.number_class, exact == 0 ? NumberClass::kZero : NumberClass::kFinite);
    ASSERT_EQ(value.negative, exact < 0);
    ASSERT_EQ(static_cast<std::uint64_t>(value.significand), static_cast<std::uint64_t>(kept & ~std::uint64_t{0}));
    ASSERT_EQ(static_cast<std::uint64_t>(value.significand >> 64), static_cast<std::uint64_t>(kept >> 64));
    ASSERT_EQ(value.sticky, kept * power_of_two(dropped) != magnitude);
    if (exact != 0) {
      ASSERT_EQ(value.exponent, dropped - 7);
    }
  }
}

/// round_to_fixed() by division.
FixedResult fixed_oracle(const Unrounded& value, const FixedSpec& spec, std::uint32_t random, cpp_int& code) {
  const int fraction_bits = spec.format.fraction_bits;
  const Rational magnitude =
      scaled(static_cast<std::uint64_t>(value.significand), value.exponent, Rational(0)) * power_of_two(fraction_bits);
  const cpp_int whole = numerator(magnitude) / denominator(magnitude);
  const Neighbours<Rational> grid{Rational(whole), Rational(whole + 1), (whole & 1) == 1};
  const Rational rounded =
      choose(grid, magnitude, value.negative, {.rounding = spec.rounding, .random_bits = spec.random_bits}, random);
  FixedResult result;
  if (rounded != magnitude) result.events.add(Event::kInexact);
  if (rounded == 0) result.events.add(Event::kFlushed);
  code = value.negative ? cpp_int(-numerator(rounded)) : cpp_int(numerator(rounded));
  const cpp_int max = power_of_two(spec.format.bits() - 1) - 1;
  if (code >= -max - 1 && code <= max) return result;
  result.events.add(Event::kInexact);
  if (spec.overflow == IntOverflow::kWrap) {
    result.events.add(Event::kWrapped);
    code = wrapped_oracle(code, spec.format.bits());
  } else {
    result.events.add(Event::kSaturated);
    code = value.negative ? cpp_int(-max - 1) : max;
  }
  return result;
}

bool matches_oracle(const Unrounded& value, const FixedSpec& spec, std::uint32_t random) {
  cpp_int expected_code;
  const FixedResult expected = fixed_oracle(value, spec, random, expected_code);
  const FixedResult actual = numerics::round_to_fixed(value, spec, random);
  const bool is_short = spec.format.bits() <= 64 && actual.code.fits(64);  // reading 768 bits takes its time
  return (is_short ? cpp_int(actual.code.low_bits()) : value_of_bits(actual.code)) == expected_code &&
         actual.events == expected.events;
}

constexpr RoundingMode kModes[] = {
    RoundingMode::kTiesToEven, RoundingMode::kTowardZero, RoundingMode::kTowardPositive, RoundingMode::kTowardNegative,
    RoundingMode::kTiesToAway, RoundingMode::kToOdd,      RoundingMode::kStochastic};

TEST(FixedFormatTest, Fp16ValuesIntoSmallFormats) {
  for (const char* name : {"q4.4", "q1.7", "q8.0", "q3.2"}) {
    for (const RoundingMode mode : kModes) {
      for (const auto overflow : {IntOverflow::kWrap, IntOverflow::kSaturate}) {
        const FixedSpec spec{
            .format = parse_fixed_format(name).value(), .rounding = mode, .overflow = overflow, .random_bits = 5};
        for (std::uint32_t code = 0; code < 0x10000; code += 23) {
          const Unrounded value = numerics::decode(code, numerics::kFp16);
          if (value.number_class != NumberClass::kFinite) continue;
          ASSERT_TRUE(matches_oracle(value, spec, code * 0x9E3779B9U))
              << name << " " << numerics::name_of(mode) << " code " << code;
        }
      }
    }
  }
}

TEST(FixedFormatTest, RandomDoublesIntoAnyFormat) {
  constexpr std::uint64_t kSeed = 8;
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < trials(5000); ++i) {
    const auto biased = 1023 - 350 + random() % 700;
    const double number = std::bit_cast<double>((random() & 0x800FFFFFFFFFFFFFU) | biased << 52);
    const FixedSpec spec{.format = {1 + static_cast<int>(random() % 320), 1 + static_cast<int>(random() % 320)},
                         .rounding = kModes[random() % std::size(kModes)],
                         .overflow = random() % 2 == 0 ? IntOverflow::kWrap : IntOverflow::kSaturate,
                         .random_bits = 1 + static_cast<int>(random() % 32)};
    ASSERT_TRUE(matches_oracle(numerics::decode(number), spec, static_cast<std::uint32_t>(random())))
        << "case " << i << " of seed " << kSeed << " " << numerics::name_of(spec.format) << std::hexfloat << number;
  }
}

TEST(FixedFormatTest, SpecialsAndHugeValues) {
  const FixedSpec saturate{.format = {4, 4}};
  const FixedSpec wrap{.format = {4, 4}, .overflow = IntOverflow::kWrap};
  const auto convert = [](double value, const FixedSpec& spec) {
    return numerics::round_to_fixed(numerics::decode(value), spec);
  };
  constexpr double kInf = std::numeric_limits<double>::infinity();
  for (const FixedSpec& spec : {saturate, wrap}) {
    EXPECT_EQ(convert(kInf, spec).code.low_bits(), 127);
    EXPECT_EQ(convert(-kInf, spec).code.low_bits(), -128);
    EXPECT_EQ(convert(kInf, spec).events, (EventSet{Event::kSaturated, Event::kInexact}));
    EXPECT_EQ(convert(std::numeric_limits<double>::quiet_NaN(), spec).code, WideInteger{});
    EXPECT_EQ(convert(std::numeric_limits<double>::quiet_NaN(), spec).events, EventSet{Event::kInvalid});
    EXPECT_EQ(convert(-0.0, spec).events, EventSet{});
  }
  // Multiples of every modulus: the low bits are zero.
  EXPECT_EQ(convert(0x1.8p1000, wrap).code, WideInteger{});
  EXPECT_EQ(convert(0x1.8p1000, wrap).events, (EventSet{Event::kWrapped, Event::kInexact}));
  EXPECT_EQ(convert(-0x1.8p1000, saturate).code.low_bits(), -128);
  EXPECT_EQ(convert(7.9375, saturate).code.low_bits(), 127);
  EXPECT_EQ(convert(8.0, wrap).code.low_bits(), -128);
}

}  // namespace
}  // namespace guardbit::tests
