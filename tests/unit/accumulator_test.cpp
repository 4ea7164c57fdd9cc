// Named behaviours of accumulators, each with numbers that a reader can check by hand.
#include "models/arith/accumulator.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "models/arith/accumulators/accumulator_registry.h"
#include "models/numerics/check.h"

namespace guardbit::arith {
namespace {

using numerics::Event;
using numerics::EventCounts;
using numerics::FloatSpec;
using numerics::kFp16;
using numerics::kFp32;
using numerics::kFp8E4M3;
using numerics::OverflowPolicy;
using numerics::RoundingMode;

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Dot {
  float value = 0;
  AccumulationEvents events;
};

Dot dot(const std::vector<float>& a, const std::vector<float>& b, const AccumulationSpec& spec,
        const std::vector<float>& scales = {}) {
  Dot result;
  result.value = dot_reference(a, b, spec, scales, {}, {}, result.events);
  return result;
}

const AccumulationSpec kSequentialFp16{.inner = {.format = kFp16}};

AccumulationSpec tree_fp16(int width) { return {.reduce = Reduce::kTree, .width = width, .inner = {.format = kFp16}}; }

// The residual stream's trap: 4096 squares of 4.0 are 65536. In a sequential fp16 accumulator each 16 becomes half a
// quantum at 32768 and the tie goes to even: no overflow, but a sum that silently stands still.
TEST(SequentialTest, SquaresOfFourStandStillAt32768) {
  const std::vector<float> fours(4096, 4.0F);
  const Dot sum = dot(fours, fours, kSequentialFp16);
  EXPECT_EQ(sum.value, 32768.0F);
  EventCounts expected;
  expected[Event::kSwamped] = 2048;
  expected[Event::kInexact] = 2048;
  EXPECT_EQ(sum.events.inner, expected);
  EXPECT_EQ(sum.events.product, EventCounts{});
  EXPECT_EQ(sum.events.outer, EventCounts{});
}

TEST(TreeTest, SquaresOfFourOverflowBehindASixteenLaneTree) {
  const std::vector<float> fours(4096, 4.0F);
  const Dot sum = dot(fours, fours, tree_fp16(16));
  EXPECT_EQ(sum.value, kInf);
  EventCounts expected;
  expected[Event::kOverflow] = 1;
  expected[Event::kInexact] = 1;
  EXPECT_EQ(sum.events.inner, expected);
}

TEST(PromotionTest, SquaresOfFourAreExactInChunks) {
  const std::vector<float> fours(4096, 4.0F);
  AccumulationSpec spec = kSequentialFp16;
  spec.promote_every = 128;
  const Dot sum = dot(fours, fours, spec);
  EXPECT_EQ(sum.value, 65536.0F);
  EXPECT_EQ(sum.events, AccumulationEvents{});
}

TEST(SwampedTest, CountsAccumulationsOnly) {
  // 2048 + 1 is a tie in fp16 and stays 2048: once as an accumulation, once as a tree node.
  EXPECT_EQ(dot({2048, 1}, {1, 1}, kSequentialFp16).events.inner[Event::kSwamped], 1U);
  const Dot tree = dot({2048, 1}, {1, 1}, tree_fp16(2));
  EXPECT_EQ(tree.value, 2048.0F);
  EXPECT_EQ(tree.events.inner[Event::kInexact], 1U);
  EXPECT_EQ(tree.events.inner[Event::kSwamped], 0U);
}

TEST(SwampedTest, NeedsNonZeroFiniteOperandsAndAnUnchangedAccumulator) {
  const auto swamped = [](const std::vector<float>& products) {
    return dot(products, std::vector<float>(products.size(), 1.0F), kSequentialFp16).events.inner[Event::kSwamped];
  };
  EXPECT_EQ(swamped({2048, 1}), 1U);
  EXPECT_EQ(swamped({2048, -1}), 0U);     // 2047 exists
  EXPECT_EQ(swamped({2048, 0}), 0U);      // nothing was added
  EXPECT_EQ(swamped({0, 0x1p-30F}), 0U);  // the accumulator is zero: that is an underflow
  EXPECT_EQ(swamped({kInf, 1}), 0U);
  EXPECT_EQ(swamped({1, kInf, kInf}), 0U);
}

TEST(SwampedTest, MergesAndPromotionsCount) {
  AccumulationSpec interleaved = kSequentialFp16;
  interleaved.interleave = 2;
  EXPECT_EQ(dot({2048, 1}, {1, 1}, interleaved).events.inner[Event::kSwamped], 1U);
  AccumulationSpec promoted{.inner = {.format = kFp32}, .promote_every = 1, .outer = {.format = kFp16}};
  const Dot sum = dot({2048, 1}, {1, 1}, promoted);
  EXPECT_EQ(sum.events.inner[Event::kSwamped], 0U);
  EXPECT_EQ(sum.events.outer[Event::kSwamped], 1U);
}

TEST(SwampedTest, ASaturatedAccumulatorIsUnchangedToo) {
  const AccumulationSpec spec{.inner = {.format = kFp8E4M3, .overflow = OverflowPolicy::kSaturate}};
  const Dot sum = dot({448, 448}, {1, 1}, spec);
  EXPECT_EQ(sum.value, 448.0F);
  EXPECT_EQ(sum.events.inner[Event::kSaturated], 1U);
  EXPECT_EQ(sum.events.inner[Event::kSwamped], 1U);
}

TEST(ProductTest, RoundedProductsReportAtTheirOwnStage) {
  AccumulationSpec spec = kSequentialFp16;
  spec.product = FloatSpec{.format = kFp8E4M3};
  // 17 is a tie of E4M3 (16, 18): to even.
  const Dot sum = dot({17, 500, kInf}, {1, 1, 0}, spec);
  EXPECT_TRUE(std::isnan(sum.value));
  EXPECT_EQ(sum.events.product[Event::kInexact], 2U);
  EXPECT_EQ(sum.events.product[Event::kOverflow], 1U);
  EXPECT_EQ(sum.events.product[Event::kInvalid], 2U);  // 500 became a NaN, and so did inf * 0
  EXPECT_EQ(sum.events.inner, EventCounts{});
  EXPECT_EQ(dot({17}, {1}, spec).value, 16.0F);
}

TEST(ProductTest, AnUnroundedInvalidProductReportsWhereItIsAdded) {
  const Dot sum = dot({1, kInf, kInf}, {1, 0, 0}, kSequentialFp16);
  EXPECT_TRUE(std::isnan(sum.value));
  EXPECT_EQ(sum.events.inner[Event::kInvalid], 1U);  // the second inf * 0 meets a NaN
  EXPECT_EQ(sum.events.product, EventCounts{});
}

TEST(TreeTest, PartialGroupsArePaddedWithPlusZero) {
  // The padded node of -0 is -0 + +0: +0, but -0 toward negative. That of +0 is +0 + +0 in every mode.
  AccumulationSpec spec = tree_fp16(2);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(dot({-0.0F}, {1}, spec).value), 0x00000000U);
  spec.inner.rounding = RoundingMode::kTowardNegative;
  EXPECT_EQ(std::bit_cast<std::uint32_t>(dot({-0.0F}, {1}, spec).value), 0x80000000U);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(dot({+0.0F}, {1}, spec).value), 0x00000000U);
  // Three products of a width of four round as ((p0 + p1) + (p2 + 0)).
  const Dot sum = dot({2048, 1, 1}, {1, 1, 1}, tree_fp16(4));
  EXPECT_EQ(sum.value, 2048.0F);
  EXPECT_EQ(dot({1, 1, 2048}, {1, 1, 1}, tree_fp16(4)).value, 2050.0F);
}

