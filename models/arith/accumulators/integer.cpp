#include "models/arith/accumulators/reduce.h"

namespace guardbit::arith {
namespace {

using numerics::Event;
using numerics::IntFormat;

/// The low bits of a sum as a two's-complement number of the format.
std::int64_t wrap(std::int64_t sum, const IntFormat& format) {
  const std::int64_t modulus = std::int64_t{1} << format.bits;
  const std::int64_t low_bits = sum & (modulus - 1);
  return low_bits > format.max() ? low_bits - modulus : low_bits;
}

}  // namespace

std::int64_t integer_step(std::int64_t acc, std::int8_t a, std::int8_t b, const IntAccumulationSpec& spec,
                          AccumulationEvents& events) {
  const std::int64_t sum = acc + std::int64_t{a} * b;
  if (sum >= spec.inner.min() && sum <= spec.inner.max()) return sum;
  if (spec.overflow == numerics::IntOverflow::kWrap) {
    events.inner.add({Event::kWrapped});
    return wrap(sum, spec.inner);
  }
  events.inner.add({Event::kSaturated});
  return sum < 0 ? spec.inner.min() : spec.inner.max();
}

std::int64_t reduce_integer(std::span<const std::int8_t> a, std::span<const std::int8_t> b,
                            const IntAccumulationSpec& spec, AccumulationEvents& events) {
  std::int64_t acc = 0;
  for (std::size_t k = 0; k < a.size(); ++k) acc = integer_step(acc, a[k], b[k], spec, events);
  return acc;
}

}  // namespace guardbit::arith
