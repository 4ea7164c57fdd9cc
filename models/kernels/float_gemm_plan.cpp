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

/// IEEE 754-2019 section 7.5: rounding to nearest with unbounded exponent reaches 2^emin from half an ulp of the binade
/// below (the tie goes to 2^emin, whose significand is even); truncation never does. rounding.cpp decides the same way.
double tiny_threshold_of(const FloatSpec& spec) {
  const double min_normal = std::ldexp(1.0, spec.format.emin());
  const bool rounds_up_to_min_normal =
      spec.rounding == RoundingMode::kTiesToEven && spec.tininess == numerics::Tininess::kAfterRounding;
  return rounds_up_to_min_normal ? min_normal * (1 - std::ldexp(1.0, -spec.format.precision_bits() - 1)) : min_normal;
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
  const std::size_t per_chunk = spec.promote_every == 0 ? length : static_cast<std::size_t>(spec.promote_every);
  const std::size_t num_chunks = per_chunk == 0 ? 0 : (length + per_chunk - 1) / per_chunk;
  return num_chunks * ((per_chunk + width - 1) / width) * width;
}

/// All values of the format are values of fp16.
bool fits_half(const FloatFormat& format) {
  constexpr FloatFormat kHalf = numerics::kFp16;
  return format.precision_bits() <= kHalf.precision_bits() && format.quantum_exponent() >= kHalf.quantum_exponent() &&
         format.max_exponent() <= kHalf.max_exponent();
}

/// One fp16 fused multiply-add is one step. Flushing would change sums that are exact.
bool can_run_as_half(const OperandFormats& operands, const arith::AccumulationSpec& spec) {
  return spec.inner.format == numerics::kFp16 && !spec.inner.flush_output && !spec.product &&
         spec.reduce == arith::Reduce::kSequential && spec.inner.rounding != RoundingMode::kStochastic &&
         fits_half(operands.a) && fits_half(operands.b);
}

}  // namespace

RoundingConstants::RoundingConstants(const FloatSpec& spec)
    : rounding(spec.rounding),
      min_normal(std::ldexp(1.0, spec.format.emin())),
      magic(std::ldexp(1.5, kDoublePrecision - spec.format.precision_bits())),
      quantum(std::ldexp(1.0, 1 - spec.format.precision_bits())),
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
      native_half(can_run_as_half(operand_formats, spec) && has_native_fp16()),
      num_random_steps(random_steps(spec, length)) {
  const std::size_t per_chunk = spec.promote_every == 0 ? length : static_cast<std::size_t>(spec.promote_every);
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
