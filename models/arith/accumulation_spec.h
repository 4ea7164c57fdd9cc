#pragma once
/// What a matrix unit's arithmetic is, in hardware terms: how products are rounded, in which order they are reduced,
/// in which formats sums are held. Pure data; the reference that executes it is accumulator.h, the fast twins are in
/// models/kernels.
#include <cstdint>
#include <optional>
#include <string_view>

#include "models/numerics/fixed_format.h"
#include "models/numerics/int_format.h"
#include "models/numerics/random_bits.h"
#include "models/numerics/rounding.h"

namespace guardbit::arith {

/// Order in which the products of one chunk meet the accumulator.
enum class Reduce {
  kSequential,  ///< "sequential": one product a step, acc = round(acc + product)
  kTree,        ///< "tree": `width` products a step through an adder tree, then acc = round(acc + tree)
  kAligned,     ///< "aligned": `width` products a step, aligned to the largest exponent, cut off, summed exactly
  kFixed,       ///< "fixed": one product a step into a fixed-point accumulator (Kulisch), rounded once per chunk
};

/// The alignment of Reduce::kAligned.
///
/// The terms of a step are its products and, if align_accumulator, the accumulator. Per step:
///   1. exponent   of a product: E(a) + E(b) as hardware adds them, not normalised, where E(x) = max(floor(log2 |x|),
///                 emin of x's format); so a product's significand lies in [0, 4). Of the accumulator (and of a product
///                 that was rounded to `product`): max(floor(log2 |x|), emin of its format). Zeros have no exponent.
///   2. quantum    q = 2^(E_max - F), E_max being the largest exponent of the terms
///   3. alignment  each term is rounded to a multiple of q; kTowardZero is truncation of sign and magnitude,
///                 kTowardNegative that of two's complement
///   4. sum        of the multiples, exact
///   5. result     acc = round(sum), once, into `inner`; without align_accumulator acc = round(acc + sum), once
/// A sum of zero is +0 (-0 if `inner` rounds kTowardNegative), but terms that are all zeros of one sign give that zero.
/// Specials: a NaN among the terms, 0 * inf, or infinities of both signs give NaN, else an infinity gives itself;
/// invalid is raised unless a term is a NaN by its operands.
/// Events, at the inner stage: those of the final rounding; inexact also if step 3 changed any term; swamped if a
/// non-zero accumulator keeps its bits although the exact sum of the step's (finite) products is not zero.
/// Source: arXiv 2511.10909 (MMA-Sim, "truncated fused dot-product-add"); Fasi et al., PeerJ CS 7:e330 (2021).
/// Test: tests/differential/accumulator_rational_test.cpp.
struct Alignment {
  int fraction_bits = 24;                                                 ///< F, 1..64
  numerics::RoundingMode rounding = numerics::RoundingMode::kTowardZero;  ///< any but kStochastic
  bool align_accumulator = true;                                          ///< as tensor cores do
  int emin_a = numerics::kFp32.emin();  ///< of the format of operand a; it matters where a has subnormals
  int emin_b = numerics::kFp32.emin();  ///< of the format of operand b

  friend bool operator==(const Alignment&, const Alignment&) = default;
};

/// The accumulator of Reduce::kFixed. Each product is rounded to a multiple of 2^-F (`rounding`; with enough fraction
/// bits nothing is lost), added, and the sum wrapped or saturated: acc_i = range(acc_i + rounded product). Merges are
/// such additions too. After the chunk the sum is rounded once into the float destination `inner`; zero is +0.
/// The accumulator has exception flags beside its bits: a NaN product or infinities of both signs make it NaN, an
/// infinite product makes it that infinity, and further finite products change nothing.
/// Events, at the inner stage: inexact (product bits lost), wrapped, saturated, invalid, and swamped (a non-zero
/// accumulator unchanged by a non-zero product) per step; those of the final rounding once per chunk.
/// Source: U. Kulisch, Computer Arithmetic and Validity, 2013, section 8 ("complete register").
/// Test: tests/differential/accumulator_rational_test.cpp.
struct FixedAccumulator {
  numerics::FixedFormat format{64, 64};
  numerics::RoundingMode rounding = numerics::RoundingMode::kTowardZero;  ///< any but kStochastic
  numerics::IntOverflow overflow = numerics::IntOverflow::kWrap;

  friend bool operator==(const FixedAccumulator&, const FixedAccumulator&) = default;
};

/// Float accumulation of one output element over K products, k ascending.
///
/// One chunk (all of K, or promote_every products):
///   sequential   acc_i = round(acc_i + a_k*b_k)                                one rounding if the product is exact
///   tree(W)      leaves a_k*b_k for W consecutive k, a last partial group padded with +0; nodes pair neighbours
///                (0,1), (2,3), ... then pairs of pairs, every node rounds to `inner`; acc_i = round(acc_i + root)
///   aligned(W,F) W consecutive products a step (a last partial step has fewer): see Alignment
///   fixed        one product a step: see FixedAccumulator
///   acc_i        i = step mod interleave, steps counted from the chunk's first; all start at +0; at the end of the
///                chunk they are merged in index order, acc_0 = round(acc_0 + acc_i) for i = 1 .. interleave - 1,
///                unused accumulators included
/// Promotion: outer = round_outer(outer + scale_c * acc_0) after each chunk c (one rounding: the product with the
/// scale is exact), outer starts at +0, acc restarts at +0. Without promotion the result is acc_0 and, if a scale is
/// given, internal error.
///
/// Random steps of stochastic rounding (RandomStream with the stage's unit): product k: step k; tree step s: node j of
/// W - 1 (level by level, left to right) has step s*W + j, the accumulation s*W + W - 1 (sequential: W = 1; aligned
/// step s too); merges of chunk c: 2^31 + c*interleave + i (fixed: i = 0 is the final rounding); promotion of chunk c:
/// step c. These k and s count through all chunks.
struct AccumulationSpec {
  Reduce reduce = Reduce::kSequential;
  int width = 1;                                 ///< kTree: W, a power of two, 2..64; kAligned: W, 1..256
  int interleave = 1;                            ///< accumulators per chunk used in turn, 1..16
  std::optional<numerics::FloatSpec> product{};  ///< rounding of single products; none: exact
  numerics::FloatSpec inner{};                   ///< accumulator (and tree nodes); flush_input is not supported here
  int promote_every = 0;                         ///< products per chunk; 0: no promotion
  numerics::FloatSpec outer{};                   ///< accumulator buffer, only with promotion
  Alignment alignment{};                         ///< kAligned only
  FixedAccumulator fixed{};                      ///< kFixed only

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
