/// Fixed-point (Kulisch) accumulation in vectors equals arith::gemm_reference: bits and every event counter, on every
/// vector target, where sums are proven exact, where they wrap or saturate, and where the reference has to run.
#include "tests/differential/float_gemm_random.h"
#include "tests/support/trials.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;
using numerics::FixedFormat;
using numerics::IntOverflow;
using numerics::kBf16;
using numerics::kFp16;
using numerics::kFp32;
using numerics::kFp8E4M3;
using numerics::kFp8E5M2;

/// Wide, at the limits of the lanes (62 bits, 54 bits), and so narrow that sums leave the range.
constexpr FixedFormat kFixedFormats[] = {{36, 18}, {44, 48}, {32, 30}, {33, 30}, {64, 64},
                                         {20, 12}, {12, 8},  {6, 2},   {4, 0},   {100, 298}};
constexpr RoundingMode kProductModes[] = {RoundingMode::kTowardZero,     RoundingMode::kTiesToEven,
                                          RoundingMode::kTowardPositive, RoundingMode::kTowardNegative,
                                          RoundingMode::kTiesToAway,     RoundingMode::kToOdd};

GemmCase fixed_case(const FloatFormat& inputs, const FixedFormat& format, Spread spread, unsigned seed) {
  GemmCase c;
  c.seed = seed;
  c.m = 5;
  c.n = 37;
  c.k = 101;
  c.a_format = c.b_format = inputs;
  c.spread = spread;
  c.spec.reduce = arith::Reduce::kFixed;
  c.spec.fixed = {.format = format,
                  .rounding = kProductModes[seed % std::size(kProductModes)],
                  .overflow = seed % 2 == 0 ? IntOverflow::kWrap : IntOverflow::kSaturate};
  c.spec.inner = {.format = kFp32};
  return c;
}

TEST(FixedGemmTest, EveryFormatAndSpreadEqualsTheReference) {
  unsigned seed = 7000;
  for (const FloatFormat& inputs : {kFp8E4M3, kFp8E5M2, kFp16, kBf16, kFp32}) {
    for (const FixedFormat& format : kFixedFormats) {
      for (const Spread spread : kSpreads) {
        if (!tests::is_trial(++seed)) continue;
        GemmCase c = fixed_case(inputs, format, spread, seed);
        if (seed % 3 == 0) c.spec.inner = {.format = kFp16, .overflow = numerics::OverflowPolicy::kSaturate};
        if (seed % 2 == 0) c.spec.inner.rounding = kModes[seed / 2 % (std::size(kModes) - 1)];  // not by chance
        if (seed % 4 == 0) {
          c.spec.promote_every = 45;
          c.spec.outer.format = kFp32;
          c.with_scales = true;
        }
        EXPECT_TRUE(is_vectorized({inputs, inputs}, c.spec)) << describe(c);
        expect_equal_everywhere(c);
        if (HasFailure()) return;
      }
    }
  }
}

/// K beyond a segment of blocks, random shapes with primes and tails, mixed operand formats.
TEST(FixedGemmTest, RandomShapesEqualTheReference) {
  constexpr std::size_t kSizes[] = {1, 2, 7, 8, 13, 31, 33};
  constexpr std::size_t kLengths[] = {1, 31, 32, 33, 255, 257, 300, 521};
  constexpr FloatFormat kInputs[] = {kFp8E4M3, kFp16, kFp8E5M2, kBf16};
  for (unsigned seed = 8000; seed < 8080; seed += tests::kTrialStride) {
    std::mt19937 generator(seed);
    const auto any_of = [&](const auto& values) { return pick(values, generator); };
    GemmCase c = fixed_case(any_of(kInputs), any_of(kFixedFormats), any_of(kSpreads), seed);
    c.b_format = any_of(kInputs);
    c.spec.fixed.rounding = any_of(kProductModes);
    c.m = any_of(kSizes);
    c.n = any_of(kSizes);
    c.k = any_of(kLengths);
    c.transposed_b = seed % 2 == 0;
    expect_equal_everywhere(c);
    if (HasFailure()) return;
  }
}

/// One row and column, given products: bits and events as the reference has them.
void expect_products(const std::vector<float>& a, const std::vector<float>& b, const FixedFormat& format,
                     IntOverflow overflow, float want, AccumulationEvents want_events) {
  AccumulationSpec spec;
  spec.reduce = arith::Reduce::kFixed;
  spec.fixed = {.format = format, .overflow = overflow};
  spec.inner.format = kFp32;
  const Matrix<float> left(1, a.size(), a);
  const Matrix<float> right(b.size(), 1, b);
  for (const std::string& target : vector_targets()) {
    limit_vector_target(target);
    Matrix<float> result(1, 1);
    AccumulationEvents events;
    gemm(left.view(), right.view(), {kFp16, kFp16}, spec, {}, {}, result.view(), events);
    EXPECT_EQ(result(0, 0), want) << target;
    EXPECT_EQ(events, want_events) << target << ": " << describe(events);
  }
  limit_vector_target("best");
}

