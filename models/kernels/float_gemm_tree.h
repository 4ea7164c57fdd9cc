#pragma once
/// Fast kernels for adder trees of exact products. float_gemm_tree.cpp decides which range of a chunk may run on which.
#include "models/kernels/float_gemm_plan.h"

namespace guardbit::kernels {

/// What is known of a range, and what is wanted of it.
struct TreeMethod {
  bool leaves_are_exact = false;  ///< a first-level sum that binary32 rounds, rounded to p bits, is rounded once
  bool plain = false;             ///< no first-level sum underflows
  bool bounded = false;           ///< no sum exceeds rounding.sum_limit
  StepCounting counting = StepCounting::kNone;  ///< not kInexact
};

/// Products [0, length) of an adder tree of `width` leaves whose nodes and accumulator have p <= 11 bits, rounded to
/// nearest; products are exact in binary32. `range.acc` holds the accumulators, none of them -0. False, with nothing
/// changed: a sum exceeds rounding.sum_limit, or the target has no instructions for the method.
bool run_narrow_tree(const StepRange& range, std::size_t width, const NarrowRounding& rounding,
                     const TreeMethod& method, StepCounts& counts);

/// Chunk [0, length) of an adder tree of `width` products whose nodes and accumulator are fp16, rounded to nearest, on
/// AVX512-FP16: a node is a native addition. `exact_products`: every product is a binary16 (then a node of the first
/// level is a native fused multiply-add); else products are exact in binary32. No step events. Rejects accumulators
/// that end infinite or NaN, which every overflow of finite operands leads to.
bool run_half_tree(const StepRange& range, std::size_t width, bool exact_products);

/// An adder tree's chunk, `acc` (kTileRows, kTileCols) all +0. False, with nothing changed: the general kernel must
/// run it.
bool run_tree_chunk(const TileJob& job, const KChunk& chunk, float* acc);

}  // namespace guardbit::kernels
