#pragma once
/// The reductions of one chunk: what a row of accumulator_registry.h points to.
#include <cstdint>
#include <span>

#include "models/arith/accumulation_spec.h"
#include "models/arith/accumulator.h"

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

/// acc_0 = round(acc_0 + acc_i), i ascending: the end of a chunk with interleaved accumulators.
float merge_accumulators(std::span<const float> accumulators, const FloatChunk& chunk, const AccumulationSpec& spec,
                         AccumulationEvents& events);

/// The integer sum of one chunk in its accumulator.
std::int64_t reduce_integer(std::span<const std::int8_t> a, std::span<const std::int8_t> b,
                            const IntAccumulationSpec& spec, AccumulationEvents& events);

}  // namespace guardbit::arith