TEST(InterleaveTest, AccumulatorsTakeTurnsAndMergeInIndexOrder) {
  AccumulationSpec spec = kSequentialFp16;
  spec.interleave = 2;
  // Accumulator 0 gets 2048, 1 gets 1 + 1; plain order would swamp both ones.
  EXPECT_EQ(dot({2048, 1, 0, 1}, {1, 1, 1, 1}, spec).value, 2050.0F);
  EXPECT_EQ(dot({2048, 1, 0, 1}, {1, 1, 1, 1}, kSequentialFp16).value, 2048.0F);
  // An underflow to -0 in accumulator 0 meets the unused accumulator's +0.
  EXPECT_EQ(std::bit_cast<std::uint32_t>(dot({-0x1p-30F}, {1}, kSequentialFp16).value), 0x80000000U);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(dot({-0x1p-30F}, {1}, spec).value), 0x00000000U);
}

TEST(PromotionTest, ScaleTimesSumIsRoundedOnce) {
  AccumulationSpec spec{.inner = {.format = kFp32}, .promote_every = 1, .outer = {.format = kFp32}};
  const float third = 1.0F / 3.0F;  // 0x1.555556p-2, above one third: times 3 it is 1 + 2^-25
  const Dot sum = dot({0x1p24F, 3.0F}, {1, 1}, spec, {1.0F, third});
  // 2^24 + 1 + 2^-25 lies just above the tie 2^24 + 1; rounding the product first would give the tie, hence 2^24.
  EXPECT_EQ(sum.value, 0x1p24F + 2.0F);
}

TEST(PromotionTest, TheLastPartialChunkIsPromotedToo) {
  AccumulationSpec spec = kSequentialFp16;
  spec.promote_every = 2;
  EXPECT_EQ(dot({1, 1, 1}, {1, 1, 1}, spec, {1, 8}).value, 10.0F);
}

