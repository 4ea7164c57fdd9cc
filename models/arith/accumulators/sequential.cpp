#include <algorithm>
#include <vector>

#include "models/arith/accumulators/float_steps.h"
#include "models/arith/accumulators/reduce.h"

namespace guardbit::arith {

float sequential_step(float acc, const FloatChunk& step, const AccumulationSpec& spec, AccumulationEvents& events) {
  const numerics::RandomStream inner_stream = stage_stream(step.stream, RandomStage::kInner);
  for (std::size_t i = 0; i < step.a.size(); ++i) {
    const auto k = step.first_k + static_cast<std::uint32_t>(i);
    const Addend product = product_of(step.a[i], step.b[i], spec, step.stream, step.index, k, events.product);
    acc = accumulate(acc, product, spec.inner, random_bits(spec.inner, inner_stream, step.index, k), events.inner);
  }
  return acc;
}

float reduce_sequential(const FloatChunk& chunk, const AccumulationSpec& spec, AccumulationEvents& events) {
  std::vector<float> accumulators(static_cast<std::size_t>(spec.interleave), 0.0F);
  for (std::size_t i = 0; i < chunk.a.size(); ++i) {
    float& acc = accumulators[i % accumulators.size()];
    acc = sequential_step(acc, part_of(chunk, i, 1), spec, events);
  }
  return merge_accumulators(accumulators, chunk, spec, events);
}

FloatChunk part_of(const FloatChunk& chunk, std::size_t begin, std::size_t width) {
  const std::size_t length = std::min(width, chunk.a.size() - begin);
  FloatChunk part = chunk;
  part.a = chunk.a.subspan(begin, length);
  part.b = chunk.b.subspan(begin, length);
  part.first_k = chunk.first_k + static_cast<std::uint32_t>(begin);
  return part;
}

std::uint32_t first_step_number(std::uint32_t chunk_index, const AccumulationSpec& spec) {
  return chunk_index * static_cast<std::uint32_t>((spec.promote_every + spec.width - 1) / spec.width);
}

float merge_step(float acc_0, float acc_i, std::uint32_t i, const FloatChunk& chunk, const AccumulationSpec& spec,
                 AccumulationEvents& events) {
  constexpr std::uint32_t kFirstMergeStep = 1u << 31;
  const numerics::RandomStream stream = stage_stream(chunk.stream, RandomStage::kInner);
  const std::uint32_t step = kFirstMergeStep + chunk.chunk_index * static_cast<std::uint32_t>(spec.interleave) + i;
  return accumulate(acc_0, addend_of(acc_i), spec.inner, random_bits(spec.inner, stream, chunk.index, step),
                    events.inner);
}

float merge_accumulators(std::span<const float> accumulators, const FloatChunk& chunk, const AccumulationSpec& spec,
                         AccumulationEvents& events) {
  float acc = accumulators[0];
  for (std::size_t i = 1; i < accumulators.size(); ++i) {
    acc = merge_step(acc, accumulators[i], static_cast<std::uint32_t>(i), chunk, spec, events);
  }
  return acc;
}

}  // namespace guardbit::arith
