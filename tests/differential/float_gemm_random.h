#pragma once
/// Random configurations of the float GEMM, over everything that is_vectorized() accepts except aligned accumulation.
#include "tests/differential/float_gemm_cases.h"

namespace guardbit::kernels {

inline constexpr FloatFormat kFormats[] = {numerics::kFp16,
                                           numerics::kBf16,
                                           numerics::kFp8E4M3,
                                           numerics::kFp8E5M2,
                                           numerics::kFp32,
                                           {6, 9, 31, numerics::SpecialCodes::kIeee},
                                           {4, 3, 8, numerics::SpecialCodes::kNanNegZero},
                                           {3, 2, 3, numerics::SpecialCodes::kNone}};
inline constexpr Spread kSpreads[] = {Spread::kCodes,  Spread::kFinite, Spread::kNormal,
                                      Spread::kNarrow, Spread::kLarge,  Spread::kTiny};
inline constexpr RoundingMode kModes[] = {
    RoundingMode::kTiesToEven, RoundingMode::kTowardZero, RoundingMode::kTowardPositive, RoundingMode::kTowardNegative,
    RoundingMode::kTiesToAway, RoundingMode::kToOdd,      RoundingMode::kStochastic};
inline constexpr numerics::OverflowPolicy kPolicies[] = {
    numerics::OverflowPolicy::kInfinity, numerics::OverflowPolicy::kNan, numerics::OverflowPolicy::kSaturate};

template <class Values>
auto pick(const Values& values, std::mt19937& generator) {
  return values[generator() % std::size(values)];
}

/// `max_stochastic_bits`: of significand and random bits together.
inline FloatSpec random_spec(int max_stochastic_bits, std::mt19937& generator) {
  FloatSpec spec{.format = pick(kFormats, generator),
                 .rounding = pick(kModes, generator),
                 .overflow = pick(kPolicies, generator),
                 .flush_output = generator() % 4 == 0};
  if (generator() % 4 == 0) spec.tininess = numerics::Tininess::kBeforeRounding;
  constexpr int kMaxRandomBits = 32;
  const int most = std::min(kMaxRandomBits, max_stochastic_bits - spec.format.precision_bits());
  spec.random_bits = generator() % 4 == 0 ? most : 1 + static_cast<int>(generator() % static_cast<unsigned>(most));
  return spec;
}

inline AccumulationSpec random_accumulation(std::mt19937& generator) {
  constexpr int kMaxOfSums = 52;
  constexpr int kMaxOfProducts = 56;  // 24 + 32: no limit
  AccumulationSpec spec;
  spec.inner = random_spec(kMaxOfSums, generator);
  if (generator() % 3 == 0) {
    spec.reduce = arith::Reduce::kTree;
    spec.width = 2 << generator() % 6;
  }
  if (generator() % 3 == 0) spec.product = random_spec(kMaxOfProducts, generator);
  if (generator() % 2 == 0) spec.interleave = 1 + static_cast<int>(generator() % 16);
  if (generator() % 2 == 0) {
    spec.promote_every = 1 + static_cast<int>(generator() % 80);
    spec.outer = random_spec(kMaxOfSums, generator);
  }
  return spec;
}

/// Half of the cases have operands a of the accumulator's format near one end of its range, and b near 1: sums around
/// the largest finite value, or around the smallest normal and subnormal ones.
inline GemmCase random_case(unsigned seed) {
  constexpr std::size_t kSizes[] = {1, 2, 7, 8, 9, 31, 33, 40};
  constexpr std::size_t kLengths[] = {0, 1, 2, 31, 32, 37, 64, 101};
  std::mt19937 generator(seed);
  GemmCase c;
  c.spec = random_accumulation(generator);
  c.m = pick(kSizes, generator) % 20;
  c.n = pick(kSizes, generator);
  c.k = pick(kLengths, generator);
  c.a_format = pick(kFormats, generator);
  c.b_format = pick(kFormats, generator);
  c.spread = pick(kSpreads, generator);
  if (generator() % 2 == 0) {
    c.a_format = c.spec.inner.format;
    c.spread = generator() % 2 == 0 ? Spread::kTiny : Spread::kLarge;
    c.b_spread = Spread::kNarrow;
  }
  c.with_scales = c.spec.promote_every != 0 && generator() % 2 == 0;
  c.transposed_b = generator() % 2 == 0;
  c.seed = seed;
  return c;
}

}  // namespace guardbit::kernels
