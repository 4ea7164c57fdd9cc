#include "models/kernels/float_gemm_tile.h"

#include <algorithm>
#include <cstring>

#include "models/kernels/float_gemm_chunk.h"
#include "models/kernels/float_gemm_fixed.h"
#include "models/kernels/float_gemm_tree.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/float_gemm_tile.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "models/kernels/float_gemm_exact-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

using numerics::RoundingMode;

void run_chunk(const TileJob& job, std::size_t chunk_index, TileState& state) {
  const GemmPlan& plan = *job.plan;
  if (plan.fast == FastKernel::kAligned) {
    run_aligned_chunk(job, plan.chunks[chunk_index], state.inner);
    return;
  }
  if (plan.fast == FastKernel::kFixed) {
    run_fixed_chunk(job, plan.chunks[chunk_index], state.inner);
    return;
  }
  with_mode(plan.inner.rounding, plan.counts, [&](auto mode, auto counts) {
    if (plan.spec.reduce == arith::Reduce::kTree) {
      if (run_tree_chunk(job, plan.chunks[chunk_index], state.inner)) return;
      run_exact_tree(job, chunk_index, state.inner);
    } else {
      const auto run_exact = [&](KBlock range) { run_exact_sequential<mode.value, counts.value>(job, range, state); };
      run_sequential_chunk(job, plan.chunks[chunk_index], run_exact, state.inner);
    }
  });
}

void run_tile_here(const TileJob& job) {
  const GemmPlan& plan = *job.plan;
  const bool promotes = plan.spec.promote_every != 0;
  TileState state{};
  for (std::size_t chunk = 0; chunk < plan.chunks.size(); ++chunk) {
    run_chunk(job, chunk, state);
    if (!promotes) continue;
    with_mode(plan.outer.rounding, plan.counts,
              [&](auto mode, auto counts) { promote<mode.value, counts.value>(job, chunk, state); });
  }
  const float* const result = promotes ? state.outer : state.inner;
  std::copy(result, result + kTileRows * kTileCols, job.result);
}

/// Maximum and minimum of codes; a zero counts as 0xFFFFFFFF in the minimum.
BlockSummary summarize(const float* values, std::size_t count) {
  std::uint32_t max_code = 0;
  std::uint32_t min_less_one = 0xFFFFFFFF;
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t code;
    std::memcpy(&code, values + i, sizeof(code));
    code &= 0x7FFFFFFF;
    max_code = std::max(max_code, code);
    min_less_one = std::min(min_less_one, code - 1);
  }
  return {max_code, min_less_one == 0xFFFFFFFF ? 0xFFFFFFFF : min_less_one + 1};
}

void pack_panel_here(const MatrixView<const float>& source, std::size_t width, const GemmPlan& plan,
                     PackedPanel& panel) {
  const std::size_t length = source.cols;
  panel.values.assign(length * width, 0.0F);
  float* const values = panel.values.data();
  if (source.row_stride == 1) {
    for (std::size_t k = 0; k < length; ++k) {
      const float* const from = source.data + k * source.col_stride;
      for (std::size_t i = 0; i < source.rows; ++i) values[k * width + i] = from[i];
    }
  } else {
    for (const KBlock& block : plan.blocks) {  // a block at a time, so that its lines stay in the cache
      for (std::size_t i = 0; i < source.rows; ++i) {
        const float* const from = source.data + i * source.row_stride;
        for (std::size_t k = block.begin; k < block.end; ++k) values[k * width + i] = from[k * source.col_stride];
      }
    }
  }
  panel.summaries.clear();
  for (const KBlock& block : plan.blocks) {
    panel.summaries.push_back(summarize(values + block.begin * width, (block.end - block.begin) * width));
  }
}

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {

HWY_EXPORT(run_tile_here);
HWY_EXPORT(pack_panel_here);

void run_tile(const TileJob& job) { HWY_DYNAMIC_DISPATCH(run_tile_here)(job); }

void pack_panel(MatrixView<const float> source, std::size_t width, const GemmPlan& plan, PackedPanel& panel) {
  HWY_DYNAMIC_DISPATCH(pack_panel_here)(source, width, plan, panel);
}

}  // namespace guardbit::kernels
#endif
