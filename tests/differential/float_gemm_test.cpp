/// The float GEMM kernels equal arith::gemm_reference: bits and every event counter, on every vector target.
#include "tests/differential/float_gemm_cases.h"

namespace guardbit::kernels {
namespace {

using numerics::kBf16;
using numerics::kFp16;
using numerics::kFp32;
using numerics::kFp8E4M3;
using numerics::kFp8E5M2;
using numerics::OverflowPolicy;

constexpr FloatFormat kFormats[] = {kFp16,
                                    kBf16,
                                    kFp8E4M3,
                                    kFp8E5M2,
                                    kFp32,
                                    {6, 9, 31, numerics::SpecialCodes::kIeee},
                                    {4, 3, 8, numerics::SpecialCodes::kNanNegZero},
                                    {3, 2, 3, numerics::SpecialCodes::kNone}};
constexpr Spread kSpreads[] = {Spread::kCodes,  Spread::kFinite, Spread::kNormal,
                               Spread::kNarrow, Spread::kLarge,  Spread::kTiny};

template <class Values>
auto pick(const Values& values, std::mt19937& generator) {
  return values[generator() % std::size(values)];
}

FloatSpec random_spec(std::mt19937& generator) {
  constexpr RoundingMode kModes[] = {RoundingMode::kTiesToEven, RoundingMode::kTiesToEven, RoundingMode::kTowardZero,
                                     RoundingMode::kStochastic};
  constexpr OverflowPolicy kPolicies[] = {OverflowPolicy::kInfinity, OverflowPolicy::kNan, OverflowPolicy::kSaturate};
  FloatSpec spec{.format = pick(kFormats, generator),
                 .rounding = pick(kModes, generator),
                 .overflow = pick(kPolicies, generator),
                 .flush_output = generator() % 4 == 0};
  if (generator() % 4 == 0) spec.tininess = numerics::Tininess::kBeforeRounding;
  spec.random_bits = 1 + static_cast<int>(generator() % 26);
  return spec;
}

AccumulationSpec random_accumulation(std::mt19937& generator) {
  AccumulationSpec spec;
  spec.inner = random_spec(generator);
  if (generator() % 3 == 0) {
    spec.reduce = arith::Reduce::kTree;
    spec.width = 2 << generator() % 6;
  }
  if (generator() % 4 == 0) {
    spec.product = random_spec(generator);
    if (spec.product->rounding == RoundingMode::kStochastic) spec.product->rounding = RoundingMode::kTiesToEven;
  }
  if (generator() % 2 == 0) {
    spec.promote_every = 1 + static_cast<int>(generator() % 80);
    spec.outer = random_spec(generator);
  }
  return spec;
}

TEST(FloatGemmTest, RandomConfigurationsEqualTheReference) {
  constexpr std::size_t kSizes[] = {1, 2, 7, 8, 9, 31, 33, 40};
  constexpr std::size_t kLengths[] = {0, 1, 2, 31, 32, 37, 64, 101};
  constexpr unsigned kCases = 1500;
  for (unsigned seed = 0; seed < kCases; ++seed) {
    std::mt19937 generator(seed);
    GemmCase c;
    c.spec = random_accumulation(generator);
    c.m = pick(kSizes, generator) % 20;
    c.n = pick(kSizes, generator);
    c.k = pick(kLengths, generator);
    c.a_format = pick(kFormats, generator);
    c.b_format = pick(kFormats, generator);
    c.spread = pick(kSpreads, generator);
    c.with_scales = c.spec.promote_every != 0 && generator() % 2 == 0;
    c.transposed_b = generator() % 2 == 0;
    c.seed = seed;
    ASSERT_TRUE(is_vectorized({c.a_format, c.b_format}, c.spec)) << describe(c);
    expect_equal_everywhere(c);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace guardbit::kernels
