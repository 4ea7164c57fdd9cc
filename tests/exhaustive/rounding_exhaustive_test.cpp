// Decoding, encoding and rounding of every named format of at most 8 bits against enumeration: every code; every
// sixteenth between two neighbours, in both signs, exact and with a sticky bit, under every rounding, overflow policy,
// flush and tininess rule.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "models/numerics/check.h"
#include "models/numerics/codec.h"
#include "tests/support/printers.h"
#include "tests/support/rounding_oracle.h"
#include "tests/support/spec_sweep.h"

namespace guardbit::tests {
namespace {

using numerics::NamedFloatFormat;
using numerics::NumberClass;
using numerics::Rounded;
using numerics::Uint128;
using numerics::Unrounded;

std::vector<NamedFloatFormat> small_formats() {
  std::vector<NamedFloatFormat> formats;
  for (const NamedFloatFormat& row : numerics::kFloatFormats) {
    if (row.format.storage_bits() <= 8) formats.push_back(row);
  }
  return formats;
}

class SmallFormatTest : public testing::TestWithParam<NamedFloatFormat> {
 protected:
  const FloatFormat format_ = GetParam().format;
  std::uint32_t num_codes() const { return 1u << format_.storage_bits(); }
};

TEST_P(SmallFormatTest, EveryCodeDecodesToItsValueAndBack) {
  for (std::uint32_t code = 0; code < num_codes(); ++code) {
    const Exact<Rational> expected = value_of<Rational>(code, format_);
    const float carrier = numerics::to_carrier(code, format_);
    EXPECT_EQ(value_of<Rational>(std::bit_cast<std::uint32_t>(carrier), numerics::kFp32), expected)
        << std::hex << code << " decodes to " << std::hexfloat << carrier;
    const std::uint32_t back = numerics::from_carrier(carrier, format_);
    if (expected.kind == Kind::kNan) {
      EXPECT_EQ(back, format_.nan_code()) << std::hex << code;
    } else {
      EXPECT_EQ(back, code) << std::hexfloat << carrier;
    }
  }
}

TEST_P(SmallFormatTest, CarriersBetweenCodesAreRejected) {
  const float max = numerics::max_finite(format_);
  EXPECT_THROW(numerics::from_carrier(std::nextafter(max, 0.0F), format_), InternalError);
  EXPECT_THROW(numerics::from_carrier(2 * max, format_), InternalError);
  EXPECT_THROW(numerics::from_carrier(0.5F * numerics::to_carrier(1, format_), format_), InternalError);
}

/// Four bits below a quarter of the quantum: sixteenths of the spacing one binade below emin.
int unit_exponent_of(const FloatFormat& format) { return format.quantum_exponent() - kLowerEmin - 4; }

std::string describe(std::string_view what, Int128 magnitude, bool negative, const FloatSpec& spec,
                     std::uint32_t random, const Rounded& actual) {
  return std::string(what) + (negative ? " -" : " +") + std::to_string(static_cast<double>(magnitude)) + " units, " +
         to_string(spec) + ", random " + std::to_string(random) + ": code " + std::to_string(actual.code) + " " +
         to_string(actual.events);
}

/// Compares one rounding with the oracle; `oracle_magnitude` is the value in the oracle's unit.
template <class Oracle>
bool matches(const Oracle& oracle, const Unrounded& value, Int128 oracle_magnitude, const FloatSpec& spec,
             std::uint32_t random, int oracle_unit) {
  const Rounded actual = numerics::round_to_format(value, spec, random);
  const Exact<Int128> exact{Kind::kNumber, value.negative, oracle_magnitude};
  const Expected<Int128> expected = oracle(exact, spec, random);
  const bool same = value_of<Int128>(actual.code, spec.format, oracle_unit) == expected.result &&
                    (expected.result.kind != Kind::kNan || actual.code == spec.format.nan_code()) &&
                    actual.events == expected.events;
  EXPECT_TRUE(same) << describe(value.sticky ? "sticky" : "exact", oracle_magnitude, value.negative, spec, random,
                                actual)
                    << ", expected magnitude " << static_cast<double>(expected.result.magnitude) << " "
                    << to_string(expected.events);
  return same;
}

TEST_P(SmallFormatTest, EverySixteenthBetweenNeighboursRoundsAsEnumerated) {
  const int unit = unit_exponent_of(format_);
  const auto oracle = enumerating_oracle(format_, unit);
  const EnumeratedGrid fine(format_, unit, kLowerEmin);
  for (FloatSpec spec : all_specs(format_)) {
    spec.random_bits = 5;
    for (std::size_t i = 0; i + 1 < fine.values().size(); ++i) {
      const Int128 spacing = fine.values()[i + 1] - fine.values()[i];
      for (int sixteenth = 0; sixteenth < 16; ++sixteenth) {
        const Int128 magnitude = fine.values()[i] + spacing * sixteenth / 16;
        if (magnitude == 0) continue;
        const Unrounded value{.number_class = NumberClass::kFinite,
                              .negative = (i + static_cast<std::size_t>(sixteenth)) % 3 == 0,
                              .significand = static_cast<Uint128>(magnitude),
                              .exponent = unit};
        const auto random = static_cast<std::uint32_t>(7 * i + 3);
        ASSERT_TRUE(matches(oracle, value, magnitude, spec, random, unit));
        Unrounded mirrored = value;
        mirrored.negative = !value.negative;
        ASSERT_TRUE(matches(oracle, mirrored, magnitude, spec, random + 16, unit));
      }
    }
  }
}

TEST_P(SmallFormatTest, AStickyBitCountsAsALittleMore) {
  // The subject sees (magnitude + tail) with an unknown tail in (0, 2^-kGuardBits); the oracle takes 1/8 of its unit,
  // which moves no comparison with a midpoint and, with 3 random bits, no truncated fraction.
  constexpr int kOracleGuardBits = 3;
  constexpr int kGuardBits = 80;
  const int unit = unit_exponent_of(format_);
  const auto oracle = enumerating_oracle(format_, unit - kOracleGuardBits);
  const EnumeratedGrid fine(format_, unit, kLowerEmin);
  for (FloatSpec spec : all_specs(format_)) {
    spec.random_bits = 3;
    for (std::size_t i = 0; i + 1 < fine.values().size(); ++i) {
      const Int128 spacing = fine.values()[i + 1] - fine.values()[i];
      for (int eighth = 0; eighth < 8; ++eighth) {
        const Int128 magnitude = fine.values()[i] + spacing * eighth / 8;
        if (magnitude == 0) continue;
        const Unrounded value{.number_class = NumberClass::kFinite,
                              .negative = (i + static_cast<std::size_t>(eighth)) % 2 == 0,
                              .significand = static_cast<Uint128>(magnitude) << kGuardBits,
                              .exponent = unit - kGuardBits,
                              .sticky = true};
        const Int128 oracle_magnitude = (magnitude << kOracleGuardBits) + 1;
        ASSERT_TRUE(
            matches(oracle, value, oracle_magnitude, spec, static_cast<std::uint32_t>(i), unit - kOracleGuardBits));
      }
    }
  }
}

TEST_P(SmallFormatTest, ZerosInfinitiesAndNanFollowThePolicy) {
  const int unit = unit_exponent_of(format_);
  const auto oracle = enumerating_oracle(format_, unit);
  for (const FloatSpec& spec : all_specs(format_)) {
    for (const bool negative : {false, true}) {
      for (const auto& [number_class, kind] :
           {std::pair{NumberClass::kZero, Kind::kNumber}, std::pair{NumberClass::kInfinity, Kind::kInfinity},
            std::pair{NumberClass::kNan, Kind::kNan}}) {
        const Rounded actual = numerics::round_to_format({.number_class = number_class, .negative = negative}, spec);
        const Expected<Int128> expected = oracle({kind, negative, 0}, spec);
        EXPECT_EQ(value_of<Int128>(actual.code, format_, unit), expected.result)
            << describe("special", 0, negative, spec, 0, actual);
        EXPECT_EQ(actual.events, expected.events) << describe("special", 0, negative, spec, 0, actual);
      }
    }
  }
}

TEST_P(SmallFormatTest, FarBeyondTheRangeOverflowsAndFarBelowItUnderflows) {
  for (const FloatSpec& spec : all_specs(format_)) {
    for (const bool negative : {false, true}) {
      for (const int exponent : {128, 1000, 100000}) {
        const Unrounded huge{NumberClass::kFinite, negative, 3, exponent, false};
        const Unrounded small{NumberClass::kFinite, negative, 3, -exponent - 100, false};
        const auto rational = rational_oracle(format_);
        const Exact<Rational> huge_value{Kind::kNumber, negative, scaled(3, 200, Rational(0))};
        const Exact<Rational> small_value{Kind::kNumber, negative, scaled(3, -200, Rational(0))};
        const Rounded over = numerics::round_to_format(huge, spec);
        const Rounded under = numerics::round_to_format(small, spec);
        EXPECT_EQ(value_of<Rational>(over.code, format_), rational(huge_value, spec).result) << to_string(spec);
        EXPECT_EQ(over.events, rational(huge_value, spec).events) << to_string(spec);
        EXPECT_EQ(value_of<Rational>(under.code, format_), rational(small_value, spec).result) << to_string(spec);
        EXPECT_EQ(under.events, rational(small_value, spec).events) << to_string(spec);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, SmallFormatTest, testing::ValuesIn(small_formats()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace guardbit::tests
