/// The float GEMM kernels in the rounding modes other than rne and rtz, and with interleaved accumulators: equal to
/// arith::gemm_reference in bits and every event counter, on every vector target; and cases by hand.
#include <algorithm>

#include "tests/differential/float_gemm_random.h"
#include "tests/support/trials.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;
using numerics::kBf16;
using numerics::kFp16;
using numerics::kFp32;
using numerics::kFp8E4M3;
using numerics::kFp8E5M2;
using numerics::OverflowPolicy;
using numerics::Tininess;

/// Every mode with every overflow policy, flush and tininess, on sums around the largest finite value, around the
/// smallest normal and subnormal numbers, and around 1; in each stage.
TEST(FloatGemmModesTest, EveryModePolicyAndBoundaryEqualsTheReference) {
  unsigned seed = 0;
  for (const RoundingMode mode : kModes) {
    for (const OverflowPolicy policy : kPolicies) {
      for (const Tininess tininess : {Tininess::kAfterRounding, Tininess::kBeforeRounding}) {
        for (const bool flush : {false, true}) {
          for (const Spread spread : {Spread::kLarge, Spread::kTiny, Spread::kCodes, Spread::kNarrow}) {
            if (!tests::is_trial(++seed)) continue;
            GemmCase c;
            const FloatFormat format = kFormats[seed % std::size(kFormats)];
            const FloatSpec spec{.format = format,
                                 .rounding = mode,
                                 .overflow = policy,
                                 .flush_output = flush,
                                 .tininess = tininess,
                                 .random_bits = 28};
            c.spec.inner = spec;
            if (seed % 3 == 0) c.spec.product = spec;
            if (seed % 3 == 1) {
              c.spec.promote_every = 3;
              c.spec.outer = spec;
            }
            if (seed % 2 == 0) {
              c.spec.reduce = arith::Reduce::kTree;
              c.spec.width = 4;
            }
            c.m = 9;
            c.n = 17;
            c.k = 13;
            c.a_format = format;
            c.b_format = kFp8E5M2;
            c.spread = spread;
            c.b_spread = Spread::kNarrow;
            c.seed = seed;
            ASSERT_TRUE(is_vectorized({c.a_format, c.b_format}, c.spec)) << describe(c);
            expect_equal_everywhere(c);
            if (HasFailure()) return;
          }
        }
      }
    }
  }
}

/// Accumulators with fast kernels in turns: sequential, trees and tensor-core-like, with unused accumulators, short
/// chunks and chunks of many blocks.
TEST(FloatGemmModesTest, InterleavedFastKernelsEqualTheReference) {
  constexpr FloatFormat kAccumulators[] = {kFp16, kBf16, kFp8E4M3, kFp32};
  unsigned seed = 7000;
  for (const int interleave : {2, 3, 4, 7, 16}) {
    for (const FloatFormat& accumulator : kAccumulators) {
      for (const arith::Reduce reduce : {arith::Reduce::kSequential, arith::Reduce::kTree, arith::Reduce::kAligned}) {
        for (int i = 0; i < 3; ++i) {
          if (!tests::is_trial(++seed)) continue;
          GemmCase c;
          c.seed = seed;
          std::mt19937 generator(seed);
          c.spec.reduce = reduce;
          c.spec.interleave = interleave;
          c.spec.inner = {.format = accumulator,
                          .rounding = pick(kModes, generator),
                          .overflow = pick(kPolicies, generator),
                          .random_bits = 8};
          if (reduce != arith::Reduce::kSequential) {
            c.spec.width = 4;
            c.spec.inner.rounding = RoundingMode::kTiesToEven;
          }
          c.a_format = c.b_format = pick(std::to_array({kFp8E4M3, kFp16, kFp8E5M2}), generator);
          if (reduce == arith::Reduce::kAligned) {
            c.spec.inner.format = kFp32;
            c.spec.alignment.emin_a = c.spec.alignment.emin_b = c.a_format.emin();
            c.spec.alignment.fraction_bits = seed % 4 < 2 ? 24 : 6;
            c.spec.alignment.align_accumulator = seed % 5 != 0;
            if (seed % 2 == 0) c.spec.alignment.rounding = RoundingMode::kTowardNegative;
          }
          if (seed % 3 != 0) {
            c.spec.promote_every = seed % 3 == 1 ? 8 : 45;
            c.spec.outer.format = kFp32;
            c.with_scales = true;
          }
          c.m = 9;
          c.n = 17;
          c.k = pick(std::to_array<std::size_t>({1, 37, 101, 300}), generator);
          c.spread = pick(kSpreads, generator);
          ASSERT_TRUE(is_vectorized({c.a_format, c.b_format}, c.spec)) << describe(c);
          expect_equal_everywhere(c);
          if (HasFailure()) return;
        }
      }
    }
  }
}

