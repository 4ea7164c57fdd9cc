#include "models/kernels/int_gemm_plan.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace guardbit::kernels {
namespace {

using numerics::FloatFormat;
using numerics::FloatSpec;

constexpr int kDoubleBits = 53;

/// Largest |I| of a chunk in which nothing overflows: (-2^(b-1))^2 for each product.
std::uint64_t largest_sum(std::size_t chunk_length, int operand_bits) {
  return std::uint64_t{chunk_length} << (2 * operand_bits - 2);
}

int significant_bits(float value) {
  const numerics::Unrounded exact = numerics::decode(value);
  if (exact.number_class != numerics::NumberClass::kFinite) return 1;
  const auto significand = static_cast<std::uint32_t>(exact.significand);
  return static_cast<int>(std::bit_width(significand)) - std::countr_zero(significand);
}

/// scale * I has at most 53 bits for every chunk.
bool products_fit_double(std::span<const float> scales, std::uint64_t sum_limit) {
  const int sum_bits = static_cast<int>(std::bit_width(sum_limit));
  return std::all_of(scales.begin(), scales.end(),
                     [&](float scale) { return significant_bits(scale) + sum_bits <= kDoubleBits; });
}

/// ScalarRounder's limit on stochastic rounding.
bool rounder_holds(const FloatSpec& spec) {
  return spec.rounding != numerics::RoundingMode::kStochastic ||
         spec.format.precision_bits() + spec.random_bits < kDoubleBits;
}

OuterMethod outer_method_of(const FloatSpec& spec, std::span<const float> scales, std::uint64_t sum_limit) {
  const FloatFormat& format = spec.format;
  const auto all_scales = [&](auto condition) { return std::all_of(scales.begin(), scales.end(), condition); };
  if (spec.rounding != numerics::RoundingMode::kTiesToEven || spec.flush_output || !format.has_negative_zero() ||
      !all_scales([](float scale) { return std::isfinite(scale); })) {
    return OuterMethod::kScalarRounder;
  }
  constexpr std::uint64_t kExactInFloat = 1u << 24;
  if (sum_limit > kExactInFloat) return OuterMethod::kFp64;
  // With normal scales every sum is a multiple of 2^-149: tiny results are exact, and no underflow need be counted.
  if (format == numerics::kFp32 && all_scales([](float scale) { return scale == 0 || std::isnormal(scale); })) {
    return OuterMethod::kFp32Fused;
  }
  constexpr int kMaxShortPrecision = 11;
  constexpr int kInnerExponent = 80;  // 1.5 * 2^24 times values of that size stay within binary32
  if (format.precision_bits() > kMaxShortPrecision) return OuterMethod::kFp64;
  if (format.emin() == numerics::kFp32.emin() && format.has_infinity() && format.exponent_bits == 8) {
    return OuterMethod::kOddWide;
  }
  const bool narrow = format.quantum_exponent() > -kInnerExponent && format.max_exponent() < kInnerExponent;
  return narrow ? OuterMethod::kOddNarrow : OuterMethod::kFp64;
}

/// The rounder that never serves, where ScalarRounder refuses the spec.
FloatSpec rounder_spec(const FloatSpec& spec) { return rounder_holds(spec) ? spec : FloatSpec{}; }

}  // namespace

IntGemmPlan::IntGemmPlan(const arith::IntAccumulationSpec& spec, int operand_bits_in, std::size_t depth_in,
                         std::span<const float> scales_in, numerics::EventSet wanted, IntDot dot_in)
    : depth(depth_in),
      chunk_length(spec.promote_every == 0 ? depth_in : static_cast<std::size_t>(spec.promote_every)),
      num_chunks((depth + chunk_length - 1) / chunk_length),
      operand_bits(operand_bits_in),
      dot(dot_in),
      inner_bits(spec.inner.bits),
      saturate(spec.overflow == numerics::IntOverflow::kSaturate),
      rounder(rounder_spec(spec.outer)),
      scales(scales_in),
      precision_bits(spec.outer.format.precision_bits()),
      min_normal(numerics::min_normal(spec.outer.format)),
      max_finite(numerics::max_finite(spec.outer.format)) {
  chunk_length = std::min(chunk_length, depth);
  groups_per_chunk = (chunk_length + group() - 1) / group();
  const std::size_t last_length = depth - (num_chunks - 1) * chunk_length;
  num_groups = (num_chunks - 1) * groups_per_chunk + (last_length + group() - 1) / group();

  const std::uint64_t unbounded_limit = largest_sum(chunk_length, operand_bits);
  const auto inner_max = static_cast<std::uint64_t>(spec.inner.max());
  const bool can_overflow = unbounded_limit > inner_max;
  const std::uint64_t sum_limit = can_overflow ? inner_max + 1 : unbounded_limit;
  keep_low_bits = can_overflow && !saturate && !wanted.has(numerics::Event::kWrapped);
  inner_may_overflow = can_overflow && !keep_low_bits;
  constexpr int kHalfBits = 16;
  has_half_steps = inner_may_overflow && inner_bits == kHalfBits;
  count_inner = wanted.has(saturate ? numerics::Event::kSaturated : numerics::Event::kWrapped);
  // The stepwise kernel holds accumulator plus product in 32 bits.
  constexpr int kMaxStepwiseBits = 31;
  needs_reference = (inner_may_overflow && inner_bits > kMaxStepwiseBits) || !rounder_holds(spec.outer) ||
                    !products_fit_double(scales, sum_limit);

  outer_method = outer_method_of(spec.outer, scales, sum_limit);
  count_outer = !(wanted == numerics::EventSet{});
  const double quarter_quantum = std::ldexp(1.0, spec.outer.format.quantum_exponent() - 2);
  tiny_below = static_cast<double>(min_normal) -
               (spec.outer.tininess == numerics::Tininess::kAfterRounding ? quarter_quantum : 0.0);
}

}  // namespace guardbit::kernels