/// By hand, q4.1: the range is -8 .. 7.5 in halves.
TEST(FixedGemmTest, StepsByHand) {
  AccumulationEvents events;
  events.inner[Event::kWrapped] = 1;
  expect_products({7, 1}, {1, 1}, {4, 1}, IntOverflow::kWrap, -8, events);  // 8 wraps
  events = {};
  events.inner[Event::kSaturated] = 2;
  events.inner[Event::kSwamped] = 1;
  expect_products({7, 1, 1}, {1, 1, 1}, {4, 1}, IntOverflow::kSaturate, 7.5F, events);  // the second changes nothing
  events = {};
  events.inner[Event::kInexact] = 2;
  events.inner[Event::kSwamped] = 1;
  expect_products({1, 0.75F, 0.25F}, {1, 1, 1}, {4, 1}, IntOverflow::kWrap, 1.5F, events);  // 1 + 0.5 + 0
  events = {};
  events.inner[Event::kWrapped] = 1;
  events.inner[Event::kSwamped] = 1;
  expect_products({1, 16}, {1, 1}, {4, 1}, IntOverflow::kWrap, 1, events);  // once around
}

/// The largest magnitude, and one quantum less, of the range: a sum that reaches it must not count as in range.
TEST(FixedGemmTest, TheRangeEndsWhereItShould) {
  AccumulationEvents events;
  expect_products({4, 3.5F}, {1, 1}, {4, 1}, IntOverflow::kSaturate, 7.5F, {});
  expect_products({4, 4}, {-1, -1}, {4, 1}, IntOverflow::kSaturate, -8, {});
  events.inner[Event::kSaturated] = 1;
  expect_products({4, 4}, {1, 1}, {4, 1}, IntOverflow::kSaturate, 7.5F, events);
}

/// 2^30, half of its last place in binary32, and 2^-48: 79 bits. Binary64 alone would lose the small product, which
/// decides the tie of the final rounding.
TEST(FixedGemmTest, SumsWiderThanBinary64AreExact) {
  AccumulationEvents events;
  events.inner[Event::kInexact] = 1;
  const std::vector<float> a = {0x1p+15F, 0x1p+3F, 0x1p-24F};
  expect_products(a, {0x1p+15F, 0x1p+3F, 0x1p-24F}, {44, 48}, IntOverflow::kWrap, 0x1.000002p+30F, events);
  expect_products(a, {0x1p+15F, 0x1p+3F, 0}, {44, 48}, IntOverflow::kWrap, 0x1p+30F, events);
}

/// A block's products add up to 31 * 4^j or 1.5 times that, with one of 2^-48 among them, and the next block takes the
/// former back: for some j a sum of 53 bits is exact, for others it is not.
TEST(FixedGemmTest, BlocksAreSplitWhereBinary64WouldLoseABit) {
  for (int j = -3; j <= 8; ++j) {
    for (const float factor : {1.0F, 1.5F}) {
      std::vector<float> a(64, std::ldexp(factor, j));
      std::vector<float> b(64, std::ldexp(1.0F, j));
      std::fill(b.begin() + 32, b.end(), -std::ldexp(1.0F, j));
      a[31] = b[31] = 0x1p-24F;
      a[63] = 0;
      expect_products(a, b, {44, 48}, IntOverflow::kWrap, 0x1p-48F, {});
      expect_products(a, b, {64, 64}, IntOverflow::kSaturate, 0x1p-48F, {});
    }
  }
}

/// What has no vector kernel: interleaved accumulators, rounded products, stochastic final rounding.
TEST(FixedGemmTest, OthersRunTheReference) {
  for (const FixedFormat& format : kFixedFormats) {
    for (const int interleave : {2, 3, 16}) {
      GemmCase c = fixed_case(kFp16, format, Spread::kNormal, 8090 + static_cast<unsigned>(interleave));
      c.spec.interleave = interleave;
      c.m = 3;
      c.n = 5;
      if (interleave == 3) {
        c.spec.promote_every = 20;
        c.spec.outer.format = kFp32;
      }
      EXPECT_FALSE(is_vectorized({kFp16, kFp16}, c.spec));
      expect_equal_everywhere(c);
    }
  }
  GemmCase c = fixed_case(kFp16, {20, 12}, Spread::kNormal, 8100);
  c.spec.product = FloatSpec{.format = kFp16};
  EXPECT_FALSE(is_vectorized({kFp16, kFp16}, c.spec));
  expect_equal_everywhere(c);
  c.spec.product.reset();
  c.spec.inner.rounding = RoundingMode::kStochastic;
  EXPECT_FALSE(is_vectorized({kFp16, kFp16}, c.spec));
  expect_equal_everywhere(c);
}

}  // namespace
}  // namespace guardbit::kernels
