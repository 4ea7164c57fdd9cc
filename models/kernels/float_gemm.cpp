#include <algorithm>
#include <memory>

#include "models/kernels/float_environment.h"
#include "models/kernels/float_gemm_chunk.h"
#include "models/kernels/float_gemm_fixed.h"
#include "models/kernels/float_gemm_tile.h"

namespace guardbit::kernels {
namespace {

using arith::AccumulationEvents;
using numerics::FloatSpec;
using numerics::RoundingMode;

/// p + n must leave room for exact sums in binary64 (float_gemm_round-inl.h), and n bits fit a positive int32.
bool has_lane_rounder(const FloatSpec& spec) {
  constexpr int kMaxStochasticBits = 50;
  constexpr int kMaxRandomBits = 31;
  if (spec.flush_input) return false;
  if (spec.rounding == RoundingMode::kStochastic) {
    return spec.random_bits <= kMaxRandomBits && spec.format.precision_bits() + spec.random_bits <= kMaxStochasticBits;
  }
  return spec.rounding == RoundingMode::kTiesToEven || spec.rounding == RoundingMode::kTowardZero;
}

constexpr std::size_t tiles(std::size_t length, std::size_t width) { return (length + width - 1) / width; }

/// Random words of a panel's rows or columns for every step of the inner stage.
void add_random_words(std::uint32_t first_index, std::size_t width, const GemmPlan& plan, bool is_row,
                      PackedPanel& panel) {
  panel.random_words.resize(plan.num_random_steps * width);
  const RandomWords which{.stream = arith::stage_stream(plan.stream, arith::RandomStage::kInner),
                          .first_index = first_index,
                          .width = width,
                          .is_row = is_row,
                          .mask = plan.inner.random_mask,
                          .shift = plan.narrow.random_shift};
  random_words(which, plan.num_random_steps, panel.random_words.data());
}

void add_scaled_values(float scale, PackedPanel& panel) {
  if (scale == 0) return;
  panel.scaled_values.resize(panel.values.size());
  std::transform(panel.values.begin(), panel.values.end(), panel.scaled_values.begin(),
                 [scale](float value) { return value * scale; });
}

void add_wide_values(double scale, PackedPanel& panel) {
  panel.wide_values.resize(panel.values.size());
  std::transform(panel.values.begin(), panel.values.end(), panel.wide_values.begin(),
                 [scale](float value) { return static_cast<double>(value) * scale; });
}

/// Rows [block * kTileRows, ...) of a (M, K).
PackedPanel pack_row_block(MatrixView<const float> a, std::size_t block, const GemmPlan& plan,
                           arith::OutputIndex first) {
  const std::size_t begin = block * kTileRows;
  PackedPanel panel;
  pack_panel(a.rows_range(begin, std::min(begin + kTileRows, a.rows)), kTileRows, plan, panel);
  if (plan.uses_halves()) {
    panel.half_pairs.resize(panel.values.size());
    pack_half_pairs(panel.values, panel.half_pairs);
  }
  if (plan.fast == FastKernel::kFixed) add_wide_values(FixedConstants(plan).per_unit, panel);
  add_scaled_values(plan.narrow.a_scale, panel);
  add_random_words(first.row + static_cast<std::uint32_t>(begin), kTileRows, plan, /*is_row=*/true, panel);
  return panel;
}

/// Columns [index * kTileCols, ...) of b (K, N).
PackedPanel pack_column_panel(MatrixView<const float> b, std::size_t index, const GemmPlan& plan,
                              arith::OutputIndex first) {
  const std::size_t begin = index * kTileCols;
  PackedPanel panel;
  pack_panel(b.cols_range(begin, std::min(begin + kTileCols, b.cols)).transposed(), kTileCols, plan, panel);
  if (plan.uses_halves()) {
    panel.half_codes.resize(panel.values.size());
    pack_half(panel.values, panel.half_codes);
  }
  if (plan.fast == FastKernel::kFixed) add_wide_values(/*scale=*/1, panel);
  add_scaled_values(plan.narrow.b_scale, panel);
  add_random_words(first.column + static_cast<std::uint32_t>(begin), kTileCols, plan, /*is_row=*/false, panel);
  return panel;
}

/// The reference on a tile's packed operands.
void run_reference_tile(const TileJob& job) {
  const std::size_t length = job.a->values.size() / kTileRows;
  const MatrixView<const float> a{job.a->values.data(), job.rows, length, 1, kTileRows};
  const MatrixView<const float> b{job.b->values.data(), length, job.cols, kTileCols, 1};
  const MatrixView<float> c{job.result, job.rows, job.cols, kTileCols, 1};
  arith::gemm_reference(a, b, job.plan->spec, job.scales, job.plan->stream, job.first, c, *job.events);
}

/// One tile: job's operands are set; its place in c and the results are set here.
void run_tile_of(TileJob job, std::size_t first_row, std::size_t first_col, arith::OutputIndex first,
                 MatrixView<float> c) {
  alignas(64) float result[kTileRows * kTileCols];
  job.rows = std::min(kTileRows, c.rows - first_row);
  job.cols = std::min(kTileCols, c.cols - first_col);
  job.first = {first.row + static_cast<std::uint32_t>(first_row), first.column + static_cast<std::uint32_t>(first_col)};
  job.result = result;
  const bool needs_reference = (job.plan->fast == FastKernel::kAligned && !can_run_aligned(job)) ||
                               (job.plan->fast == FastKernel::kFixed && !can_run_fixed(job));
  if (needs_reference) {
    run_reference_tile(job);
  } else {
    run_tile(job);
  }
  for (std::size_t row = 0; row < job.rows; ++row) {
    const float* const values = result + row * kTileCols;
    if (c.col_stride == 1) {
      std::copy_n(values, job.cols, c.row(first_row + row) + first_col);
    } else {
      for (std::size_t col = 0; col < job.cols; ++col) c(first_row + row, first_col + col) = values[col];
    }
  }
}

numerics::EventCounts only_wanted(numerics::EventCounts counts, numerics::EventSet wanted) {
  for (std::size_t i = 0; i < numerics::kNumEvents; ++i) {
    if (!wanted.has(static_cast<numerics::Event>(i))) counts.counts[i] = 0;
  }
  return counts;
}

/// Runs body(task, its events) for each task and merges the wanted events in order.
template <class Body>
void for_each_task(const GemmOptions& options, std::size_t num_tasks, AccumulationEvents& events, const Body& body) {
  std::vector<AccumulationEvents> task_events(num_tasks);
  numerics::run_parallel(options.parallel_for, num_tasks, [&](std::size_t task) {
    const FloatEnvironment environment;
    body(task, task_events[task]);
  });
  for (const AccumulationEvents& added : task_events) {
    events.product += only_wanted(added.product, options.wanted);
    events.inner += only_wanted(added.inner, options.wanted);
    events.outer += only_wanted(added.outer, options.wanted);
  }
}

void run_reference(MatrixView<const float> a, MatrixView<const float> b, const arith::AccumulationSpec& spec,
                   std::span<const float> scales, const GemmOptions& options, MatrixView<float> c,
                   AccumulationEvents& events) {
  for_each_task(options, tiles(c.rows, kTileRows), events, [&](std::size_t block, AccumulationEvents& added) {
    const std::size_t begin = block * kTileRows;
    const std::size_t end = std::min(begin + kTileRows, c.rows);
    const arith::OutputIndex first{options.first.row + static_cast<std::uint32_t>(begin), options.first.column};
    arith::gemm_reference(a.rows_range(begin, end), b, spec, scales, options.stream, first, c.rows_range(begin, end),
                          added);
  });
}

}  // namespace

bool is_vectorized(const OperandFormats& operands, const arith::AccumulationSpec& spec) {
  if (spec.reduce == arith::Reduce::kFixed && !has_fixed_kernel(spec)) return false;
  if (spec.reduce == arith::Reduce::kAligned && !has_aligned_kernel(operands, spec)) return false;
  if (spec.interleave != 1 || !has_lane_rounder(spec.inner)) return false;
  if (spec.promote_every != 0 && !has_lane_rounder(spec.outer)) return false;
  if (!spec.product) return true;
  return spec.product->rounding != RoundingMode::kStochastic && has_lane_rounder(*spec.product);
}

void gemm(MatrixView<const float> a, MatrixView<const float> b, const OperandFormats& operands,
          const arith::AccumulationSpec& spec, std::span<const float> scales, const GemmOptions& options,
          MatrixView<float> c, AccumulationEvents& events) {
  GUARDBIT_CHECK(a.cols == b.rows && a.rows == c.rows && b.cols == c.cols, "a (M, K) * b (K, N) = c (M, N)");
  if (a.cols == 0 || !is_vectorized(operands, spec)) {
    run_reference(a, b, spec, scales, options, c, events);
    return;
  }
  const FloatEnvironment environment;
  const GemmPlan plan(operands, spec, a.cols, options);
  GUARDBIT_CHECK(scales.empty() || (spec.promote_every != 0 && scales.size() == plan.chunks.size()),
                 "there is a scale per promoted chunk");
  std::vector<PackedPanel> row_blocks(tiles(c.rows, kTileRows));
  numerics::run_parallel(options.parallel_for, row_blocks.size(), [&](std::size_t block) {
    const FloatEnvironment worker_environment;
    row_blocks[block] = pack_row_block(a, block, plan, options.first);
  });
  // A task is one packed panel of b, which stays in the cache, times a group of row blocks: many rows, so that packing
  // costs little, but not all, so that narrow matrices keep several threads busy.
  constexpr std::size_t kGroup = 64;
  const std::size_t num_panels = tiles(c.cols, kTileCols);
  const std::size_t num_groups = tiles(row_blocks.size(), kGroup);
  for_each_task(options, num_panels * num_groups, events, [&](std::size_t task, AccumulationEvents& added) {
    const std::size_t panel_index = task % num_panels;
    const std::size_t first_block = task / num_panels * kGroup;
    const PackedPanel panel = pack_column_panel(b, panel_index, plan, options.first);
    TileJob job;
    job.plan = &plan;
    job.b = &panel;
    job.scales = scales;
    job.events = &added;
    for (std::size_t block = first_block; block < std::min(first_block + kGroup, row_blocks.size()); ++block) {
      job.a = &row_blocks[block];
      run_tile_of(job, block * kTileRows, panel_index * kTileCols, options.first, c);
    }
  });
}

void gemm_fp32(MatrixView<const float> a, MatrixView<const float> b, const numerics::ParallelFor& parallel_for,
               MatrixView<float> c) {
  AccumulationEvents none;
  gemm(a, b, {}, {}, {}, {.wanted = {}, .stream = {}, .first = {}, .parallel_for = parallel_for}, c, none);
}

}  // namespace guardbit::kernels
