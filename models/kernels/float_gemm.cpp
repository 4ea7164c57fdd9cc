#include <algorithm>
#include <utility>

#include "models/kernels/float_environment.h"
#include "models/kernels/float_gemm_chunk.h"
#include "models/kernels/float_gemm_fixed.h"
#include "models/kernels/float_gemm_layout.h"
#include "models/kernels/float_gemm_tile.h"

namespace guardbit::kernels {
namespace {

using arith::AccumulationEvents;
using numerics::FloatSpec;
using numerics::RoundingMode;

/// Whether a sum rounded to odd at 53 bits has all that stochastic rounding reads (float_gemm_modes-inl.h).
bool has_lane_rounder(const FloatSpec& spec) {
  constexpr int kMaxStochasticBits = 52;
  if (spec.flush_input) return false;  // the reference says that this is an error
  return spec.rounding != RoundingMode::kStochastic ||
         spec.format.precision_bits() + spec.random_bits <= kMaxStochasticBits;
}

constexpr std::size_t tiles(std::size_t length, std::size_t width) { return (length + width - 1) / width; }

/// A panel's rows or columns among all of the GEMM's.
struct PanelIndex {
  std::uint32_t first = 0;
  std::size_t width = kTileRows;
  bool is_row = true;
};

/// Random words of a panel for every step of the inner stage and every product, where those are stochastic.
void add_random_words(const PanelIndex& index, const GemmPlan& plan, PackedPanel& panel) {
  const auto fill = [&](arith::RandomStage stage, const RoundingConstants& rounding, int shift, std::size_t num_steps,
                        std::vector<std::uint32_t>& words) {
    words.resize(num_steps * index.width);
    const RandomWords which{.stream = arith::stage_stream(plan.stream, stage),
                            .first_index = index.first,
                            .width = index.width,
                            .is_row = index.is_row,
                            .mask = rounding.random_mask,
                            .shift = shift};
    random_words(which, num_steps, words.data());
  };
  panel.random_words.clear();
  panel.product_random_words.clear();
  if (plan.num_random_steps != 0) {
    fill(arith::RandomStage::kInner, plan.inner, plan.narrow.random_shift, plan.num_random_steps, panel.random_words);
    reorder(plan.random_order, index.width, panel.random_words);
  }
  if (plan.num_product_random_steps != 0) {
    fill(arith::RandomStage::kProduct, plan.product, /*shift=*/0, plan.num_product_random_steps,
         panel.product_random_words);
    reorder(plan.k_order, index.width, panel.product_random_words);
  }
}

void add_nonzero_counts(std::size_t width, const GemmPlan& plan, PackedPanel& panel) {
  panel.nonzero_counts.resize(plan.counts_zeros() ? panel.values.size() / width : 0);
  for (std::size_t k = 0; k < panel.nonzero_counts.size(); ++k) {
    const float* const values = panel.values.data() + k * width;
    panel.nonzero_counts[k] =
        static_cast<std::uint8_t>(width) - static_cast<std::uint8_t>(std::count(values, values + width, 0.0F));
  }
}

void add_scaled_values(float scale, PackedPanel& panel) {
  panel.scaled_values.resize(scale == 0 ? 0 : panel.values.size());
  if (scale == 0) return;
  std::transform(panel.values.begin(), panel.values.end(), panel.scaled_values.begin(),
                 [scale](float value) { return value * scale; });
}

void add_wide_values(double scale, PackedPanel& panel) {
  panel.wide_values.resize(scale == 0 ? 0 : panel.values.size());
  if (scale == 0) return;
  std::transform(panel.values.begin(), panel.values.end(), panel.wide_values.begin(),
                 [scale](float value) { return static_cast<double>(value) * scale; });
}

/// Rows [block * kTileRows, ...) of a (M, K).
void pack_row_block(MatrixView<const float> a, std::size_t block, const GemmPlan& plan, arith::OutputIndex first,
                    PackedPanel& panel) {
  const std::size_t begin = block * kTileRows;
  pack_panel(a.rows_range(begin, std::min(begin + kTileRows, a.rows)), kTileRows, plan, panel);
  panel.half_pairs.resize(plan.uses_halves() ? panel.values.size() : 0);
  if (plan.uses_halves()) pack_half_pairs(panel.values, panel.half_pairs);
  add_nonzero_counts(kTileRows, plan, panel);
  add_wide_values(plan.fast == FastKernel::kFixed ? FixedConstants(plan).per_unit : 0, panel);
  add_scaled_values(plan.narrow.a_scale, panel);
  add_random_words({first.row + static_cast<std::uint32_t>(begin), kTileRows, /*is_row=*/true}, plan, panel);
}

/// Columns [index * kTileCols, ...) of b (K, N).
void pack_column_panel(MatrixView<const float> b, std::size_t index, const GemmPlan& plan, arith::OutputIndex first,
                       PackedPanel& panel) {
  const std::size_t begin = index * kTileCols;
  pack_panel(b.cols_range(begin, std::min(begin + kTileCols, b.cols)).transposed(), kTileCols, plan, panel);
  panel.half_codes.resize(plan.uses_halves() ? panel.values.size() : 0);
  if (plan.uses_halves()) pack_half(panel.values, panel.half_codes);
  add_nonzero_counts(kTileCols, plan, panel);
  add_wide_values(plan.fast == FastKernel::kFixed ? 1 : 0, panel);
  add_scaled_values(plan.narrow.b_scale, panel);
  add_random_words({first.column + static_cast<std::uint32_t>(begin), kTileCols, /*is_row=*/false}, plan, panel);
}

/// Packed operands of the last GEMM of this thread, for their memory: touching fresh pages would cost about as much as
/// packing itself. Taken while in use, so that nothing else that runs on the thread meanwhile finds it.
class PackingSpace {
 public:
  explicit PackingSpace(std::size_t num_panels) : panels(std::exchange(spare(), {})) { panels.resize(num_panels); }
  ~PackingSpace() {
    std::size_t num_values = 0;
    for (const PackedPanel& panel : panels) num_values += panel.values.capacity();
    if (num_values <= kMaxSpareValues) spare() = std::move(panels);
  }
  PackingSpace(const PackingSpace&) = delete;
  PackingSpace& operator=(const PackingSpace&) = delete;

