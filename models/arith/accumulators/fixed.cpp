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

/// The bits of a fixed-point accumulator and its exception flags.
struct FixedState {
  WideInteger sum;                               ///< multiple of 2^-F
  NumberClass exception = NumberClass::kFinite;  ///< kFinite: none
  bool negative_infinity = false;
};

/// The exception after a NaN, a pending 0 * inf or an infinity is added.
void add_exception(FixedState& state, const Addend& addend, numerics::EventSet& raised) {
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
void add_integer(FixedState& state, const WideInteger& addend, const FixedAccumulator& spec,
                 numerics::EventSet& raised) {
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

void add_product(FixedState& state, const Addend& product, const FixedAccumulator& spec,
                 numerics::EventCounts& events) {
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

/// state += other, both accumulators of one chunk.
void merge(FixedState& state, const FixedState& other, const FixedAccumulator& spec, numerics::EventCounts& events) {
  numerics::EventSet raised;
  if (other.exception != NumberClass::kFinite) {
    add_exception(state, {.value = {.number_class = other.exception, .negative = other.negative_infinity}}, raised);
  } else if (state.exception == NumberClass::kFinite) {
    const WideInteger old = state.sum;
    add_integer(state, other.sum, spec, raised);
    if (!old.is_zero() && !other.sum.is_zero() && state.sum == old) raised.add(Event::kSwamped);
  }
  events.add(raised);
}

}  // namespace

float reduce_fixed(const FloatChunk& chunk, const AccumulationSpec& spec, AccumulationEvents& events) {
  constexpr std::uint32_t kFirstMergeStep = 1u << 31;
  std::vector<FixedState> accumulators(static_cast<std::size_t>(spec.interleave));
  for (std::size_t i = 0; i < chunk.a.size(); ++i) {
    const auto k = chunk.first_k + static_cast<std::uint32_t>(i);
    const Addend product = product_of(chunk.a[i], chunk.b[i], spec, chunk.stream, chunk.index, k, events.product);
    add_product(accumulators[i % accumulators.size()], product, spec.fixed, events.inner);
  }
  FixedState& total = accumulators[0];
  for (std::size_t i = 1; i < accumulators.size(); ++i) merge(total, accumulators[i], spec.fixed, events.inner);

  const Unrounded value = total.exception == NumberClass::kFinite
                              ? total.sum.times_power_of_two(-spec.fixed.format.fraction_bits)
                              : Unrounded{.number_class = total.exception, .negative = total.negative_infinity};
  const auto step = static_cast<std::uint32_t>(kFirstMergeStep + chunk.chunk_index * accumulators.size());
  const std::uint32_t random =
      random_bits(spec.inner, stage_stream(chunk.stream, RandomStage::kInner), chunk.index, step);
  const Rounded rounded = numerics::round_to_format(value, spec.inner, random);
  events.inner.add(rounded.events);
  return numerics::to_carrier(rounded.code, spec.inner.format);
}

}  // namespace guardbit::arith
