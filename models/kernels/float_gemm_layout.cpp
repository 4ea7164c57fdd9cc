#include "models/kernels/float_gemm_layout.h"

namespace guardbit::kernels {
namespace {

using numerics::RoundingMode;

/// Packs one accumulator after the other.
class Layout {
 public:
  explicit Layout(GemmPlan& plan)
      : plan_(plan),
        width_(plan.spec.reduce == arith::Reduce::kSequential ? 1 : static_cast<std::size_t>(plan.spec.width)) {}

  std::size_t random_steps() const { return next_random_step_; }

  /// All accumulators of the chunk `range` of K, which is also its range of packed positions.
  void add_chunk(KBlock range) {
    const std::size_t num_steps = (range.end - range.begin + width_ - 1) / width_;
    const std::size_t first_random_step = next_random_step_;
    std::size_t position = range.begin;
    for (std::size_t i = 0; i < plan_.interleave(); ++i) {
      KChunk chunk{.range = {position, position}, .first_random_step = next_random_step_};
      for (std::size_t step = i; step < num_steps; step += plan_.interleave()) {
        chunk.range.end += add_step(range, step, first_random_step);
      }
      position = chunk.range.end;
      add_blocks(chunk);
      plan_.chunks.push_back(chunk);
    }
  }

 private:
  /// The number of products of the step.
  std::size_t add_step(KBlock range, std::size_t step, std::size_t first_random_step) {
    const std::size_t begin = range.begin + step * width_;
    const std::size_t end = std::min(begin + width_, range.end);
    next_random_step_ += width_;
    if (plan_.interleave() > 1) {
      for (std::size_t k = begin; k < end; ++k) plan_.k_order.push_back(static_cast<std::uint32_t>(k));
      for (std::size_t i = 0; i < width_; ++i) {
        plan_.random_order.push_back(static_cast<std::uint32_t>(first_random_step + step * width_ + i));
      }
    }
    return end - begin;
  }

  void add_blocks(KChunk& chunk) {
    chunk.first_block = plan_.blocks.size();
    for (std::size_t k = chunk.range.begin; k < chunk.range.end; k += kBlockLength) {
      plan_.blocks.push_back({k, std::min(k + kBlockLength, chunk.range.end)});
    }
    chunk.end_block = plan_.blocks.size();
  }

  GemmPlan& plan_;
  std::size_t width_;
  std::size_t next_random_step_ = 0;  // chunks before the last are full: their steps are those of the reference
};

}  // namespace

void lay_out_k(std::size_t length, GemmPlan& plan) {
  const std::size_t per_chunk =
      plan.spec.promote_every == 0 ? length : std::min(length, static_cast<std::size_t>(plan.spec.promote_every));
  Layout layout(plan);
  for (std::size_t begin = 0; begin < length; begin += per_chunk) {
    layout.add_chunk({begin, std::min(begin + per_chunk, length)});
  }
  const auto is_stochastic = [](const numerics::FloatSpec& spec) { return spec.rounding == RoundingMode::kStochastic; };
  if (is_stochastic(plan.spec.inner)) plan.num_random_steps = layout.random_steps();
  if (plan.spec.product && is_stochastic(*plan.spec.product)) plan.num_product_random_steps = length;
}

}  // namespace guardbit::kernels
