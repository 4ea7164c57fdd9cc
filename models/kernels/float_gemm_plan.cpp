#include "models/kernels/float_gemm_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/kernels/float_gemm_layout.h"
#include "models/kernels/vector_target.h"
#include "models/numerics/codec.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;
using numerics::EventSet;
using numerics::FloatFormat;
using numerics::FloatSpec;
using numerics::OverflowPolicy;
using numerics::RoundingMode;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int kDoublePrecision = 53;
constexpr int kMaxNarrowPrecision = 11;  // significand bits of the narrow kernel's accumulators
constexpr float kLargestSum = 0x1p100F;  // the narrow kernel's intermediate results stay finite up to 2^104
constexpr int kMinNarrowQuantum = -147;  // two bits of binary32 lie below: a sum rounded to odd there rounds right

/// What a rounding does to magnitudes of one sign.
enum class Direction { kDown, kUp, kNearest, kOdd, kByChance };
Direction direction_of(RoundingMode mode, bool negative) {
  switch (mode) {
    case RoundingMode::kTiesToEven:
    case RoundingMode::kTiesToAway: return Direction::kNearest;
    case RoundingMode::kTowardZero: return Direction::kDown;
    case RoundingMode::kTowardPositive: return negative ? Direction::kDown : Direction::kUp;
    case RoundingMode::kTowardNegative: return negative ? Direction::kUp : Direction::kDown;
    case RoundingMode::kToOdd: return Direction::kOdd;
    case RoundingMode::kStochastic: return Direction::kByChance;
  }
  return Direction::kDown;  // unreachable
}

/// IEEE 754-2019 section 7.5, as rounding.cpp decides. With unbounded exponent the last number before 2^emin is
/// 2^emin (1 - 2^-p). From its midpoint with 2^emin on, rounding to nearest reaches 2^emin (whose significand is even,
/// so ties to even go there too); rounding up does from anything above it. Truncation never does, nor does rounding to
/// odd: that last number is the odd one.
double tiny_threshold_of(const FloatSpec& spec, bool negative) {
  const double min_normal = std::ldexp(1.0, spec.format.emin());
  if (spec.tininess == numerics::Tininess::kBeforeRounding) return min_normal;
  const double ulp = std::ldexp(min_normal, -spec.format.precision_bits());
  switch (direction_of(spec.rounding, negative)) {
    case Direction::kNearest: return min_normal - ulp / 2;
    case Direction::kUp: return std::nextafter(min_normal - ulp, min_normal);
    case Direction::kDown:
    case Direction::kOdd:
    case Direction::kByChance: return min_normal;
  }
  return min_normal;  // unreachable
}

/// (1 + e)^kBlockLength <= exp(kBlockLength * e), e = half an ulp to nearest, 0 truncated, else up to an ulp.
double growth_of(const FloatSpec& spec) {
  const double ulp = std::ldexp(1.0, 1 - spec.format.precision_bits());
  double error = 0;
  for (const bool negative : {false, true}) {
    const Direction direction = direction_of(spec.rounding, negative);
    if (direction == Direction::kDown) continue;
    error = std::max(error, direction == Direction::kNearest ? ulp / 2 : ulp);
  }
  return std::exp(static_cast<double>(kBlockLength) * error);
}

/// What rounding.cpp delivers for an overflow.
OverflowResult overflow_result(const FloatSpec& spec, bool finite, bool negative) {
  const FloatFormat& format = spec.format;
  const Direction direction = direction_of(spec.rounding, negative);
  const bool stays_finite = finite && (direction == Direction::kDown || direction == Direction::kOdd);
  if (spec.overflow == OverflowPolicy::kSaturate || !format.has_nan() || stays_finite) {
    return {numerics::max_finite(format), {Event::kOverflow, Event::kInexact, Event::kSaturated}};
  }
  if (spec.overflow == OverflowPolicy::kInfinity && format.has_infinity()) {
    return {kInfinity, finite ? EventSet{Event::kOverflow, Event::kInexact} : EventSet{}};
  }
  return {kNan, {Event::kOverflow, Event::kInexact, Event::kInvalid}};
}

/// All values of the format are values of fp16.
bool fits_half(const FloatFormat& format) {
  constexpr FloatFormat kHalf = numerics::kFp16;
  return format.precision_bits() <= kHalf.precision_bits() && format.quantum_exponent() >= kHalf.quantum_exponent() &&
         format.max_exponent() <= kHalf.max_exponent();
}

