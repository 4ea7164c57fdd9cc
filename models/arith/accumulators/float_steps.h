#pragma once
/// The single steps that float accumulation is made of: a product, a rounded sum, an accumulation that notices
/// swamping. Their order is sequential.cpp's and tree.cpp's, the loop over chunks accumulator.cpp's.
#include "models/arith/accumulation_spec.h"
#include "models/arith/accumulator.h"
#include "models/numerics/rounding.h"

namespace guardbit::arith {

/// An operand of a sum: exact, or an exact product that nothing has rounded yet.
struct Addend {
  numerics::Unrounded value;
  /// The value is the NaN of 0 * inf in a product that has not been rounded: the sum that takes it in reports it.
  bool invalid = false;
};

/// The random bits of one rounding; 0 unless `spec` rounds stochastically.
std::uint32_t random_bits(const numerics::FloatSpec& spec, const numerics::RandomStream& stream, OutputIndex index,
                          std::uint32_t step);

/// a * b, exact.
Addend exact_product_of(float a, float b);

/// a * b as products of `spec`: exact, or rounded to spec.product with events in `events`.
Addend product_of(float a, float b, const AccumulationSpec& spec, const numerics::RandomStream& stream,
                  OutputIndex index, std::uint32_t step, numerics::EventCounts& events);

/// The value of a carrier.
Addend addend_of(float carrier);

/// Carrier of x + y, rounded once. Invalid is raised for inf - inf and for a pending 0 * inf, unless the other operand
/// is a NaN already.
float rounded_sum(const Addend& x, const Addend& y, const numerics::FloatSpec& spec, std::uint32_t random,
                  numerics::EventSet& events);

/// acc + addend, rounded once and counted, with event swamped as accumulator.h defines it.
float accumulate(float acc, const Addend& addend, const numerics::FloatSpec& spec, std::uint32_t random,
                 numerics::EventCounts& events);

}  // namespace guardbit::arith
