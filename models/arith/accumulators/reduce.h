#pragma once
/// The reductions of one chunk: what a row of accumulator_registry.h points to, and the single steps they are made of,
/// which a PE does one at a time (models/units/pe_arithmetic.h).
#include <cstdint>
#include <span>

#include "models/arith/accumulation_spec.h"
#include "models/arith/accumulator.h"
#include "models/numerics/wide_integer.h"

namespace guardbit::arith {

/// One chunk of the float products of one output, and where it lies.
struct FloatChunk {
  std::span<const float> a;  // (chunk length)
  std::span<const float> b;  // (chunk length)
  std::uint32_t chunk_index = 0;
  std::uint32_t first_k = 0;  ///< position of a[0] in the whole of K
  numerics::RandomStream stream;
  OutputIndex index;
};

/// acc_0 of accumulation_spec.h after the chunk, merges included.
float reduce_sequential(const FloatChunk& chunk, const AccumulationSpec& spec, AccumulationEvents& events);
float reduce_tree(const FloatChunk& chunk, const AccumulationSpec& spec, AccumulationEvents& events);
float reduce_aligned(const FloatChunk& chunk, const AccumulationSpec& spec, AccumulationEvents& events);
float reduce_fixed(const FloatChunk& chunk, const AccumulationSpec& spec, AccumulationEvents& events);

/// The products begin .. begin + width of a chunk, fewer at its end.
FloatChunk part_of(const FloatChunk& chunk, std::size_t begin, std::size_t width);

/// acc after one step of a reduction. `step` is the part of a chunk that the step takes in: one product or more
/// (sequential, each added in turn), at most spec.width (tree, aligned). `step_number` counts steps through all chunks.
float sequential_step(float acc, const FloatChunk& step, const AccumulationSpec& spec, AccumulationEvents& events);
float tree_step(float acc, const FloatChunk& step, std::uint32_t step_number, const AccumulationSpec& spec,
                AccumulationEvents& events);
float aligned_step(float acc, const FloatChunk& step, std::uint32_t step_number, const AccumulationSpec& spec,
                   AccumulationEvents& events);
/// The first step_number of a chunk of reductions that take spec.width products a step: all chunks before it are full.
std::uint32_t first_step_number(std::uint32_t chunk_index, const AccumulationSpec& spec);

/// The bits of a fixed-point accumulator and its exception flags.
struct FixedSum {
  numerics::WideInteger sum;                                         ///< multiple of 2^-F
  numerics::NumberClass exception = numerics::NumberClass::kFinite;  ///< kFinite: none
  bool negative_infinity = false;
};
/// The step's products added in turn; the end of a chunk with interleaved accumulators; its rounded result.
void fixed_step(FixedSum& acc, const FloatChunk& step, const AccumulationSpec& spec, AccumulationEvents& events);
void fixed_merge(FixedSum& acc_0, const FixedSum& acc_i, const AccumulationSpec& spec, AccumulationEvents& events);
float fixed_result(const FixedSum& sum, const FloatChunk& chunk, const AccumulationSpec& spec,
                   AccumulationEvents& events);

/// acc_0 after acc_i has been added to it at the end of a chunk (interleaved accumulators), i >= 1.
float merge_step(float acc_0, float acc_i, std::uint32_t i, const FloatChunk& chunk, const AccumulationSpec& spec,
                 AccumulationEvents& events);

/// acc_0 = round(acc_0 + acc_i), i ascending: the end of a chunk with interleaved accumulators.
float merge_accumulators(std::span<const float> accumulators, const FloatChunk& chunk, const AccumulationSpec& spec,
                         AccumulationEvents& events);

/// acc + a * b in the integer accumulator.
std::int64_t integer_step(std::int64_t acc, std::int8_t a, std::int8_t b, const IntAccumulationSpec& spec,
                          AccumulationEvents& events);

/// The integer sum of one chunk in its accumulator.
std::int64_t reduce_integer(std::span<const std::int8_t> a, std::span<const std::int8_t> b,
                            const IntAccumulationSpec& spec, AccumulationEvents& events);

}  // namespace guardbit::arith
