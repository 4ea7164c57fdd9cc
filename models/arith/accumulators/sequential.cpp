#include <vector>

#include "models/arith/accumulators/float_steps.h"
#include "models/arith/accumulators/reduce.h"

namespace guardbit::arith {

float reduce_sequential(const FloatChunk& chunk, const AccumulationSpec& spec, AccumulationEvents& events) {
  const numerics::RandomStream inner_stream = stage_stream(chunk.stream, RandomStage::kInner);
  std::vector<float> accumulators(static_cast<std::size_t>(spec.interleave), 0.0F);
  for (std::size_t i = 0; i < chunk.a.size(); ++i) {
    const auto k = chunk.first_k + static_cast<std::uint32_t>(i);
    const Addend product = product_of(chunk.a[i], chunk.b[i], spec, chunk.stream, chunk.index, k, events.product);
    float& acc = accumulators[i % accumulators.size()];
    acc = accumulate(acc, product, spec.inner, random_bits(spec.inner, inner_stream, chunk.index, k), events.inner);
  }
  return merge_accumulators(accumulators, chunk, spec, events);
}

float merge_accumulators(std::span<const float> accumulators, const FloatChunk& chunk, const AccumulationSpec& spec,
                         AccumulationEvents& events) {
  constexpr std::uint32_t kFirstMergeStep = 1u << 31;
  const numerics::RandomStream stream = stage_stream(chunk.stream, RandomStage::kInner);
  float acc = accumulators[0];
  for (std::size_t i = 1; i < accumulators.size(); ++i) {
    const auto step = static_cast<std::uint32_t>(kFirstMergeStep + chunk.chunk_index * accumulators.size() + i);
    acc = accumulate(acc, addend_of(accumulators[i]), spec.inner, random_bits(spec.inner, stream, chunk.index, step),
                     events.inner);
  }
  return acc;
}

}  // namespace guardbit::arith
