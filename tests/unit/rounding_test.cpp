// The tables of rounding.h as executable rows, and the contract of round_significand() and round_to_format() at the
// edges that no format of the exhaustive tests reaches.
#include "models/numerics/rounding.h"

#include <gtest/gtest.h>

#include "models/numerics/check.h"
#include "models/numerics/codec.h"

namespace guardbit::numerics {
namespace {

constexpr int kDropBits = 3;

struct TailRow {
  const char* picture;         ///< K L R S S, as in rounding.h
  unsigned significand;        ///< five bits
  bool sticky;                 ///< tail continues below
  unsigned nearest_even_adds;  ///< the table's column
  unsigned nearest_away_adds;
  unsigned directed_adds;  ///< kTowardPositive of a positive, kTowardNegative of a negative value
  unsigned odd_adds;
};

// clang-format off
constexpr TailRow kTailRows[] = {
    // picture    significand sticky  RNE RNA up odd
    {"0 0 0 0 0", 0b00000,    false,  0,  0,  0, 0},
    {"0 0 0 0 0", 0b00000,    true,   0,  0,  1, 1},  // only the sticky bit
    {"0 0 0 0 1", 0b00001,    false,  0,  0,  1, 1},
    {"0 0 0 1 1", 0b00011,    true,   0,  0,  1, 1},  // just below half
    {"0 0 1 0 0", 0b00100,    false,  0,  1,  1, 1},  // tie, already even
    {"0 0 1 0 0", 0b00100,    true,   1,  1,  1, 1},  // just above half
    {"0 0 1 0 1", 0b00101,    false,  1,  1,  1, 1},
    {"0 1 0 0 0", 0b01000,    false,  0,  0,  0, 0},
    {"0 1 0 0 0", 0b01000,    true,   0,  0,  1, 0},
    {"0 1 0 1 1", 0b01011,    true,   0,  0,  1, 0},
    {"0 1 1 0 0", 0b01100,    false,  1,  1,  1, 0},  // tie, make it even
    {"0 1 1 1 1", 0b01111,    true,   1,  1,  1, 0},
    {"1 0 1 0 0", 0b10100,    false,  0,  1,  1, 1},
    {"1 1 1 0 0", 0b11100,    false,  1,  1,  1, 0},  // carry out of the top bit
};
// clang-format on

Uint128 rounded(const TailRow& row, RoundingMode mode, bool negative) {
  return round_significand(row.significand, kDropBits, row.sticky, negative, mode);
}

TEST(RoundSignificandTest, EveryRowOfTheTailTable) {
  for (const TailRow& row : kTailRows) {
    const Uint128 kept = row.significand >> kDropBits;
    for (const bool negative : {false, true}) {
      SCOPED_TRACE(std::string(row.picture) + (row.sticky ? " sticky" : "") + (negative ? " negative" : ""));
      EXPECT_TRUE(rounded(row, RoundingMode::kTiesToEven, negative) == kept + row.nearest_even_adds);
      EXPECT_TRUE(rounded(row, RoundingMode::kTiesToAway, negative) == kept + row.nearest_away_adds);
      EXPECT_TRUE(rounded(row, RoundingMode::kTowardZero, negative) == kept);
      EXPECT_TRUE(rounded(row, RoundingMode::kToOdd, negative) == kept + row.odd_adds);
      EXPECT_TRUE(rounded(row, RoundingMode::kTowardPositive, negative) == kept + (negative ? 0 : row.directed_adds));
      EXPECT_TRUE(rounded(row, RoundingMode::kTowardNegative, negative) == kept + (negative ? row.directed_adds : 0));
    }
  }
}

TEST(RoundSignificandTest, StochasticAddsIffFractionPlusRandomReachesOne) {
  constexpr int kRandomBits = 2;  // of the tail 0.101 (3 bits) the upper two count: floor(0.625 * 4) = 2
  for (std::uint32_t random = 0; random < 4; ++random) {
    const bool adds = 2 + random >= 4;
    EXPECT_TRUE(round_significand(0b01101, kDropBits, false, false, RoundingMode::kStochastic, kRandomBits, random) ==
                Uint128{1} + (adds ? 1 : 0))
        << random;
    // Bits above random_bits are ignored.
    EXPECT_TRUE(round_significand(0b01101, kDropBits, false, false, RoundingMode::kStochastic, kRandomBits,
                                  random | 0xFFFFFFFCu) == Uint128{1} + (adds ? 1 : 0));
  }
}

TEST(RoundSignificandTest, StochasticWithMoreRandomBitsThanTailBits) {
  // Tail 0.1 with 8 random bits is 128/256.
  EXPECT_TRUE(round_significand(0b11, 1, false, false, RoundingMode::kStochastic, 8, 127) == 1);
  EXPECT_TRUE(round_significand(0b11, 1, false, false, RoundingMode::kStochastic, 8, 128) == 2);
}

TEST(RoundSignificandTest, StochasticKeepsExactValues) {
  EXPECT_TRUE(round_significand(0b1000, kDropBits, false, false, RoundingMode::kStochastic, 32, 0xFFFFFFFF) == 1);
  EXPECT_TRUE(round_significand(5, 0, false, false, RoundingMode::kStochastic, 32, 0xFFFFFFFF) == 5);
}

TEST(RoundSignificandTest, DroppingEverythingSeesTheWholeSignificandAsTail) {
  constexpr Uint128 kTop = Uint128{1} << 127;
  // 128 dropped bits: the round bit is bit 127.
  EXPECT_TRUE(round_significand(kTop, 128, false, false, RoundingMode::kTiesToEven) == 0);
  EXPECT_TRUE(round_significand(kTop, 128, false, false, RoundingMode::kTiesToAway) == 1);
  EXPECT_TRUE(round_significand(kTop + 1, 128, false, false, RoundingMode::kTiesToEven) == 1);
  EXPECT_TRUE(round_significand(kTop - 1, 128, false, false, RoundingMode::kTiesToAway) == 0);
  // More: below half in any case.
  EXPECT_TRUE(round_significand(kTop, 129, false, false, RoundingMode::kTiesToAway) == 0);
  EXPECT_TRUE(round_significand(kTop, 500, false, false, RoundingMode::kTowardPositive) == 1);
  EXPECT_TRUE(round_significand(kTop, 500, false, true, RoundingMode::kTowardPositive) == 0);
  EXPECT_TRUE(round_significand(1, 500, false, false, RoundingMode::kToOdd) == 1);
  EXPECT_TRUE(round_significand(0, 500, false, false, RoundingMode::kTowardPositive) == 0);
}

TEST(RoundSignificandTest, AddingBitsIsAnInternalError) {
  EXPECT_THROW(round_significand(1, -1, false, false, RoundingMode::kTiesToEven), InternalError);
}

TEST(RoundToFormatTest, MalformedValuesAreInternalErrors) {
  const FloatSpec spec{.format = kFp16};
  EXPECT_THROW(round_to_format({NumberClass::kFinite, false, 0, 0, false}, spec), InternalError);
  EXPECT_THROW(round_to_format({NumberClass::kFinite, false, Uint128{1} << 127, 0, false}, spec), InternalError);
  // A sticky bit so high that the rounding would have to know more of the tail.
  EXPECT_THROW(round_to_format({NumberClass::kFinite, false, 3, 0, true}, spec), InternalError);
}

TEST(RoundToFormatTest, OverflowLimitsOfOfp8AndBinary16) {
  const auto code_of = [](float value, const FloatFormat& format) {
    return round_to_format(decode(value), {.format = format}).code;
  };
  EXPECT_EQ(code_of(464.0F, kFp8E4M3), 0x7EU);  // midpoint of 448 and 480: to even
  EXPECT_EQ(code_of(464.00003F, kFp8E4M3), 0x7FU);
  EXPECT_EQ(code_of(-464.00003F, kFp8E4M3), 0x7FU);  // the NaN that results carry has a clear sign
  EXPECT_EQ(code_of(61439.996F, kFp8E5M2), 0x7BU);
  EXPECT_EQ(code_of(61440.0F, kFp8E5M2), 0x7CU);
  EXPECT_EQ(code_of(65519.996F, kFp16), 0x7BFFU);
  EXPECT_EQ(code_of(65520.0F, kFp16), 0x7C00U);
  EXPECT_EQ(code_of(-65520.0F, kFp16), 0xFC00U);
}

TEST(RoundToFormatTest, TininessAfterRoundingExcludesWhatRoundsUpToTheSmallestNormal) {
  // 2^-14 - 2^-26: rounds to 2^-14 with 11 bits and unbounded exponent as well as on the subnormal grid.
  const Unrounded value{NumberClass::kFinite, false, (1u << 12) - 1, -26, false};
  const FloatSpec after{.format = kFp16};
  const FloatSpec before{.format = kFp16, .tininess = Tininess::kBeforeRounding};
  EXPECT_EQ(round_to_format(value, after).events, EventSet{Event::kInexact});
  EXPECT_EQ(round_to_format(value, before).events, (EventSet{Event::kInexact, Event::kUnderflow}));
  // 2^-14 - 2^-25 is a value with 11 bits below 2^-14: tiny in both, although it rounds to 2^-14.
  const Unrounded tiny{NumberClass::kFinite, false, (1u << 11) - 1, -25, false};
  EXPECT_EQ(round_to_format(tiny, after).code, 0x0400U);
  EXPECT_EQ(round_to_format(tiny, after).events, (EventSet{Event::kInexact, Event::kUnderflow}));
}

TEST(RoundingNamesTest, EveryNameParsesToItsValue) {
  for (const auto name : {"rne", "rtz", "rup", "rdn", "rna", "odd", "stochastic"}) {
    ASSERT_TRUE(parse_rounding(name).has_value()) << name;
    EXPECT_EQ(name_of(*parse_rounding(name)), name);
  }
  for (const auto name : {"infinity", "nan", "saturate"}) {
    ASSERT_TRUE(parse_overflow(name).has_value()) << name;
    EXPECT_EQ(name_of(*parse_overflow(name)), name);
  }
  EXPECT_EQ(parse_rounding("rup"), RoundingMode::kTowardPositive);
  EXPECT_EQ(parse_rounding("rdn"), RoundingMode::kTowardNegative);
  EXPECT_FALSE(parse_rounding("RNE").has_value());
  EXPECT_FALSE(parse_rounding("").has_value());
  EXPECT_FALSE(parse_overflow("wrap").has_value());
}

}  // namespace
}  // namespace guardbit::numerics
