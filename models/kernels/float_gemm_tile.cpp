#include "models/kernels/float_gemm_tile.h"

#include <algorithm>
#include <cstring>

#include "hwy/cache_control.h"
#include "models/kernels/float_gemm_chunk.h"
#include "models/kernels/float_gemm_fixed.h"
#include "models/kernels/float_gemm_layout.h"
#include "models/kernels/float_gemm_ranges.h"
#include "models/kernels/float_gemm_tree.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/float_gemm_tile.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "models/kernels/float_gemm_exact-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

/// Carriers of one tile's accumulators; each (kTileRows, kTileCols).
struct TileState {
  HWY_ALIGN float first[kTileRows * kTileCols];  ///< inner accumulator 0, into which the others are merged
  HWY_ALIGN float other[kTileRows * kTileCols];  ///< one of the others
  HWY_ALIGN float outer[kTileRows * kTileCols];
};

/// Sums one accumulator's steps, from +0.
void run_accumulator(const TileJob& job, const KChunk& chunk, float* acc) {
  const GemmPlan& plan = *job.plan;
  std::fill(acc, acc + kTileRows * kTileCols, 0.0F);
  if (chunk.range.begin == chunk.range.end) return;
  if (plan.fast == FastKernel::kAligned) {
    run_aligned_chunk(job, chunk, acc);
    return;
  }
  if (plan.fast == FastKernel::kFixed) {
    run_fixed_chunk(job, chunk, acc);
    return;
  }
  if (plan.spec.reduce == arith::Reduce::kTree) {
    if (!run_tree_chunk(job, chunk, acc)) run_exact_tree(job, chunk, acc);
    return;
  }
  with_mode(plan.inner.rounding, plan.counts, [&](auto mode, auto counts) {
    const auto run_exact = [&](KBlock range) { run_exact_sequential<mode.value, counts.value>(job, range, acc); };
    run_sequential_chunk(job, chunk, run_exact, acc);
  });
}

/// The promotion into fp32, where nothing special happens in it.
bool promote_to_single(const TileJob& job, const TileSum& sum, const float* addend, float* acc) {
  const GemmPlan& plan = *job.plan;
  if (plan.spec.outer.format != numerics::kFp32 || plan.spec.outer.rounding != numerics::RoundingMode::kTiesToEven ||
      plan.spec.outer.flush_output) {
    return false;
  }
  StepCounts counts;
  const bool counts_events = wanted_counting(plan.wanted) != StepCounting::kNone;
  if (!add_to_single(addend, sum.scale, counts_events, acc, counts)) return false;
  add_events(job, counts, sum.events);
  return true;
}

void add(const TileJob& job, const TileSum& sum, const float* addend, float* acc) {
  with_mode(sum.rounding.rounding, job.plan->counts,
            [&](auto mode, auto counts) { add_tile<mode.value, counts.value>(job, sum, addend, acc); });
}

void run_chunk(const TileJob& job, std::size_t chunk, TileState& state) {
  constexpr std::uint32_t kFirstMergeStep = 1u << 31;
  const GemmPlan& plan = *job.plan;
  const std::size_t begin = chunk * plan.interleave();
  run_accumulator(job, plan.chunks[begin], state.first);
  for (std::size_t i = 1; i < plan.interleave(); ++i) {
    run_accumulator(job, plan.chunks[begin + i], state.other);
    const TileSum merge{.rounding = plan.inner,
                        .stage = arith::RandomStage::kInner,
                        .random_step = kFirstMergeStep + static_cast<std::uint32_t>(begin + i),
                        .scale = 1,
                        .events = job.events->inner};
    add(job, merge, state.other, state.first);
  }
  if (plan.spec.promote_every == 0) return;
  const TileSum promotion{.rounding = plan.outer,
                          .stage = arith::RandomStage::kOuter,
                          .random_step = static_cast<std::uint32_t>(chunk),
                          .scale = job.scales.empty() ? 1 : job.scales[chunk],
                          .events = job.events->outer};
  if (!promote_to_single(job, promotion, state.first, state.outer)) add(job, promotion, state.first, state.outer);
}

void run_tile_here(const TileJob& job) {
  TileState state{};
  for (std::size_t chunk = 0; chunk < job.plan->num_chunks(); ++chunk) run_chunk(job, chunk, state);
  const float* const result = job.plan->spec.promote_every == 0 ? state.first : state.outer;
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

/// Four rows of contiguous values: values[k * width + i] = rows[i * row_stride + k].
void transpose_rows(const float* rows, std::size_t row_stride, std::size_t length, std::size_t width, float* values) {
  std::size_t k = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::FixedTag<float, 4> d;
  for (; k + 4 <= length; k += 4) {
    const auto row0 = hn::LoadU(d, rows + k);
    const auto row1 = hn::LoadU(d, rows + row_stride + k);
    const auto row2 = hn::LoadU(d, rows + 2 * row_stride + k);
    const auto row3 = hn::LoadU(d, rows + 3 * row_stride + k);
    const auto even_low = hn::InterleaveLower(d, row0, row2), even_high = hn::InterleaveUpper(d, row0, row2);
    const auto odd_low = hn::InterleaveLower(d, row1, row3), odd_high = hn::InterleaveUpper(d, row1, row3);
    hn::StoreU(hn::InterleaveLower(d, even_low, odd_low), d, values + k * width);
    hn::StoreU(hn::InterleaveUpper(d, even_low, odd_low), d, values + (k + 1) * width);
    hn::StoreU(hn::InterleaveLower(d, even_high, odd_high), d, values + (k + 2) * width);
    hn::StoreU(hn::InterleaveUpper(d, even_high, odd_high), d, values + (k + 3) * width);
  }
#endif
  for (; k < length; ++k) {
    for (std::size_t i = 0; i < 4; ++i) values[k * width + i] = rows[i * row_stride + k];
  }
}

void pack_panel_here(const MatrixView<const float>& source, std::size_t width, const GemmPlan& plan,
                     PackedPanel& panel) {
  const std::size_t length = source.cols;
  panel.values.resize(length * width);
  if (source.rows < width) std::fill(panel.values.begin(), panel.values.end(), 0.0F);
  float* const values = panel.values.data();
  if (source.row_stride == 1) {
    constexpr std::size_t kAhead = 16;  // steps; a step's values lie far from the last one's
    for (std::size_t k = 0; k < length; ++k) {
      const float* const from = source.data + k * source.col_stride;
      if (k + kAhead < length) hwy::Prefetch(from + kAhead * source.col_stride);
      for (std::size_t i = 0; i < source.rows; ++i) values[k * width + i] = from[i];
    }
  } else {
    for (const KBlock& block : plan.blocks) {  // a block at a time, so that its lines stay in the cache
      const std::size_t block_length = block.end - block.begin;
      std::size_t i = 0;
      for (; source.col_stride == 1 && i + 4 <= source.rows; i += 4) {
        transpose_rows(source.data + i * source.row_stride + block.begin, source.row_stride, block_length, width,
                       values + block.begin * width + i);
      }
      for (; i < source.rows; ++i) {
        const float* const from = source.data + i * source.row_stride;
        for (std::size_t k = block.begin; k < block.end; ++k) values[k * width + i] = from[k * source.col_stride];
      }
    }
  }
  reorder(plan.k_order, width, panel.values);
  panel.summaries.clear();
  for (const KBlock& block : plan.blocks) {
    panel.summaries.push_back(summarize(panel.values.data() + block.begin * width, (block.end - block.begin) * width));
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
