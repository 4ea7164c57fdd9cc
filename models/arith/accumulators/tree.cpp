#include <algorithm>
#include <vector>

#include "models/arith/accumulators/float_steps.h"
#include "models/arith/accumulators/reduce.h"

namespace guardbit::arith {
namespace {

/// Products of one tree step, padded with +0 to the tree's width.
std::vector<Addend> leaves_of_step(const FloatChunk& chunk, std::size_t begin, const AccumulationSpec& spec,
                                   AccumulationEvents& events) {
  const auto width = static_cast<std::size_t>(spec.width);
  std::vector<Addend> leaves(width, addend_of(+0.0F));
  const std::size_t end = std::min(begin + width, chunk.a.size());
  for (std::size_t i = begin; i < end; ++i) {
    const auto k = chunk.first_k + static_cast<std::uint32_t>(i);
    leaves[i - begin] = product_of(chunk.a[i], chunk.b[i], spec, chunk.stream, chunk.index, k, events.product);
  }
  return leaves;
}

/// Root of the adder tree: every level halves the list by adding neighbours, every sum is rounded.
Addend tree_root(std::vector<Addend> level, std::uint32_t first_random_step, const FloatChunk& chunk,
                 const AccumulationSpec& spec, AccumulationEvents& events) {
  const numerics::RandomStream stream = stage_stream(chunk.stream, RandomStage::kInner);
  std::uint32_t random_step = first_random_step;
  while (level.size() > 1) {
    std::vector<Addend> next;
    for (std::size_t i = 0; i < level.size(); i += 2) {
      numerics::EventSet raised;
      const std::uint32_t random = random_bits(spec.inner, stream, chunk.index, random_step++);
      next.push_back(addend_of(rounded_sum(level[i], level[i + 1], spec.inner, random, raised)));
      events.inner.add(raised);
    }
    level = std::move(next);
  }
  return level[0];
}

}  // namespace

float reduce_tree(const FloatChunk& chunk, const AccumulationSpec& spec, AccumulationEvents& events) {
  const auto width = static_cast<std::size_t>(spec.width);
  const numerics::RandomStream stream = stage_stream(chunk.stream, RandomStage::kInner);
  // All chunks before this one are full.
  const std::size_t steps_per_chunk = (static_cast<std::size_t>(spec.promote_every) + width - 1) / width;
  const std::size_t first_step = chunk.chunk_index * steps_per_chunk;
  std::vector<float> accumulators(static_cast<std::size_t>(spec.interleave), 0.0F);
  for (std::size_t step = 0; step * width < chunk.a.size(); ++step) {
    const auto first_random_step = static_cast<std::uint32_t>((first_step + step) * width);
    const Addend root =
        tree_root(leaves_of_step(chunk, step * width, spec, events), first_random_step, chunk, spec, events);
    const auto random_step = static_cast<std::uint32_t>(first_random_step + width - 1);
    float& acc = accumulators[step % accumulators.size()];
    acc = accumulate(acc, root, spec.inner, random_bits(spec.inner, stream, chunk.index, random_step), events.inner);
  }
  return merge_accumulators(accumulators, chunk, spec, events);
}

}  // namespace guardbit::arith
