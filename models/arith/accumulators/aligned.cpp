#include <algorithm>
#include <bit>
#include <vector>

#include "models/arith/accumulators/float_steps.h"
#include "models/arith/accumulators/reduce.h"
#include "models/arith/float_ops.h"
#include "models/numerics/codec.h"
#include "models/numerics/fixed_format.h"

namespace guardbit::arith {
namespace {

using numerics::Event;
using numerics::NumberClass;
using numerics::WideInteger;

/// A term of a step; `exponent` is what the alignment compares, meaningful for finite terms only.
struct Term {
  Addend addend;
  int exponent = 0;
};

/// floor(log2 |value|), but not below emin.
int hardware_exponent(const Unrounded& value, int emin) {
  return std::max(emin, value.exponent + numerics::bit_width(value.significand) - 1);
}

Term product_term(const FloatChunk& chunk, std::size_t i, const AccumulationSpec& spec, AccumulationEvents& events) {
  const auto k = chunk.first_k + static_cast<std::uint32_t>(i);
  Term term{.addend = product_of(chunk.a[i], chunk.b[i], spec, chunk.stream, chunk.index, k, events.product)};
  if (term.addend.value.number_class != NumberClass::kFinite) return term;
  term.exponent = spec.product ? hardware_exponent(term.addend.value, spec.product->format.emin())
                               : hardware_exponent(numerics::decode(chunk.a[i]), spec.alignment.emin_a) +
                                     hardware_exponent(numerics::decode(chunk.b[i]), spec.alignment.emin_b);
  return term;
}

bool is_special(const Term& term) {
  return term.addend.value.number_class == NumberClass::kNan ||
         term.addend.value.number_class == NumberClass::kInfinity;
}

/// The NaN or infinity that terms of which some are special sum to.
Addend special_sum(std::span<const Term> terms) {
  bool operand_nan = false;
  bool invalid = false;
  bool infinities[2] = {false, false};  // of positive and negative sign
  for (const Term& term : terms) {
    const Addend& addend = term.addend;
    if (addend.value.number_class == NumberClass::kInfinity) infinities[addend.value.negative ? 1 : 0] = true;
    if (addend.value.number_class != NumberClass::kNan) continue;
    (addend.invalid ? invalid : operand_nan) = true;
  }
  if (infinities[0] && infinities[1]) invalid = true;
  if (operand_nan || invalid) {
    return {.value = {.number_class = NumberClass::kNan}, .invalid = invalid && !operand_nan};
  }
  return {.value = {.number_class = NumberClass::kInfinity, .negative = infinities[1]}};
}

/// Steps 1 to 4 of Alignment for terms that are zero or finite. *inexact is set if the alignment changed a term.
Unrounded aligned_sum(std::span<const Term> terms, const Alignment& alignment, numerics::RoundingMode final_rounding,
                      bool* inexact) {
  bool any_finite = false;
  bool any_positive_zero = false;
  bool any_negative_zero = false;
  int largest_exponent = 0;
  for (const Term& term : terms) {
    if (term.addend.value.number_class == NumberClass::kZero) {
      (term.addend.value.negative ? any_negative_zero : any_positive_zero) = true;
      continue;
    }
    largest_exponent = any_finite ? std::max(largest_exponent, term.exponent) : term.exponent;
    any_finite = true;
  }
  const int quantum_exponent = largest_exponent - alignment.fraction_bits;
  WideInteger sum;
  for (const Term& term : terms) {
    sum += numerics::round_to_fraction(term.addend.value, -quantum_exponent, alignment.rounding, inexact);
  }
  Unrounded result = sum.times_power_of_two(quantum_exponent);
  if (result.number_class != NumberClass::kZero) return result;
  const bool mixed = any_finite || (any_positive_zero && any_negative_zero);
  result.negative = mixed ? final_rounding == numerics::RoundingMode::kTowardNegative : any_negative_zero;
  return result;
}

/// Whether the exact sum of products that are zero or finite is zero.
bool cancels(std::span<const Term> products) {
  constexpr int kLowestProductBit = -2 * 149;  // of binary32 carriers
  bool inexact = false;
  WideInteger sum;
  for (const Term& term : products) {
    sum += numerics::round_to_fraction(term.addend.value, -kLowestProductBit, numerics::RoundingMode::kTowardZero,
                                       &inexact);
  }
  return sum.is_zero();
}

/// One step: the accumulator with the products of `terms` added. The last element of `terms` is the accumulator.
float add_aligned(float acc, std::span<const Term> terms, const AccumulationSpec& spec, std::uint32_t random,
                  numerics::EventCounts& events) {
  const std::span<const Term> products = terms.first(terms.size() - 1);
  const Addend old = addend_of(acc);
  numerics::EventSet raised;
  float sum = 0;
  if (std::any_of(terms.begin(), terms.end(), is_special)) {
    const Addend special = special_sum(terms);
    const Rounded rounded = numerics::round_to_format(special.value, spec.inner, random);
    raised = rounded.events;
    if (special.invalid) raised.add(Event::kInvalid);
    sum = numerics::to_carrier(rounded.code, spec.inner.format);
  } else {
    const bool with_accumulator = spec.alignment.align_accumulator;
    bool inexact = false;
    const Unrounded aligned =
        aligned_sum(with_accumulator ? terms : products, spec.alignment, spec.inner.rounding, &inexact);
    if (inexact) raised.add(Event::kInexact);
    if (with_accumulator) {
      const Rounded rounded = numerics::round_to_format(aligned, spec.inner, random);
      raised |= rounded.events;
      sum = numerics::to_carrier(rounded.code, spec.inner.format);
    } else {
      sum = rounded_sum(old, {.value = aligned}, spec.inner, random, raised);
    }
    const bool unchanged = std::bit_cast<std::uint32_t>(sum) == std::bit_cast<std::uint32_t>(acc);
    if (unchanged && old.value.number_class == NumberClass::kFinite && !cancels(products)) {
      raised.add(Event::kSwamped);
    }
  }
  events.add(raised);
  return sum;
}

}  // namespace

float aligned_step(float acc, const FloatChunk& step, std::uint32_t step_number, const AccumulationSpec& spec,
                   AccumulationEvents& events) {
  std::vector<Term> terms;
  for (std::size_t i = 0; i < step.a.size(); ++i) terms.push_back(product_term(step, i, spec, events));
  Term accumulator{.addend = addend_of(acc)};
  accumulator.exponent = hardware_exponent(accumulator.addend.value, spec.inner.format.emin());
  terms.push_back(accumulator);
  const auto width = static_cast<std::uint32_t>(spec.width);
  const std::uint32_t random = random_bits(spec.inner, stage_stream(step.stream, RandomStage::kInner), step.index,
                                           step_number * width + width - 1);
  return add_aligned(acc, terms, spec, random, events.inner);
}

float reduce_aligned(const FloatChunk& chunk, const AccumulationSpec& spec, AccumulationEvents& events) {
  const auto width = static_cast<std::size_t>(spec.width);
  std::uint32_t step_number = first_step_number(chunk.chunk_index, spec);
  std::vector<float> accumulators(static_cast<std::size_t>(spec.interleave), 0.0F);
  for (std::size_t step = 0; step * width < chunk.a.size(); ++step) {
    float& acc = accumulators[step % accumulators.size()];
    acc = aligned_step(acc, part_of(chunk, step * width, width), step_number++, spec, events);
  }
  return merge_accumulators(accumulators, chunk, spec, events);
}

}  // namespace guardbit::arith