/// Every product of two operands is a binary32.
bool products_fit_single(const OperandFormats& operands) {
  constexpr FloatFormat kSingle = numerics::kFp32;
  return operands.a.precision_bits() + operands.b.precision_bits() <= kSingle.precision_bits() &&
         operands.a.quantum_exponent() + operands.b.quantum_exponent() >= kSingle.quantum_exponent() &&
         operands.a.max_exponent() + operands.b.max_exponent() + 1 < kSingle.max_exponent();
}

/// The fast kernel that fits. All need exact products one at a time; flushing would change sums that are exact.
FastKernel fast_kernel(const OperandFormats& operands, const arith::AccumulationSpec& spec) {
  const FloatSpec& inner = spec.inner;
  if (spec.reduce == arith::Reduce::kAligned) return FastKernel::kAligned;
  if (spec.reduce == arith::Reduce::kFixed) return FastKernel::kFixed;
  const bool stochastic = inner.rounding == RoundingMode::kStochastic;
  if (spec.product || inner.flush_output) return FastKernel::kNone;
  const bool is_narrow = inner.format.precision_bits() <= kMaxNarrowPrecision &&
                         inner.format.quantum_exponent() >= kMinNarrowQuantum &&
                         inner.format.emin() >= numerics::kFp32.emin();
  const bool are_halves = inner.format == numerics::kFp16 && fits_half(operands.a) && fits_half(operands.b);
  if (spec.reduce == arith::Reduce::kTree) {
    const bool fits = is_narrow && inner.rounding == RoundingMode::kTiesToEven && inner.format.has_negative_zero() &&
                      products_fit_single(operands);
    if (!fits) return FastKernel::kNone;
    return are_halves && has_native_fp16() ? FastKernel::kHalfTree : FastKernel::kNarrowTree;
  }
  const bool is_native = inner.rounding == RoundingMode::kTiesToEven || inner.rounding == RoundingMode::kTowardZero;
  if (inner.format == numerics::kFp32) return is_native ? FastKernel::kSingle : FastKernel::kNone;
  if (are_halves && is_native && has_native_fp16()) return FastKernel::kHalf;
  if (inner.rounding == RoundingMode::kTowardNegative && !inner.format.has_negative_zero()) return FastKernel::kNone;
  const bool has_random_room =
      !stochastic || inner.random_bits < numerics::kFp32.precision_bits() - inner.format.precision_bits();
  return is_narrow && has_random_room ? FastKernel::kNarrow : FastKernel::kNone;
}

/// Whether round(binary32 fma(a, b, c)) to p bits equals round(a*b + c). Rounding first to 24 bits is harmless unless
/// the exact sum lies within half a 24-bit ulp of a midpoint between p-bit numbers without being it. With w the
/// significand bits of the product:
///   c dominates        the product would have to supply the midpoint bit, p bits below c's top, and something else
///                      24 bits below: impossible if w <= 23 - p
///   product dominates  c would have to supply something 24 bits below a product that is a midpoint, so w > p is
///                      needed; or c reaches from the midpoint bit to 24 bits below: impossible if p <= 23 - p.
///                      Impossible too if no c is so small: the format spans at most 23 binades, subnormals included.
/// Subnormal results are exact sums or have the same gap. So: w <= p <= 11, or w <= 23 - p and at most 23 binades.
bool fused_is_exact(const OperandFormats& operands, const FloatFormat& format) {
  constexpr int kSafeGap = 23;
  const int product_bits = operands.a.precision_bits() + operands.b.precision_bits();
  const int span = format.max_exponent() - format.quantum_exponent();
  return product_bits <= format.precision_bits() ||
         (product_bits <= kSafeGap - format.precision_bits() && span <= kSafeGap);
}

/// A magnitude up to which no sum overflows: it rounds to the largest finite value or less.
float largest_safe_sum(const FloatSpec& spec) {
  const float largest = numerics::max_finite(spec.format);
  const float ulp = std::ldexp(1.0F, spec.format.max_exponent() - spec.format.trailing_bits);
  if (spec.rounding == RoundingMode::kTiesToEven) return std::nextafter(largest + ulp / 2, 0.0F);
  if (spec.rounding == RoundingMode::kTowardZero) return std::nextafter(largest + ulp, 0.0F);
  return largest;
}

NarrowRounding::Mode narrow_mode(RoundingMode mode) {
  using Mode = NarrowRounding::Mode;
  switch (mode) {
    case RoundingMode::kTiesToEven: return Mode::kNearest;
    case RoundingMode::kTiesToAway: return Mode::kAway;
    case RoundingMode::kTowardZero: return Mode::kTruncate;
    case RoundingMode::kTowardPositive: return Mode::kUp;
    case RoundingMode::kTowardNegative: return Mode::kDown;
    case RoundingMode::kToOdd: return Mode::kOdd;
    case RoundingMode::kStochastic: return Mode::kStochastic;
  }
  return Mode::kNearest;  // unreachable
}

