#pragma once
/// What one processing element and the adder behind its column compute, one step at a time: the single steps that
/// arith::gemm_reference is made of. When a step happens is sim/modules'.
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "models/arith/accumulator.h"
#include "models/arith/accumulators/reduce.h"
#include "models/kernels/scalar_rounder.h"
#include "models/units/arithmetic.h"

namespace guardbit::units {

/// A sum as a register holds it: the bits of a float carrier, or a two's-complement integer. All zeros is +0. A
/// fixed-point sum is wider: its word names what PeArithmetic keeps for it (0: nothing yet).
using SumBits = std::uint32_t;

/// Where a step or a sum belongs: its output, the chunk of K, and the place within the chunk.
struct PePlace {
  arith::OutputIndex output;
  std::uint32_t chunk = 0;
  std::uint32_t step = 0;     ///< of the chunk
  std::uint32_t first_k = 0;  ///< of the step, in all of K
};

/// Arithmetic of a mode, shared by all PEs of an array; they keep sums and event counts. A fixed-point sum has one
/// owner: the word that step() or merge() returned is used once, and deliver() ends it. Sequential float sums go
/// through kernels::ScalarRounder, which equals the reference bit for bit and event for event
/// (tests/differential/scalar_rounder_test.cpp), everything else through models/arith.
/// Test: tests/unit/pe_arithmetic_unit_test.cpp.
class PeArithmetic {
 public:
  PeArithmetic(const MatrixMode& mode, const numerics::RandomStream& stream);

  /// `sum` after the step's `count` products a[i] * b[i]: rows of int8 codes or of float carriers, as the mode has
  /// them.
  SumBits step(SumBits sum, const void* a, const void* b, std::size_t count, const PePlace& place,
               arith::AccumulationEvents& events);
  /// Interleaved accumulators: acc_0 after acc_i, i >= 1, has been added to it.
  SumBits merge(SumBits acc_0, SumBits acc_i, std::uint32_t i, const PePlace& place, arith::AccumulationEvents& events);
  /// The outer accumulator (or the result, if there is none) after a chunk's sum has arrived. `correction` is added to
  /// a sum of integers first, exactly (chunk_terms.h).
  float deliver(float outer, SumBits sum, float scale, const PePlace& place, arith::AccumulationEvents& events,
                std::int64_t correction = 0);

 private:
  float float_step(float sum, std::span<const float> a, std::span<const float> b, const PePlace& place,
                   arith::AccumulationEvents& events) const;
  arith::FloatChunk chunk_of(std::span<const float> a, std::span<const float> b, const PePlace& place) const;
  float finished(SumBits sum, const PePlace& place, arith::AccumulationEvents& events);
  SumBits take_fixed();
  arith::FixedSum& fixed(SumBits word) { return fixed_sums_[word - 1]; }
  void release(SumBits word) { free_words_.push_back(word); }

  MatrixMode mode_;
  numerics::RandomStream stream_;
  numerics::RandomStream inner_stream_;
  std::optional<kernels::ScalarRounder> sequential_;  ///< the inner format, for exact products added in turn
  bool draws_ = false;                                ///< the inner rounding is stochastic
  bool is_fixed_ = false;
  std::vector<arith::FixedSum> fixed_sums_;  // by word - 1
  std::vector<SumBits> free_words_;
};

}  // namespace guardbit::units
