/// The float GEMM kernels equal arith::gemm_reference: bits and every event counter, on every vector target.
#include <xmmintrin.h>

#include "tests/differential/float_gemm_random.h"
#include "tests/support/trials.h"

namespace guardbit::kernels {
namespace {

using numerics::kBf16;
using numerics::kFp16;
using numerics::kFp32;
using numerics::kFp8E4M3;
using numerics::kFp8E5M2;
using numerics::OverflowPolicy;

TEST(FloatGemmTest, RandomConfigurationsEqualTheReference) {
  constexpr unsigned kCases = 1200;
  for (unsigned seed = 0; seed < kCases; seed += tests::kTrialStride) {
    const GemmCase c = random_case(seed);
    ASSERT_TRUE(is_vectorized({c.a_format, c.b_format}, c.spec)) << describe(c);
    expect_equal_everywhere(c);
    if (HasFailure()) return;
  }
}

/// The accumulators that have fast kernels, over every distribution of operands: near overflow, near underflow, with
/// NaN and infinity, with cancellation; K over several blocks and chunks.
TEST(FloatGemmTest, FastKernelsEqualTheReference) {
  struct Inputs {
    FloatFormat a, b;
  };
  constexpr Inputs kInputs[] = {{kFp8E4M3, kFp8E4M3}, {kFp8E5M2, kFp8E4M3}, {kFp16, kFp16}, {kBf16, kBf16},
                                {kFp16, kFp8E4M3},    {kFp8E5M2, kFp8E5M2}, {kFp32, kFp32}};
  constexpr FloatFormat kAccumulators[] = {kFp16, kBf16, kFp8E4M3, kFp8E5M2, kFp32};
  unsigned seed = 1000;
  for (const Inputs& inputs : kInputs) {
    for (const FloatFormat& accumulator : kAccumulators) {
      for (const RoundingMode mode : kModes) {
        for (unsigned i = 0; i < 3; ++i) {
          if (!tests::is_trial(++seed)) continue;
          GemmCase c;
          c.seed = seed;
          c.spec.inner = {.format = accumulator, .rounding = mode, .overflow = kPolicies[seed % 3], .random_bits = 8};
          if (seed % 5 == 0) c.spec.inner.tininess = numerics::Tininess::kBeforeRounding;
          if (seed % 2 == 0) {
            c.spec.promote_every = 70;
            c.spec.outer = {.format = seed % 4 == 0 ? kFp32 : kFp16};
            c.with_scales = true;
          }
          c.m = 9;
          c.n = 33;
          c.k = 80;
          c.a_format = inputs.a;
          c.b_format = inputs.b;
          c.spread = kSpreads[(seed / 3 + 2 * i) % std::size(kSpreads)];
          expect_equal_everywhere(c);
          if (HasFailure()) return;
        }
      }
    }
  }
}

/// Adder trees with fast kernels, all widths, partial last groups in every chunk.
TEST(FloatGemmTest, FastTreesEqualTheReference) {
  unsigned seed = 3000;
  for (const FloatFormat& inputs : {kFp8E4M3, kFp16, kFp8E5M2}) {
    for (const FloatFormat& accumulator : {kFp16, kBf16, kFp8E4M3}) {
      for (const Spread spread : kSpreads) {
        GemmCase c;
        c.seed = ++seed;
        c.spec.reduce = arith::Reduce::kTree;
        c.spec.width = 2 << seed % 6;
        c.spec.inner = {.format = accumulator,
                        .overflow = seed % 2 == 0 ? OverflowPolicy::kInfinity : OverflowPolicy::kSaturate};
        if (seed % 3 == 0) {
          c.spec.promote_every = 45;
          c.spec.outer.format = kFp32;
        }
        c.m = 9;
        c.n = 33;
        c.k = 101;
        c.a_format = inputs;
        c.b_format = inputs;
        c.spread = spread;
        expect_equal_everywhere(c);
        if (HasFailure()) return;
      }
    }
  }
}

/// Tensor-core-like accumulation: all spreads, partial last steps, promotion, truncated short accumulators; infinities
/// and NaN go to the reference.
TEST(FloatGemmTest, AlignedKernelsEqualTheReference) {
  constexpr FloatFormat kTruncated14 = {8, 13, 127, numerics::SpecialCodes::kIeee};
  unsigned seed = 5000;
  for (const FloatFormat& inputs : {kFp8E4M3, kFp16, kFp8E5M2}) {
    for (const auto& [width, fraction_bits] : {std::pair{4, 24}, {8, 23}, {16, 25}, {32, 13}, {31, 24}}) {
      for (const Spread spread : kSpreads) {
        if (!tests::is_trial(++seed)) continue;
        GemmCase c;
        c.seed = seed;
        c.spec.reduce = arith::Reduce::kAligned;
        c.spec.width = width;
        c.spec.alignment = {.fraction_bits = fraction_bits, .emin_a = inputs.emin(), .emin_b = inputs.emin()};
        if (seed % 4 == 0) c.spec.alignment.emin_a = kFp32.emin();
        c.spec.inner = {.format = seed % 3 == 0 ? kTruncated14 : kFp32, .rounding = RoundingMode::kTowardZero};
        if (seed % 3 == 1) c.spec.inner.rounding = RoundingMode::kTiesToEven;
        if (seed % 5 == 0) {
          c.spec.promote_every = 45;
          c.spec.outer.format = kFp32;
          c.with_scales = true;
        }
        c.m = 9;
        c.n = 33;
        c.k = 101;
        c.a_format = inputs;
        c.b_format = inputs;
        c.spread = spread;
        EXPECT_EQ(is_vectorized({inputs, inputs}, c.spec), width != 16) << describe(c);  // 16 at F = 25: too wide a sum
        expect_equal_everywhere(c);
        if (HasFailure()) return;
      }
    }
  }
}

/// Every counter at the size of a whole matrix unit tile, where 16-bit and 32-bit lane counters are fullest.
TEST(FloatGemmTest, CountersAreExactOnWideMatrices) {
  for (const FloatFormat& inputs : {kFp8E4M3, kFp16}) {
    for (const FloatFormat& accumulator : {kFp16, kBf16, kFp8E4M3, kFp32}) {
      GemmCase c;
      c.m = 8;
      c.n = 512 / tests::kTrialStride;
      c.k = 512;
      c.a_format = inputs;
      c.b_format = inputs;
      c.seed = 7;
      c.spec.inner = {.format = accumulator, .overflow = OverflowPolicy::kSaturate};
      expect_equal_everywhere(c);
      if (HasFailure()) return;
    }
  }
}

/// One output, K = 2: the accumulator becomes c (= first product), then takes a * b.
void expect_sum(const FloatFormat& operands, const FloatFormat& accumulator, float c, float a, float b, float want) {
  const Matrix<float> left(1, 2, {c, a});
  const Matrix<float> right(2, 1, {1.0F, b});
  AccumulationSpec spec;
  spec.inner.format = accumulator;
  for (const std::string& target : vector_targets()) {
    limit_vector_target(target);
    for (const numerics::EventSet wanted : {numerics::EventSet{}, numerics::EventSet::all()}) {
      Matrix<float> result(1, 1);
      AccumulationEvents events;
      gemm(left.view(), right.view(), {operands, operands}, spec, {},
           {.wanted = wanted, .stream = {}, .first = {}, .parallel_for = {}}, result.view(), events);
      EXPECT_EQ(std::bit_cast<std::uint32_t>(result(0, 0)), std::bit_cast<std::uint32_t>(want))
          << hex(result(0, 0)) << " on " << target;
    }
  }
  limit_vector_target("best");
}

/// binary32 rounding first would turn the exact sum into a tie: 0x1.fap+2.
TEST(FloatGemmTest, Fp16ProductsAreNotRoundedTwice) {
  expect_sum(kFp16, kFp16, 0x1.2fp-14F, -0x1.40cp+2F, -0x1.93cp+0F, 0x1.f9cp+2F);
}

/// 683/512 * 3/4 = 1 + 2^-11 is a midpoint of fp16, and 2^-30 above it is beyond binary32's last place: a first level
/// that loses it ties to 1.
TEST(FloatGemmTest, TreeLeavesAreRoundedOnce) {
  AccumulationSpec spec;
  spec.reduce = arith::Reduce::kTree;
  spec.width = 2;
  spec.inner.format = kFp16;
  for (const bool tiny_first : {false, true}) {
    const Matrix<float> a(1, 2, tiny_first ? std::vector{0x1p-15F, 0x1.558p+0F} : std::vector{0x1.558p+0F, 0x1p-15F});
    const Matrix<float> b(2, 1, tiny_first ? std::vector{0x1p-15F, 0x1.8p-1F} : std::vector{0x1.8p-1F, 0x1p-15F});
    for (const std::string& target : vector_targets()) {
      limit_vector_target(target);
      Matrix<float> result(1, 1);
      AccumulationEvents events;
      gemm(a.view(), b.view(), {kFp16, kFp16}, spec, {}, {.wanted = {}, .stream = {}, .first = {}, .parallel_for = {}},
           result.view(), events);
      EXPECT_EQ(result(0, 0), 0x1.004p+0F) << hex(result(0, 0)) << " on " << target;
    }
  }
  limit_vector_target("best");
}

/// The product is a midpoint of e5m2 and the accumulator lies 2^-24 below it: binary32 loses it and gets 0x1p+8.
TEST(FloatGemmTest, E5M2AccumulatorSeesTinyAddends) {
  expect_sum(kFp8E5M2, kFp8E5M2, 0x1p-16F, 1.5F, 0x1.8p+7F, 0x1.4p+8F);
}

/// The product is a midpoint of bf16 and the accumulator lies just below it: binary32 makes it a tie, 0x1.84p-1.
TEST(FloatGemmTest, Bf16ProductsAreNotRoundedTwice) {
  expect_sum(kBf16, kBf16, -0x1p-30F, 0x1.02p+0F, 0x1.8p-1F, 0x1.82p-1F);
}

/// Signed zeros: -0 only from -0 terms alone, which a sum that starts at +0 never is; by underflow it is.
TEST(FloatGemmTest, UnderflowKeepsTheSign) { expect_sum(kFp16, kFp16, 0.0F, -0x1p-14F, 0x1p-14F, -0.0F); }

TEST(FloatGemmTest, WantedEventsNeverChangeBits) {
  GemmCase c;
  c.m = 9;
  c.n = 40;
  c.k = 100;
  c.spread = Spread::kFinite;
  c.seed = 11;
  c.spec.inner = {.format = kFp16, .overflow = OverflowPolicy::kSaturate};
  const PreparedCase prepared(c);
  for (std::size_t i = 0; i < numerics::kNumEvents; ++i) {
    expect_equal(prepared, {static_cast<numerics::Event>(i)}, /*threads=*/false);
  }
}

/// A flushing, upward rounding host environment is not inherited, on no thread, and is left as it was.
TEST(FloatGemmTest, HostEnvironmentDoesNotMatter) {
  constexpr unsigned kFlushAndRoundUp = 0x1F80 | 0x8040 | 0x4000;
  GemmCase c;
  c.m = 20;
  c.n = 40;
  c.k = 64;
  c.spread = Spread::kTiny;
  c.seed = 12;
  c.spec.inner = {.format = kBf16};
  c.a_format = c.b_format = kBf16;
  const PreparedCase prepared(c);
  const unsigned before = _mm_getcsr();
  _mm_setcsr(kFlushAndRoundUp);
  expect_equal(prepared, numerics::EventSet::all(), /*threads=*/true);
  const unsigned after = _mm_getcsr();
  _mm_setcsr(before);
  constexpr unsigned kStatusFlags = 0x3F;
  EXPECT_EQ(after & ~kStatusFlags, kFlushAndRoundUp);
}

/// What has no vector kernel runs the reference, in parallel too.
TEST(FloatGemmTest, OtherSpecsRunTheReference) {
  for (const arith::Reduce reduce : {arith::Reduce::kFixed, arith::Reduce::kAligned}) {
    GemmCase c;
    c.m = 11;
    c.n = 5;
    c.k = 40;
    c.seed = 13;
    c.spec.reduce = reduce;
    c.spec.interleave = 3;
    c.spec.width = 5;
    c.spec.alignment.rounding = RoundingMode::kTiesToEven;
    EXPECT_FALSE(is_vectorized({kFp16, kFp16}, c.spec));
    expect_equal_everywhere(c);
  }
}

TEST(FloatGemmTest, Fp32GemmIsAChainOfFusedMultiplyAdds) {
  std::mt19937 generator(15);
  const Matrix<float> a = random_matrix(9, 70, kFp32, Spread::kNormal, generator);
  const Matrix<float> b = random_matrix(70, 35, kFp32, Spread::kNormal, generator);
  for (const std::string& target : vector_targets()) {
    limit_vector_target(target);
    Matrix<float> result(9, 35);
    gemm_fp32(a.view(), b.view(), two_threads, result.view());
    for (std::size_t row = 0; row < 9; ++row) {
      for (std::size_t col = 0; col < 35; ++col) {
        float want = 0;
        for (std::size_t k = 0; k < 70; ++k) want = std::fma(a(row, k), b(k, col), want);
        ASSERT_EQ(std::bit_cast<std::uint32_t>(result(row, col)), std::bit_cast<std::uint32_t>(want)) << target;
      }
    }
  }
  limit_vector_target("best");
}

}  // namespace
}  // namespace guardbit::kernels