/// Stochastic sums whose threshold may lie below the last place of a sum of 53 bits run the reference; all others, and
/// products with any number of random bits, have kernels.
TEST(FloatGemmModesTest, RandomBitsUpToTheLimit) {
  GemmCase c;
  c.m = 9;
  c.n = 17;
  c.k = 40;
  c.a_format = c.b_format = kFp32;
  for (const auto& [inner_bits, product_bits, has_kernel] :
       {std::tuple{28, 32, true}, {29, 1, false}, {32, 32, false}, {1, 29, true}}) {
    c.spec.inner = {.rounding = RoundingMode::kStochastic, .random_bits = inner_bits};
    c.spec.product = FloatSpec{.rounding = RoundingMode::kStochastic, .random_bits = product_bits};
    c.seed = static_cast<unsigned>(inner_bits);
    EXPECT_EQ(is_vectorized({kFp32, kFp32}, c.spec), has_kernel) << inner_bits;
    expect_equal_everywhere(c);
  }
}

/// Products rounded by chance into accumulators that have fast kernels where products are exact.
TEST(FloatGemmModesTest, StochasticProductsEqualTheReference) {
  unsigned seed = 7500;
  for (const FloatFormat& accumulator : {kFp16, kBf16, kFp8E4M3, kFp32}) {
    for (const arith::Reduce reduce : {arith::Reduce::kSequential, arith::Reduce::kTree}) {
      for (const RoundingMode mode : kModes) {
        GemmCase c;
        c.seed = ++seed;
        c.spec.reduce = reduce;
        c.spec.width = 4;
        c.spec.inner = {.format = accumulator, .rounding = mode, .random_bits = 8};
        c.spec.product = FloatSpec{
            .format = seed % 2 == 0 ? kFp16 : kFp8E5M2, .rounding = RoundingMode::kStochastic, .random_bits = 11};
        c.spec.interleave = 1 + static_cast<int>(seed % 3);
        c.m = 9;
        c.n = 17;
        c.k = 75;
        c.a_format = c.b_format = kFp16;
        c.spread = seed % 4 == 0 ? Spread::kTiny : Spread::kNormal;
        c.b_spread = Spread::kNarrow;
        ASSERT_TRUE(is_vectorized({c.a_format, c.b_format}, c.spec)) << describe(c);
        expect_equal_everywhere(c);
        if (HasFailure()) return;
        c.spec.product.reset();  // the same thread's packed operands, now without words for products
        expect_equal_everywhere(c);
        if (HasFailure()) return;
      }
    }
  }
}

/// One output, K = 2: the accumulator becomes c, then takes a * 1.
struct Sum {
  const char* what;
  FloatSpec spec;
  float c, a;
  float want;
  std::vector<Event> events;  ///< of the second step; that of the first raises none
};

void expect_sum(const Sum& sum) {
  const Matrix<float> left(1, 2, {sum.c, sum.a});
  const Matrix<float> right(2, 1, {1.0F, 1.0F});
  AccumulationSpec spec;
  spec.inner = sum.spec;
  numerics::EventCounts want;
  for (const Event event : sum.events) ++want[event];
  for (const std::string& target : vector_targets()) {
    limit_vector_target(target);
    Matrix<float> result(1, 1);
    AccumulationEvents events;
    gemm(left.view(), right.view(), {kFp32, kFp32}, spec, {},
         {.wanted = numerics::EventSet::all(), .stream = {}, .first = {}, .parallel_for = {}}, result.view(), events);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(result(0, 0)), std::bit_cast<std::uint32_t>(sum.want))
        << sum.what << ": " << hex(result(0, 0)) << " on " << target;
    EXPECT_EQ(events.inner, want) << sum.what << " on " << target << ": " << describe(events);
  }
  limit_vector_target("best");
}

