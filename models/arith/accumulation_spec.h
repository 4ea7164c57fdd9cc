#pragma once
/// What a matrix unit's arithmetic is, in hardware terms: how products are rounded, in which order they are reduced,
/// in which formats sums are held. Pure data; the reference that executes it is accumulator.h, the fast twins are in
/// models/kernels.
#include <cstdint>
#include <optional>
#include <string_view>

#include "models/numerics/int_format.h"
#include "models/numerics/random_bits.h"
#include "models/numerics/rounding.h"

namespace guardbit::arith {

/// Order in which the products of one chunk meet the accumulator.
enum class Reduce {
  kSequential,  ///< "sequential": one product a step, acc = round(acc + product)
  kTree,        ///< "tree": `width` products a step through an adder tree, then acc = round(acc + tree)
};

/// Float accumulation of one output element over K products, k ascending.
///
/// One chunk (all of K, or promote_every products):
///   sequential   acc_i = round(acc_i + a_k*b_k)                                one rounding if the product is exact
///   tree(W)      leaves a_k*b_k for W consecutive k, a last partial group padded with +0; nodes pair neighbours
///                (0,1), (2,3), ... then pairs of pairs, every node rounds to `inner`; acc_i = round(acc_i + root)
///   acc_i        i = step mod interleave, steps counted from the chunk's first; all start at +0; at the end of the
///                chunk they are merged in index order, acc_0 = round(acc_0 + acc_i) for i = 1 .. interleave - 1,
///                unused accumulators included
/// Promotion: outer = round_outer(outer + scale_c * acc_0) after each chunk c (one rounding: the product with the
/// scale is exact), outer starts at +0, acc restarts at +0. Without promotion the result is acc_0 and, if a scale is
/// given, internal error.
///
/// Random steps of stochastic rounding (RandomStream with the stage's unit): product k: step k; tree step s: node j of
/// W - 1 (level by level, left to right) has step s*W + j, the accumulation s*W + W - 1 (sequential: W = 1); merges of
/// chunk c: 2^31 + c*interleave + i; promotion of chunk c: step c. These k and s count through all chunks.
struct AccumulationSpec {
  Reduce reduce = Reduce::kSequential;
  int width = 1;                                 ///< kTree: W, a power of two, 2..64
  int interleave = 1;                            ///< accumulators per chunk used in turn, 1..16
  std::optional<numerics::FloatSpec> product{};  ///< rounding of single products; none: exact
  numerics::FloatSpec inner{};                   ///< accumulator (and tree nodes); flush_input is not supported here
  int promote_every = 0;                         ///< products per chunk; 0: no promotion
  numerics::FloatSpec outer{};                   ///< accumulator buffer, only with promotion

  friend bool operator==(const AccumulationSpec&, const AccumulationSpec&) = default;
};

/// Integer accumulation: I_c = sum of products of chunk c in a two's-complement accumulator, k ascending, every step
/// wrapped or saturated; then outer = round_outer(outer + scale_c * I_c), one rounding, outer starts at +0.
struct IntAccumulationSpec {
  numerics::IntFormat inner{32};
  numerics::IntOverflow overflow = numerics::IntOverflow::kWrap;
  int promote_every = 0;  ///< products per chunk (the group size); 0: all of K is one chunk
  numerics::FloatSpec outer{};

  friend bool operator==(const IntAccumulationSpec&, const IntAccumulationSpec&) = default;
};

/// Events of a whole GEMM by stage. Reported: product, inner accumulator, outer accumulator.
struct AccumulationEvents {
  numerics::EventCounts product;
  numerics::EventCounts inner;
  numerics::EventCounts outer;
  AccumulationEvents& operator+=(const AccumulationEvents& other) {
    product += other.product;
    inner += other.inner;
    outer += other.outer;
    return *this;
  }
  friend bool operator==(const AccumulationEvents&, const AccumulationEvents&) = default;
};

/// Unit numbers that keep the random streams of the stages of one GEMM apart: stream.unit * 4 + this.
enum class RandomStage : std::uint32_t { kProduct = 0, kInner = 1, kOuter = 2 };
constexpr numerics::RandomStream stage_stream(numerics::RandomStream stream, RandomStage stage) {
  return {stream.seed, stream.unit * 4 + static_cast<std::uint32_t>(stage)};
}

}  // namespace guardbit::arith
