#include <algorithm>
#include <memory>

#include "models/kernels/float_environment.h"
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

/// Packed B panels or A row blocks with their random words.
struct PackedOperand {
  std::vector<PackedPanel> panels;

  PackedOperand(MatrixView<const float> lines, std::size_t width, const GemmPlan& plan, std::uint32_t first_index,
                bool is_row, const numerics::ParallelFor& parallel_for)
      : panels((lines.rows + width - 1) / width) {
    numerics::run_parallel(parallel_for, panels.size(), [&](std::size_t i) {
      const FloatEnvironment environment;
      const std::size_t begin = i * width;
      pack_panel(lines.rows_range(begin, std::min(begin + width, lines.rows)), width, plan, panels[i]);
      if (plan.fast == FastKernel::kHalf) add_half_codes(is_row, panels[i]);
      add_random_words(first_index + static_cast<std::uint32_t>(begin), width, plan, is_row, panels[i]);
    });
  }

 private:
  static void add_half_codes(bool is_row, PackedPanel& panel) {
    if (is_row) {
      panel.half_pairs.resize(panel.values.size());
      pack_half_pairs(panel.values, panel.half_pairs);
    } else {
      panel.half_codes.resize(panel.values.size());
      pack_half(panel.values, panel.half_codes);
    }
  }
  static void add_random_words(std::uint32_t first_index, std::size_t width, const GemmPlan& plan, bool is_row,
                               PackedPanel& panel) {
    const numerics::RandomStream stream = arith::stage_stream(plan.stream, arith::RandomStage::kInner);
    panel.random_words.resize(plan.num_random_steps * width);
    for (std::size_t step = 0; step < plan.num_random_steps; ++step) {
      for (std::size_t i = 0; i < width; ++i) {
        const auto index = first_index + static_cast<std::uint32_t>(i);
        const auto random_step = static_cast<std::uint32_t>(step);
        panel.random_words[step * width + i] =
            is_row ? stream.row_word(index, random_step) : stream.column_word(index, random_step);
      }
    }
  }
};

/// All tiles of one row block.
void run_row_block(const GemmPlan& plan, const PackedPanel& rows, const PackedOperand& columns, std::size_t first_row,
                   std::span<const float> scales, arith::OutputIndex first, MatrixView<float> c,
                   AccumulationEvents& events) {
  const FloatEnvironment environment;
  alignas(64) float result[kTileRows * kTileCols];
  for (std::size_t panel = 0; panel < columns.panels.size(); ++panel) {
    const std::size_t first_col = panel * kTileCols;
    TileJob job{.plan = &plan,
                .a = &rows,
                .b = &columns.panels[panel],
                .scales = scales,
                .rows = std::min(kTileRows, c.rows - first_row),
                .cols = std::min(kTileCols, c.cols - first_col),
                .first = {first.row + static_cast<std::uint32_t>(first_row),
                          first.column + static_cast<std::uint32_t>(first_col)},
                .result = result,
                .events = &events};
    run_tile(job);
    for (std::size_t row = 0; row < job.rows; ++row) {
      for (std::size_t col = 0; col < job.cols; ++col) {
        c(first_row + row, first_col + col) = result[row * kTileCols + col];
      }
    }
  }
}

numerics::EventCounts only_wanted(numerics::EventCounts counts, numerics::EventSet wanted) {
  for (std::size_t i = 0; i < numerics::kNumEvents; ++i) {
    if (!wanted.has(static_cast<numerics::Event>(i))) counts.counts[i] = 0;
  }
  return counts;
}

/// Runs body(row block, its events) for each block of kTileRows rows and merges the wanted events in order.
template <class Body>
void for_each_row_block(const GemmOptions& options, std::size_t num_rows, AccumulationEvents& events,
                        const Body& body) {
  std::vector<AccumulationEvents> block_events((num_rows + kTileRows - 1) / kTileRows);
  numerics::run_parallel(options.parallel_for, block_events.size(),
                         [&](std::size_t block) { body(block, block_events[block]); });
  for (const AccumulationEvents& added : block_events) {
    events.product += only_wanted(added.product, options.wanted);
    events.inner += only_wanted(added.inner, options.wanted);
    events.outer += only_wanted(added.outer, options.wanted);
  }
}

void run_reference(MatrixView<const float> a, MatrixView<const float> b, const arith::AccumulationSpec& spec,
                   std::span<const float> scales, const GemmOptions& options, MatrixView<float> c,
                   AccumulationEvents& events) {
  for_each_row_block(options, c.rows, events, [&](std::size_t block, AccumulationEvents& added) {
    const std::size_t begin = block * kTileRows;
    const std::size_t end = std::min(begin + kTileRows, c.rows);
    const arith::OutputIndex first{options.first.row + static_cast<std::uint32_t>(begin), options.first.column};
    arith::gemm_reference(a.rows_range(begin, end), b, spec, scales, options.stream, first, c.rows_range(begin, end),
                          added);
  });
}

}  // namespace

bool is_vectorized(const OperandFormats& operands, const arith::AccumulationSpec& spec) {
  static_cast<void>(operands);
  if (spec.reduce != arith::Reduce::kSequential && spec.reduce != arith::Reduce::kTree) return false;
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
  const PackedOperand rows(a, kTileRows, plan, options.first.row, /*is_row=*/true, options.parallel_for);
  const PackedOperand columns(b.transposed(), kTileCols, plan, options.first.column, /*is_row=*/false,
                              options.parallel_for);
  for_each_row_block(options, c.rows, events, [&](std::size_t block, AccumulationEvents& added) {
    run_row_block(plan, rows.panels[block], columns, block * kTileRows, scales, options.first, c, added);
  });
}

void gemm_fp32(MatrixView<const float> a, MatrixView<const float> b, const numerics::ParallelFor& parallel_for,
               MatrixView<float> c) {
  AccumulationEvents none;
  gemm(a, b, {}, {}, {}, {.wanted = {}, .stream = {}, .first = {}, .parallel_for = parallel_for}, c, none);
}

}  // namespace guardbit::kernels