NarrowRounding narrow_rounding(const OperandFormats& operands, const FloatSpec& spec) {
  constexpr int kSinglePrecision = 24;
  const FloatFormat& format = spec.format;
  const int drop_bits = kSinglePrecision - format.precision_bits();
  NarrowRounding rounding;
  if (drop_bits <= 0) return rounding;
  rounding.mode = narrow_mode(spec.rounding);
  if (spec.rounding == RoundingMode::kStochastic) {
    rounding.random_mask = static_cast<std::uint32_t>((std::uint64_t{1} << spec.random_bits) - 1);
    rounding.random_shift = drop_bits - spec.random_bits;
  }
  rounding.fused_is_exact = fused_is_exact(operands, format);
  rounding.spread = std::ldexp(1.0F, drop_bits);
  rounding.spread_exponent = static_cast<std::uint32_t>(drop_bits) << (kSinglePrecision - 1);
  rounding.min_normal = numerics::min_normal(format);
  rounding.tiny_threshold = static_cast<float>(tiny_threshold_of(spec, /*negative=*/false));  // exact: p + 1 bits
  rounding.max_finite = numerics::max_finite(format);
  rounding.sum_limit = std::min(largest_safe_sum(spec), kLargestSum);
  rounding.keep_mask = ~((1u << drop_bits) - 1);
  if (rounding.mode != NarrowRounding::Mode::kNearest && format.emin() <= 0) {
    const int exponent = numerics::kFp32.emin() - format.emin();
    rounding.a_scale_exponent = exponent / 2;
    rounding.b_scale_exponent = exponent - exponent / 2;
    rounding.a_scale = std::ldexp(1.0F, rounding.a_scale_exponent);
    rounding.b_scale = std::ldexp(1.0F, rounding.b_scale_exponent);
  }
  return rounding;
}

}  // namespace

SignConstants::SignConstants(const FloatSpec& spec, bool negative)
    : tiny_threshold(tiny_threshold_of(spec, negative)), overflow(overflow_result(spec, /*finite=*/true, negative)) {}

RoundingConstants::RoundingConstants(const FloatSpec& spec)
    : rounding(spec.rounding),
      min_normal(std::ldexp(1.0, spec.format.emin())),
      magic(std::ldexp(1.5, kDoublePrecision - spec.format.precision_bits())),
      quantum(std::ldexp(1.0, 1 - spec.format.precision_bits())),
      growth(growth_of(spec)),
      max_finite(numerics::max_finite(spec.format)),
      positive(spec, /*negative=*/false),
      negative(spec, /*negative=*/true),
      infinite_overflow(overflow_result(spec, /*finite=*/false, /*negative=*/false)),
      nan_result(spec.format.has_nan() ? kNan : max_finite),
      nan_events(spec.format.has_nan() ? EventSet{} : EventSet{Event::kInvalid, Event::kSaturated}),
      flush_output(spec.flush_output),
      has_negative_zero(spec.format.has_negative_zero()) {
  if (rounding != RoundingMode::kStochastic) return;
  constexpr int kWordBits = 32;
  constexpr std::uint32_t kSignBit = 0x80000000;
  random_mask = static_cast<std::uint32_t>((std::uint64_t{1} << spec.random_bits) - 1);
  random_grid = std::ldexp(quantum, -spec.random_bits);
  random_flip = spec.random_bits == kWordBits ? kSignBit : 0;
  random_top = std::ldexp(1.0, spec.random_bits) - static_cast<double>(random_flip);
}

GemmPlan::GemmPlan(const OperandFormats& operand_formats, const arith::AccumulationSpec& accumulation,
                   std::size_t length, const GemmOptions& options)
    : spec(accumulation),
      wanted(options.wanted),
      counts(!options.wanted.empty()),
      stream(options.stream),
      inner(spec.inner),
      outer(spec.outer),
      product(spec.product.value_or(numerics::FloatSpec{})),
      operands(operand_formats),
      fast(fast_kernel(operand_formats, spec)),
      narrow(fast == FastKernel::kNarrow || fast == FastKernel::kNarrowTree || fast == FastKernel::kHalfTree
                 ? narrow_rounding(operand_formats, spec.inner)
                 : NarrowRounding{}),
      aligned(fast == FastKernel::kAligned ? aligned_rounding(spec) : AlignedRounding{}) {
  lay_out_k(length, *this);
}

}  // namespace guardbit::kernels
