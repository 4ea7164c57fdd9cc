// Rules of single operations that are easy to get wrong, one by one; breadth is in the exhaustive and differential
// tests.
#include "models/arith/float_ops.h"

#include <gtest/gtest.h>

#include "models/numerics/check.h"

namespace guardbit::arith {
namespace {

using numerics::Event;
using numerics::EventSet;
using numerics::kFp16;
using numerics::kFp32;
using numerics::kFp8E4M3;
using numerics::kFp8E5M2;
using numerics::NumberClass;
using numerics::RoundingMode;
using numerics::Uint128;

constexpr std::uint32_t kPlusZero = 0x0000;
constexpr std::uint32_t kMinusZero = 0x8000;
constexpr std::uint32_t kOne = 0x3C00;
constexpr std::uint32_t kInfinity = 0x7C00;
constexpr std::uint32_t kMinusInfinity = 0xFC00;
constexpr std::uint32_t kNan = 0x7E00;

FloatSpec fp16(RoundingMode mode = RoundingMode::kTiesToEven) { return {.format = kFp16, .rounding = mode}; }

TEST(FloatOpsTest, SignsOfZeroSums) {
  for (const RoundingMode mode : {RoundingMode::kTiesToEven, RoundingMode::kTowardZero, RoundingMode::kTowardPositive,
                                  RoundingMode::kTiesToAway, RoundingMode::kToOdd, RoundingMode::kStochastic}) {
    EXPECT_EQ(add(kMinusZero, kPlusZero, kFp16, fp16(mode)).code, kPlusZero);
    EXPECT_EQ(add(kOne, kOne | kMinusZero, kFp16, fp16(mode)).code, kPlusZero);
    EXPECT_EQ(add(kMinusZero, kMinusZero, kFp16, fp16(mode)).code, kMinusZero);
  }
  const FloatSpec down = fp16(RoundingMode::kTowardNegative);
  EXPECT_EQ(add(kMinusZero, kPlusZero, kFp16, down).code, kMinusZero);
  EXPECT_EQ(add(kOne, kOne | kMinusZero, kFp16, down).code, kMinusZero);
  EXPECT_EQ(add(kPlusZero, kPlusZero, kFp16, down).code, kPlusZero);
  EXPECT_EQ(multiply(kMinusZero, kOne, kFp16, fp16()).code, kMinusZero);
  EXPECT_EQ(multiply(kMinusZero, kMinusZero, kFp16, fp16()).code, kPlusZero);
}

TEST(FloatOpsTest, InvalidOperations) {
  const EventSet invalid{Event::kInvalid};
  EXPECT_EQ(add(kInfinity, kMinusInfinity, kFp16, fp16()).code, kNan);
  EXPECT_EQ(add(kInfinity, kMinusInfinity, kFp16, fp16()).events, invalid);
  EXPECT_EQ(multiply(kPlusZero, kMinusInfinity, kFp16, fp16()).code, kNan);
  EXPECT_EQ(multiply(kPlusZero, kMinusInfinity, kFp16, fp16()).events, invalid);
  EXPECT_EQ(multiply_add(kOne, kInfinity, kFp16, kMinusInfinity, kFp16, fp16()).events, invalid);
  EXPECT_EQ(multiply_add(kPlusZero, kInfinity, kFp16, kOne, kFp16, fp16()).events, invalid);
  // A NaN operand is not an invalid operation, not even beside 0 * inf.
  EXPECT_EQ(multiply_add(kPlusZero, kInfinity, kFp16, kNan, kFp16, fp16()).code, kNan);
  EXPECT_EQ(multiply_add(kPlusZero, kInfinity, kFp16, kNan, kFp16, fp16()).events, EventSet{});
  EXPECT_EQ(add(kNan, kInfinity, kFp16, fp16()).events, EventSet{});
}

TEST(FloatOpsTest, SaturationOfInfinities) {
  const FloatSpec saturating{.format = kFp16, .overflow = numerics::OverflowPolicy::kSaturate};
  const EventSet saturated{Event::kOverflow, Event::kSaturated, Event::kInexact};
  EXPECT_EQ(add(kMinusInfinity, kOne, kFp16, saturating).code, 0xFBFFU);
  EXPECT_EQ(add(kMinusInfinity, kOne, kFp16, saturating).events, saturated);
  EXPECT_EQ(add(kInfinity, kMinusInfinity, kFp16, saturating).code, kNan);  // invalid, not an overflow
  EXPECT_EQ(convert(kInfinity, kFp16, {.format = kFp8E4M3}).code, 0x7FU);   // no infinity to deliver
}

TEST(FloatOpsTest, FlushedOperandsKeepTheirSign) {
  const FloatSpec daz{.format = kFp16, .flush_input = true};
  constexpr std::uint32_t kMinusSubnormal = 0x83FF;
  EXPECT_EQ(convert(kMinusSubnormal, kFp16, daz).code, kMinusZero);
  EXPECT_EQ(convert(kMinusSubnormal, kFp16, daz).events, EventSet{Event::kFlushed});
  EXPECT_EQ(add(kMinusSubnormal, kOne, kFp16, daz).code, kOne);
  EXPECT_EQ(multiply(kMinusSubnormal, kInfinity, kFp16, daz).events, (EventSet{Event::kFlushed, Event::kInvalid}));
  EXPECT_EQ(convert(0x0400, kFp16, daz).events, EventSet{});  // the smallest normal stays
  // Subnormal is what is subnormal in the operand's format.
  EXPECT_EQ(convert(0x01, kFp8E5M2, daz).events, EventSet{Event::kFlushed});
}

TEST(FloatOpsTest, OneRoundingWhereTwoWouldErr) {
  // 1.125 * 2^8 + 2^-16 into E5M2 lies just above a midpoint: 1.25 * 2^8 = 320. A binary32 sum loses the 2^-16.
  const std::uint32_t a = numerics::from_carrier(1.125F, kFp8E4M3);
  const std::uint32_t b = numerics::from_carrier(256.0F, kFp8E4M3);
  EXPECT_EQ(multiply_add(a, b, kFp8E4M3, /*2^-16*/ 0x01, kFp8E5M2, {.format = kFp8E5M2}).code,
            numerics::from_carrier(320.0F, kFp8E5M2));
  // design/kernels.md: fp16 products with an fp16 addend.
  const Rounded sum =
      multiply_add(numerics::from_carrier(-0x1.40cp+2F, kFp16), numerics::from_carrier(-0x1.93cp+0F, kFp16), kFp16,
                   numerics::from_carrier(0x1.2fp-14F, kFp16), kFp16, fp16());
  EXPECT_EQ(numerics::to_carrier(sum.code, kFp16), 0x1.f9cp+2F);
}

/// x + y for exponents so far apart that the smaller one is only a sticky bit, in every position that it can decide.
TEST(FloatOpsTest, DistantAddendsActAsStickyBits) {
  const std::uint32_t big = numerics::from_carrier(0x1p100F, kFp32);
  const std::uint32_t tiny = 0x00000001;
  const std::uint32_t minus_tiny = 0x80000001;
  const auto sum = [&](std::uint32_t y, RoundingMode mode) {
    return numerics::to_carrier(add(big, y, kFp32, {.rounding = mode}).code, kFp32);
  };
  EXPECT_EQ(sum(tiny, RoundingMode::kTiesToEven), 0x1p100F);
  EXPECT_EQ(sum(tiny, RoundingMode::kTowardPositive), 0x1.000002p100F);
  EXPECT_EQ(sum(tiny, RoundingMode::kToOdd), 0x1.000002p100F);
  EXPECT_EQ(sum(minus_tiny, RoundingMode::kTiesToEven), 0x1p100F);
  EXPECT_EQ(sum(minus_tiny, RoundingMode::kTowardZero), 0x1.fffffep99F);
  EXPECT_EQ(sum(minus_tiny, RoundingMode::kToOdd), 0x1.fffffep99F);
  EXPECT_EQ(add(big, minus_tiny, kFp32, {}).events, EventSet{Event::kInexact});
  // A midpoint of fp16 that a distant addend moves off the tie, both ways.
  const std::uint32_t midpoint = numerics::from_carrier(1.0F + 0x1p-11F, kFp32);
  EXPECT_EQ(add(midpoint, tiny, kFp32, fp16()).code, 0x3C01U);
  EXPECT_EQ(add(midpoint, minus_tiny, kFp32, fp16()).code, 0x3C00U);
  const std::uint32_t odd_midpoint = numerics::from_carrier(1.0F + 0x3p-11F, kFp32);
  EXPECT_EQ(add(odd_midpoint, minus_tiny, kFp32, fp16()).code, 0x3C01U);
  EXPECT_EQ(add(odd_midpoint, tiny, kFp32, fp16()).code, 0x3C02U);
}

TEST(ExactSumTest, CancellationBesideLostBitsKeepsTheStickyBitFarDown) {
  // 2^0 - 2^-130 = 0.111...1 (a hundred and more ones), not 1.
  bool invalid = false;
  const Unrounded one{.number_class = NumberClass::kFinite, .significand = 1};
  const Unrounded minus_speck{
      .number_class = NumberClass::kFinite, .negative = true, .significand = 1, .exponent = -130};
  const Unrounded sum = exact_sum(one, minus_speck, RoundingMode::kTiesToEven, &invalid);
  EXPECT_TRUE(sum.sticky);
  EXPECT_FALSE(sum.negative);
  EXPECT_TRUE(sum.significand == (Uint128{1} << 125) - 1);
  EXPECT_EQ(sum.exponent, -125);
  EXPECT_FALSE(invalid);
}

TEST(ExactSumTest, OperandsThatDoNotFitAreInternalErrors) {
  bool invalid = false;
  const Unrounded wide{.number_class = NumberClass::kFinite, .significand = Uint128{1} << 111};
  const Unrounded sticky{.number_class = NumberClass::kFinite, .significand = 1, .sticky = true};
  const Unrounded one{.number_class = NumberClass::kFinite, .significand = 1};
  EXPECT_THROW(exact_sum(wide, one, RoundingMode::kTiesToEven, &invalid), InternalError);
  EXPECT_THROW(exact_sum(one, sticky, RoundingMode::kTiesToEven, &invalid), InternalError);
  EXPECT_THROW(exact_product(sticky, one, &invalid), InternalError);
  EXPECT_THROW(exact_product(wide, wide, &invalid), InternalError);
}

}  // namespace
}  // namespace guardbit::arith
