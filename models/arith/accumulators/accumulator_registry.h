#pragma once
/// The reductions a matrix unit can have, one row each. Adding one = a Reduce enumerator, a file beside this one, and a
/// row in accumulator_registry.cpp; dot_reference() and the conformance tests iterate over the rows.
#include <span>
#include <string_view>
#include <variant>

#include "models/arith/accumulators/reduce.h"

namespace guardbit::arith {

/// A reduction of float products, chosen by AccumulationSpec::reduce.
struct FloatReduction {
  Reduce reduce;
  float (*run)(const FloatChunk&, const AccumulationSpec&, AccumulationEvents&);
};
/// A reduction of integer products.
struct IntReduction {
  std::int64_t (*run)(std::span<const std::int8_t>, std::span<const std::int8_t>, const IntAccumulationSpec&,
                      AccumulationEvents&);
};

struct Accumulator {
  std::string_view name;     ///< config value
  std::string_view summary;  ///< one line for listings
  std::variant<FloatReduction, IntReduction> reduction;
  bool order_dependent;  ///< the bits depend on the order of the products (integers and fixed point: only where a step
                         ///< saturates)
  bool uses_width;       ///< reads AccumulationSpec::width
};

/// All rows. Promotion (AccumulationSpec::promote_every) composes with each of them and is not a row.
std::span<const Accumulator> accumulators();

/// The row of a float reduction.
const FloatReduction& float_reduction(Reduce reduce);

}  // namespace guardbit::arith
