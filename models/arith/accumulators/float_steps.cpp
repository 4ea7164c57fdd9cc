#include "models/arith/accumulators/float_steps.h"

#include <bit>

#include "models/arith/float_ops.h"
#include "models/numerics/codec.h"

namespace guardbit::arith {

using numerics::Event;
using numerics::NumberClass;

std::uint32_t random_bits(const FloatSpec& spec, const numerics::RandomStream& stream, OutputIndex index,
                          std::uint32_t step) {
  return spec.rounding == numerics::RoundingMode::kStochastic ? stream(index.row, index.column, step) : 0;
}

Addend addend_of(float carrier) { return {.value = numerics::decode(carrier)}; }

Addend exact_product_of(float a, float b) {
  Addend product;
  product.value = exact_product(numerics::decode(a), numerics::decode(b), &product.invalid);
  return product;
}

Addend product_of(float a, float b, const AccumulationSpec& spec, const numerics::RandomStream& stream,
                  OutputIndex index, std::uint32_t step, numerics::EventCounts& events) {
  const Addend exact = exact_product_of(a, b);
  if (!spec.product) return exact;
  const std::uint32_t random = random_bits(*spec.product, stage_stream(stream, RandomStage::kProduct), index, step);
  Rounded rounded = numerics::round_to_format(exact.value, *spec.product, random);
  if (exact.invalid) rounded.events.add(Event::kInvalid);
  events.add(rounded.events);
  return {.value = numerics::decode(rounded.code, spec.product->format)};
}

float rounded_sum(const Addend& x, const Addend& y, const FloatSpec& spec, std::uint32_t random,
                  numerics::EventSet& events) {
  const auto is_operand_nan = [](const Addend& addend) {
    return addend.value.number_class == NumberClass::kNan && !addend.invalid;
  };
  bool invalid = x.invalid || y.invalid;
  const Unrounded sum = exact_sum(x.value, y.value, spec.rounding, &invalid);
  const Rounded rounded = numerics::round_to_format(sum, spec, random);
  events |= rounded.events;
  if (invalid && !is_operand_nan(x) && !is_operand_nan(y)) events.add(Event::kInvalid);
  return numerics::to_carrier(rounded.code, spec.format);
}

float accumulate(float acc, const Addend& addend, const FloatSpec& spec, std::uint32_t random,
                 numerics::EventCounts& events) {
  numerics::EventSet raised;
  const Addend old = addend_of(acc);
  const float sum = rounded_sum(old, addend, spec, random, raised);
  const bool both_finite =
      old.value.number_class == NumberClass::kFinite && addend.value.number_class == NumberClass::kFinite;
  if (both_finite && std::bit_cast<std::uint32_t>(sum) == std::bit_cast<std::uint32_t>(acc)) {
    raised.add(Event::kSwamped);
  }
  events.add(raised);
  return sum;
}

}  // namespace guardbit::arith