  std::vector<PackedPanel> panels;

 private:
  static constexpr std::size_t kMaxSpareValues = std::size_t{1} << 21;  // 8 MiB, and what goes with them

  static std::vector<PackedPanel>& spare() {
    thread_local std::vector<PackedPanel> panels;
    return panels;
  }
};

/// The reference on a tile's packed operands.
void run_reference_tile(const TileJob& job) {
  const std::size_t length = job.a->values.size() / kTileRows;
  const std::vector<float> rows = in_order_of_k(job.plan->k_order, kTileRows, job.a->values);
  const std::vector<float> columns = in_order_of_k(job.plan->k_order, kTileCols, job.b->values);
  const MatrixView<const float> a{rows.data(), job.rows, length, 1, kTileRows};
  const MatrixView<const float> b{columns.data(), length, job.cols, kTileCols, 1};
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
  if (spec.interleave < 1) return false;  // the reference says that this is an error
  // Products are exact before they are rounded: any number of random bits will do.
  if (spec.product && spec.product->flush_input) return false;
  return has_lane_rounder(spec.inner) && (spec.promote_every == 0 || has_lane_rounder(spec.outer));
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
  GUARDBIT_CHECK(scales.empty() || (spec.promote_every != 0 && scales.size() == plan.num_chunks()),
                 "there is a scale per promoted chunk");
  PackingSpace row_space(tiles(c.rows, kTileRows));
  std::vector<PackedPanel>& row_blocks = row_space.panels;
  numerics::run_parallel(options.parallel_for, row_blocks.size(), [&](std::size_t block) {
    const FloatEnvironment worker_environment;
    pack_row_block(a, block, plan, options.first, row_blocks[block]);
  });
  // A task is one packed panel of b, which stays in the cache, times a group of row blocks: many rows, so that packing
  // costs little, but not all, so that narrow matrices keep several threads busy.
  constexpr std::size_t kGroup = 64;
  const std::size_t num_panels = tiles(c.cols, kTileCols);
  const std::size_t num_groups = tiles(row_blocks.size(), kGroup);
  for_each_task(options, num_panels * num_groups, events, [&](std::size_t task, AccumulationEvents& added) {
    const std::size_t panel_index = task % num_panels;
    const std::size_t first_block = task / num_panels * kGroup;
    PackingSpace column_space(1);
    PackedPanel& panel = column_space.panels.front();
    pack_column_panel(b, panel_index, plan, options.first, panel);
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
