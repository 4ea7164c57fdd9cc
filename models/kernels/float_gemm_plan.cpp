#include "models/kernels/float_gemm_plan.h"

#include <algorithm>
#include <cmath>
#include <limits>

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
constexpr float kLargestSum = 0x1p100F;  // the narrow kernel's intermediate results stay finite up to 2^110
constexpr int kMinNarrowQuantum = -147;  // two bits of binary32 lie below: a sum rounded to odd there rounds right

/// IEEE 754-2019 section 7.5: rounding to nearest with unbounded exponent reaches 2^emin from half an ulp of the binade
/// below (the tie goes to 2^emin, whose significand is even); truncation never does. rounding.cpp decides the same way.
double tiny_threshold_of(const FloatSpec& spec) {
  const double min_normal = std::ldexp(1.0, spec.format.emin());
  const bool rounds_up_to_min_normal =
      spec.rounding == RoundingMode::kTiesToEven && spec.tininess == numerics::Tininess::kAfterRounding;
  return rounds_up_to_min_normal ? min_normal * (1 - std::ldexp(1.0, -spec.format.precision_bits() - 1)) : min_normal;
}

/// (1 + e)^kBlockLength <= exp(kBlockLength * e), e = half an ulp to nearest, an ulp by chance, 0 truncated.
double growth_of(const FloatSpec& spec) {
  const double ulp = std::ldexp(1.0, 1 - spec.format.precision_bits());
  const double error = spec.rounding == RoundingMode::kTowardZero   ? 0
                       : spec.rounding == RoundingMode::kTiesToEven ? ulp / 2
                                                                    : ulp;
  return std::exp(static_cast<double>(kBlockLength) * error);
}

/// What rounding.cpp delivers for an overflow: the magnitude, and the events.
double overflow_result(const FloatSpec& spec, bool finite, EventSet* events) {
  const FloatFormat& format = spec.format;
  const bool truncates = finite && spec.rounding == RoundingMode::kTowardZero;
  if (spec.overflow == OverflowPolicy::kSaturate || !format.has_nan() || truncates) {
    *events = {Event::kOverflow, Event::kInexact, Event::kSaturated};
    return numerics::max_finite(format);
  }
  if (spec.overflow == OverflowPolicy::kInfinity && format.has_infinity()) {
    *events = finite ? EventSet{Event::kOverflow, Event::kInexact} : EventSet{};
    return kInfinity;
  }
  *events = {Event::kOverflow, Event::kInexact, Event::kInvalid};
  return kNan;
}

std::size_t random_steps(const arith::AccumulationSpec& spec, std::size_t length) {
  if (spec.inner.rounding != RoundingMode::kStochastic) return 0;
  if (spec.reduce == arith::Reduce::kSequential) return length;
  const auto width = static_cast<std::size_t>(spec.width);
  const std::size_t per_chunk =
      spec.promote_every == 0 ? length : std::min(length, static_cast<std::size_t>(spec.promote_every));
  const std::size_t num_chunks = per_chunk == 0 ? 0 : (length + per_chunk - 1) / per_chunk;
  return num_chunks * ((per_chunk + width - 1) / width) * width;
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
  const bool stochastic = inner.rounding == RoundingMode::kStochastic;
  if (inner.format == numerics::kFp32) return stochastic ? FastKernel::kNone : FastKernel::kSingle;
  if (are_halves && !stochastic && has_native_fp16()) return FastKernel::kHalf;
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

NarrowRounding narrow_rounding(const OperandFormats& operands, const FloatSpec& spec) {
  constexpr int kSinglePrecision = 24;
  const FloatFormat& format = spec.format;
  const int drop_bits = kSinglePrecision - format.precision_bits();
  NarrowRounding rounding;
  if (drop_bits <= 0) return rounding;
  if (spec.rounding == RoundingMode::kTowardZero) rounding.mode = NarrowRounding::Mode::kTruncate;
  if (spec.rounding == RoundingMode::kStochastic) {
    rounding.mode = NarrowRounding::Mode::kStochastic;
    rounding.random_mask = static_cast<std::uint32_t>((std::uint64_t{1} << spec.random_bits) - 1);
    rounding.random_shift = drop_bits - spec.random_bits;
  }
  rounding.fused_is_exact = fused_is_exact(operands, format);
  rounding.magic = std::ldexp(1.5F, drop_bits);
  rounding.min_normal = numerics::min_normal(format);
  rounding.tiny_threshold = static_cast<float>(tiny_threshold_of(spec));  // p + 1 bits: exact
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

RoundingConstants::RoundingConstants(const FloatSpec& spec)
    : rounding(spec.rounding),
      min_normal(std::ldexp(1.0, spec.format.emin())),
      magic(std::ldexp(1.5, kDoublePrecision - spec.format.precision_bits())),
      quantum(std::ldexp(1.0, 1 - spec.format.precision_bits())),
      growth(growth_of(spec)),
      tiny_threshold(tiny_threshold_of(spec)),
      max_finite(numerics::max_finite(spec.format)),
      finite_overflow(overflow_result(spec, /*finite=*/true, &finite_overflow_events)),
      infinite_overflow(overflow_result(spec, /*finite=*/false, &infinite_overflow_events)),
      nan_result(spec.format.has_nan() ? kNan : max_finite),
      nan_events(spec.format.has_nan() ? EventSet{} : EventSet{Event::kInvalid, Event::kSaturated}),
      flush_output(spec.flush_output),
      has_negative_zero(spec.format.has_negative_zero()) {
  if (rounding != RoundingMode::kStochastic) return;
  random_mask = static_cast<std::uint32_t>((std::uint64_t{1} << spec.random_bits) - 1);
  random_magic = std::ldexp(magic, -spec.random_bits);
  random_grid = std::ldexp(quantum, -spec.random_bits);
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
      aligned(fast == FastKernel::kAligned ? aligned_rounding(spec) : AlignedRounding{}),
      num_random_steps(random_steps(spec, length)) {
  const std::size_t per_chunk =
      spec.promote_every == 0 ? length : std::min(length, static_cast<std::size_t>(spec.promote_every));
  for (std::size_t begin = 0; begin < length; begin += per_chunk) {
    KChunk chunk{.range = {begin, std::min(begin + per_chunk, length)}, .first_block = blocks.size(), .end_block = 0};
    for (std::size_t k = begin; k < chunk.range.end; k += kBlockLength) {
      blocks.push_back({k, std::min(k + kBlockLength, chunk.range.end)});
    }
    chunk.end_block = blocks.size();
    chunks.push_back(chunk);
  }
}

}  // namespace guardbit::kernels