TEST(StochasticTest, StepsAndStagesDrawTheBitsThatTheSpecificationNames) {
  // 1 + 2^-11 in fp16 with one random bit rounds up iff that bit is 1 (tail 1/2).
  const numerics::RandomStream stream{.seed = 5, .unit = 9};
  AccumulationSpec spec = kSequentialFp16;
  spec.inner.rounding = RoundingMode::kStochastic;
  spec.inner.random_bits = 1;
  int num_up = 0;
  for (std::uint32_t row = 0; row < 64; ++row) {
    AccumulationEvents events;
    const std::vector<float> a = {1.0F, 0x1p-11F};
    const std::vector<float> b = {1.0F, 1.0F};
    const float sum = dot_reference(a, b, spec, {}, stream, {row, 3}, events);
    const bool up = (stage_stream(stream, RandomStage::kInner)(row, 3, /*step=*/1) & 1) != 0;
    EXPECT_EQ(sum, up ? 1.0F + 0x1p-10F : 1.0F) << row;
    num_up += up ? 1 : 0;
  }
  EXPECT_GT(num_up, 16);
  EXPECT_LT(num_up, 48);
}

Dot int_dot(const std::vector<std::int8_t>& a, const std::vector<std::int8_t>& b, const IntAccumulationSpec& spec,
            const std::vector<float>& scales = {}) {
  Dot result;
  result.value = dot_reference(a, b, spec, scales, {}, {}, result.events);
  return result;
}

TEST(IntegerTest, EveryStepWrapsOrSaturates) {
  const IntAccumulationSpec wrapping{.inner = {8}};
  const Dot wrapped = int_dot({100, 28, 1, -1}, {1, 1, 1, 1}, wrapping);  // 128 -> -128, -127, -128
  EXPECT_EQ(wrapped.value, -128.0F);
  EXPECT_EQ(wrapped.events.inner[Event::kWrapped], 1U);
  const IntAccumulationSpec saturating{.inner = {8}, .overflow = numerics::IntOverflow::kSaturate};
  const Dot saturated = int_dot({100, 28, 1, -1}, {1, 1, 1, 1}, saturating);  // 127, 127, 126
  EXPECT_EQ(saturated.value, 126.0F);
  EXPECT_EQ(saturated.events.inner[Event::kSaturated], 2U);
  EXPECT_EQ(saturated.events.inner[Event::kSwamped], 0U);
  // A product of many times the range.
  EXPECT_EQ(int_dot({-128}, {-128}, {.inner = {4}}).value, 0.0F);
  EXPECT_EQ(int_dot({-128}, {127}, {.inner = {4}, .overflow = numerics::IntOverflow::kSaturate}).value, -8.0F);
}

TEST(IntegerTest, LargeSumsTimesScalesAreRoundedOnce) {
  // 2^31 needs the whole accumulator: 131072 * 2^14 wraps to -2^31.
  const std::vector<std::int8_t> minimum(131072, -128);
  const Dot wrapped = int_dot(minimum, minimum, {});
  EXPECT_EQ(wrapped.value, -0x1p31F);
  EXPECT_EQ(wrapped.events.inner[Event::kWrapped], 1U);
  // 2^24 + 1 is no binary32; times 1 + 2^-23 it is 2^24 + 3 + 2^-23, just above a tie between ... + 2 and ... + 4.
  std::vector<std::int8_t> a(1025, -128);
  std::vector<std::int8_t> b(1025, -128);
  a.back() = 1;
  b.back() = 1;
  EXPECT_EQ(int_dot(a, b, {}, {1.0F + 0x1p-23F}).value, 0x1p24F + 4.0F);
  EXPECT_EQ(int_dot(a, b, {}).value, 0x1p24F);
  EXPECT_EQ(int_dot(a, b, {}).events.outer[Event::kInexact], 1U);
}

TEST(AccumulatorTest, SpecsThatNoUnitHasAreInternalErrors) {
  AccumulationSpec spec = kSequentialFp16;
  spec.inner.flush_input = true;
  EXPECT_THROW(dot({1}, {1}, spec), InternalError);
  for (const int width : {0, 1, 3, 128}) EXPECT_THROW(dot({1}, {1}, tree_fp16(width)), InternalError);
  for (const int interleave : {0, 17}) {
    spec = kSequentialFp16;
    spec.interleave = interleave;
    EXPECT_THROW(dot({1}, {1}, spec), InternalError);
  }
  EXPECT_THROW(dot({1, 2}, {1}, kSequentialFp16), InternalError);
  EXPECT_THROW(int_dot({1}, {1}, {.inner = {33}}), InternalError);
}

TEST(AccumulatorRegistryTest, EveryReductionHasARow) {
  EXPECT_EQ(accumulators().size(), 5U);
  EXPECT_EQ(float_reduction(Reduce::kSequential).run, &reduce_sequential);
  EXPECT_EQ(float_reduction(Reduce::kTree).run, &reduce_tree);
  EXPECT_EQ(float_reduction(Reduce::kAligned).run, &reduce_aligned);
  EXPECT_EQ(float_reduction(Reduce::kFixed).run, &reduce_fixed);
}

}  // namespace
}  // namespace guardbit::arith
