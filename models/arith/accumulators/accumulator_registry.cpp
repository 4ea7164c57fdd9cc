#include "models/arith/accumulators/accumulator_registry.h"

#include <array>

#include "models/numerics/check.h"

namespace guardbit::arith {
namespace {

constexpr std::array kAccumulators = {
    Accumulator{.name = "sequential",
                .summary = "one product a step, each sum rounded to the accumulator's format",
                .reduction = FloatReduction{Reduce::kSequential, reduce_sequential},
                .order_dependent = true,
                .uses_width = false},
    Accumulator{.name = "tree",
                .summary = "an adder tree of `width` products a step, every node rounded",
                .reduction = FloatReduction{Reduce::kTree, reduce_tree},
                .order_dependent = true,
                .uses_width = true},
    Accumulator{.name = "aligned",
                .summary = "`width` products a step aligned to the largest exponent, cut off, summed, rounded once",
                .reduction = FloatReduction{Reduce::kAligned, reduce_aligned},
                .order_dependent = true,
                .uses_width = true},
    Accumulator{.name = "fixed",
                .summary = "fixed-point (Kulisch) sum of products, rounded once at the end; exact if wide enough",
                .reduction = FloatReduction{Reduce::kFixed, reduce_fixed},
                .order_dependent = true,
                .uses_width = false},
    Accumulator{.name = "integer",
                .summary = "two's-complement sum of integer products, every step wrapped or saturated",
                .reduction = IntReduction{reduce_integer},
                .order_dependent = true,
                .uses_width = false},
};

}  // namespace

std::span<const Accumulator> accumulators() { return kAccumulators; }

const FloatReduction& float_reduction(Reduce reduce) {
  for (const Accumulator& row : kAccumulators) {
    const auto* reduction = std::get_if<FloatReduction>(&row.reduction);
    if (reduction != nullptr && reduction->reduce == reduce) return *reduction;
  }
  fail_check(__FILE__, __LINE__, "reduce is in the registry", "an enumerator has no row");
}

}  // namespace guardbit::arith
