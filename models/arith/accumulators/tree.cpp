#include <vector>

#include "models/arith/accumulators/float_steps.h"
#include "models/arith/accumulators/reduce.h"

namespace guardbit::arith {
namespace {

/// Products of one tree step, padded with +0 to the tree's width.
std::vector<Addend> leaves_of(const FloatChunk& step, const AccumulationSpec& spec, AccumulationEvents& events) {
  std::vector<Addend> leaves(static_cast<std::size_t>(spec.width), addend_of(+0.0F));
  for (std::size_t i = 0; i < step.a.size(); ++i) {
    const auto k = step.first_k + static_cast<std::uint32_t>(i);
    leaves[i] = product_of(step.a[i], step.b[i], spec, step.stream, step.index, k, events.product);
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

float tree_step(float acc, const FloatChunk& step, std::uint32_t step_number, const AccumulationSpec& spec,
                AccumulationEvents& events) {
  const auto width = static_cast<std::uint32_t>(spec.width);
  const Addend root = tree_root(leaves_of(step, spec, events), step_number * width, step, spec, events);
  const std::uint32_t random = random_bits(spec.inner, stage_stream(step.stream, RandomStage::kInner), step.index,
                                           step_number * width + width - 1);
  return accumulate(acc, root, spec.inner, random, events.inner);
}

float reduce_tree(const FloatChunk& chunk, const AccumulationSpec& spec, AccumulationEvents& events) {
  const auto width = static_cast<std::size_t>(spec.width);
  std::uint32_t step_number = first_step_number(chunk.chunk_index, spec);
  std::vector<float> accumulators(static_cast<std::size_t>(spec.interleave), 0.0F);
  for (std::size_t step = 0; step * width < chunk.a.size(); ++step) {
    float& acc = accumulators[step % accumulators.size()];
    acc = tree_step(acc, part_of(chunk, step * width, width), step_number++, spec, events);
  }
  return merge_accumulators(accumulators, chunk, spec, events);
}

}  // namespace guardbit::arith
