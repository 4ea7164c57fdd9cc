#include <vector>

#include "models/arith/accumulators/float_steps.h"
#include "models/arith/accumulators/reduce.h"
#include "models/arith/float_ops.h"
#include "models/numerics/codec.h"
#include "models/numerics/wide_integer.h"

namespace guardbit::arith {
namespace {

using numerics::Event;
using numerics::NumberClass;
using numerics::WideInteger;

/// The exception after a NaN, a pending 0 * inf or an infinity is added.
void add_exception(FixedSum& state, const Addend& addend, numerics::EventSet& raised) {
  if (state.exception == NumberClass::kNan) return;
  if (addend.value.number_class == NumberClass::kNan) {
    if (addend.invalid) raised.add(Event::kInvalid);
    state.exception = NumberClass::kNan;
  } else if (state.exception == NumberClass::kInfinity && state.negative_infinity != addend.value.negative) {
    raised.add(Event::kInvalid);
    state.exception = NumberClass::kNan;
  } else {
    state.exception = NumberClass::kInfinity;
    state.negative_infinity = addend.value.negative;
  }
}

/// range(sum + addend).
void add_integer(FixedSum& state, const WideInteger& addend, const FixedAccumulator& spec, numerics::EventSet& raised) {
  const int bits = spec.format.bits();
  WideInteger sum = state.sum;
  sum += addend;
  if (!sum.fits(bits)) {
    const bool wraps = spec.overflow == numerics::IntOverflow::kWrap;
    raised.add(wraps ? Event::kWrapped : Event::kSaturated);
    sum = wraps ? sum.wrapped(bits) : sum.is_negative() ? WideInteger::min_of(bits) : WideInteger::max_of(bits);
  }
  state.sum = sum;
}

void add_product(FixedSum& state, const Addend& product, const FixedAccumulator& spec, numerics::EventCounts& events) {
  numerics::EventSet raised;
  const NumberClass number_class = product.value.number_class;
  if (number_class == NumberClass::kNan || number_class == NumberClass::kInfinity) {
    add_exception(state, product, raised);
  } else if (state.exception == NumberClass::kFinite && number_class == NumberClass::kFinite) {
    bool inexact = false;
    const WideInteger old = state.sum;
    const WideInteger addend =
        numerics::round_to_fraction(product.value, spec.format.fraction_bits, spec.rounding, &inexact);
    if (inexact) raised.add(Event::kInexact);
    add_integer(state, addend, spec, raised);
    if (!old.is_zero() && state.sum == old) raised.add(Event::kSwamped);
  }
  events.add(raised);
}

}  // namespace

void fixed_step(FixedSum& acc, const FloatChunk& step, const AccumulationSpec& spec, AccumulationEvents& events) {
  for (std::size_t i = 0; i < step.a.size(); ++i) {
    const auto k = step.first_k + static_cast<std::uint32_t>(i);
    const Addend product = product_of(step.a[i], step.b[i], spec, step.stream, step.index, k, events.product);
    add_product(acc, product, spec.fixed, events.inner);
  }
}

void fixed_merge(FixedSum& acc_0, const FixedSum& acc_i, const AccumulationSpec& spec, AccumulationEvents& events) {
  numerics::EventSet raised;
  if (acc_i.exception != NumberClass::kFinite) {
    add_exception(acc_0, {.value = {.number_class = acc_i.exception, .negative = acc_i.negative_infinity}}, raised);
  } else if (acc_0.exception == NumberClass::kFinite) {
    const WideInteger old = acc_0.sum;
    add_integer(acc_0, acc_i.sum, spec.fixed, raised);
    if (!old.is_zero() && !acc_i.sum.is_zero() && acc_0.sum == old) raised.add(Event::kSwamped);
  }
  events.inner.add(raised);
}

float fixed_result(const FixedSum& sum, const FloatChunk& chunk, const AccumulationSpec& spec,
                   AccumulationEvents& events) {
  constexpr std::uint32_t kFirstMergeStep = 1u << 31;
  const Unrounded value = sum.exception == NumberClass::kFinite
                              ? sum.sum.times_power_of_two(-spec.fixed.format.fraction_bits)
                              : Unrounded{.number_class = sum.exception, .negative = sum.negative_infinity};
  const std::uint32_t step = kFirstMergeStep + chunk.chunk_index * static_cast<std::uint32_t>(spec.interleave);
  const std::uint32_t random =
      random_bits(spec.inner, stage_stream(chunk.stream, RandomStage::kInner), chunk.index, step);
  const Rounded rounded = numerics::round_to_format(value, spec.inner, random);
  events.inner.add(rounded.events);
  return numerics::to_carrier(rounded.code, spec.inner.format);
}

float reduce_fixed(const FloatChunk& chunk, const AccumulationSpec& spec, AccumulationEvents& events) {
  std::vector<FixedSum> accumulators(static_cast<std::size_t>(spec.interleave));
  for (std::size_t i = 0; i < chunk.a.size(); ++i) {
    fixed_step(accumulators[i % accumulators.size()], part_of(chunk, i, 1), spec, events);
  }
  for (std::size_t i = 1; i < accumulators.size(); ++i) fixed_merge(accumulators[0], accumulators[i], spec, events);
  return fixed_result(accumulators[0], chunk, spec, events);
}

}  // namespace guardbit::arith