TEST(FloatGemmModesTest, SumsByHand) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const FloatSpec up{.format = kFp16, .rounding = RoundingMode::kTowardPositive};
  const FloatSpec down{.format = kFp16, .rounding = RoundingMode::kTowardNegative};
  const FloatSpec away{.format = kFp16, .rounding = RoundingMode::kTiesToAway};
  const FloatSpec odd{.format = kFp16, .rounding = RoundingMode::kToOdd};
  FloatSpec up_before = up;
  up_before.tininess = Tininess::kBeforeRounding;
  FloatSpec up_flush = up;
  up_flush.flush_output = true;
  const FloatSpec e4m3_away{.format = kFp8E4M3, .rounding = RoundingMode::kTiesToAway};
  const std::vector<Event> cut{Event::kOverflow, Event::kSaturated, Event::kInexact, Event::kSwamped};
  const std::vector<Event> over{Event::kOverflow, Event::kInexact};
  const std::vector<Event> tiny{Event::kUnderflow, Event::kInexact};
  const std::vector<Event> same{Event::kInexact, Event::kSwamped};
  const std::vector<Event> inexact{Event::kInexact};
  const Sum sums[] = {
      {"rup overflows upward to infinity", up, 65504, 65504, kInfinity, over},
      {"rup overflows downward to the largest finite", up, -65504, -65504, -65504, cut},
      {"rdn overflows upward to the largest finite", down, 65504, 65504, 65504, cut},
      {"rdn overflows downward to infinity", down, -65504, -65504, -kInfinity, over},
      {"odd overflows to the largest finite", odd, 65504, 65504, 65504, cut},
      {"rup: anything beyond the largest finite overflows", up, 65504, 0x1p-10F, kInfinity, over},
      {"rna: the tie after the largest finite overflows",
       e4m3_away,
       448,
       16,
       std::nanf(""),
       {Event::kOverflow, Event::kInexact, Event::kInvalid}},
      {"rna: a tie goes away from zero", away, 1, 0x1p-11F, 0x1.004p+0F, inexact},
      {"rna: below a tie", away, 1, 0x1.ffcp-12F, 1, same},
      {"rna: a negative tie too", away, -1, -0x1p-11F, -0x1.004p+0F, inexact},
      {"rup takes the smallest addend", up, 1, 0x1p-24F, 0x1.004p+0F, inexact},
      {"rup cuts negative sums off", up, -1, -0x1p-24F, -1, same},
      {"odd: an even accumulator moves", odd, 1, 0x1p-24F, 0x1.004p+0F, inexact},
      {"odd: an odd accumulator does not", odd, 0x1.004p+0F, 0x1p-24F, 0x1.004p+0F, same},
      {"an exact zero sum is +0", up, 1, -1, 0.0F, {}},
      {"under rdn it is -0", down, 1, -1, -0.0F, {}},
      {"the sum of +0 and -0 too", down, 0.0F, -0.0F, -0.0F, {}},
      {"rup: 2^-14 - 2^-26 rounds to 2^-14, not tiny", up, 0x1p-14F, -0x1p-26F, 0x1p-14F, same},
      {"so does anything above 2^-14 - 2^-25", up, 0x1p-14F, -0x1.fffp-26F, 0x1p-14F, same},
      {"and rdn on the other side", down, -0x1p-14F, 0x1.fffp-26F, -0x1p-14F, same},
      {"before rounding it is",
       up_before,
       0x1p-14F,
       -0x1p-26F,
       0x1p-14F,
       {Event::kInexact, Event::kUnderflow, Event::kSwamped}},
      {"with the other sign it is after rounding too", up, -0x1p-14F, 0x1p-26F, -0x1.ff8p-15F, tiny},
      {"2^-14 - 2^-25 is 11 bits: tiny",
       up,
       0x1p-14F,
       -0x1p-25F,
       0x1p-14F,
       {Event::kInexact, Event::kUnderflow, Event::kSwamped}},
      {"and flushed, but 2^-14 - 2^-26 is not", up_flush, 0x1p-14F, -0x1p-26F, 0x1p-14F, same},
      {"flushed", up_flush, 0x1p-14F, -0x1p-25F, 0, {Event::kInexact, Event::kUnderflow, Event::kFlushed}},
  };
  for (const Sum& sum : sums) expect_sum(sum);
}

}  // namespace
}  // namespace guardbit::kernels
