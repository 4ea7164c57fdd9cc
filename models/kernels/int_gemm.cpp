#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <vector>

#include "models/kernels/float_environment.h"
#include "models/kernels/gemm.h"
#include "models/kernels/int_gemm_tile.h"
#include "models/numerics/check.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;
using numerics::EventCounts;
using numerics::EventSet;

constexpr std::size_t kTilesPerTask = 4;  ///< rows of tiles that use a panel of b while it is in the cache

/// All values in -2^(bits-1) .. 2^(bits-1) - 1.
bool within_bits(MatrixView<const std::int8_t> x, int bits) {
  if (bits == 8) return true;
  if (x.col_stride > x.row_stride) x = x.transposed();
  const unsigned offset = 1u << (bits - 1);
  unsigned above = 0;  // bits of value + offset from 2^bits upwards
  for (std::size_t row = 0; row < x.rows; ++row) {
    const std::int8_t* values = x.data + row * x.row_stride;
    for (std::size_t col = 0; col < x.cols; ++col) {
      above |= static_cast<std::uint8_t>(static_cast<unsigned>(values[col * x.col_stride]) + offset);
    }
  }
  return above >> bits == 0;
}

void keep_wanted(EventCounts& counts, EventSet wanted) {
  for (std::size_t i = 0; i < numerics::kNumEvents; ++i) {
    if (!wanted.has(static_cast<Event>(i))) counts.counts[i] = 0;
  }
}

/// The operands of one GEMM, b packed.
struct IntGemm {
  MatrixView<const std::int8_t> a;
  MatrixView<const std::int8_t> b;
  const IntGemmPlan& plan;
  const GemmOptions& options;
  MatrixView<float> c;
  std::size_t width = int_tile_width();
  std::size_t num_panels = (c.cols + width - 1) / width;
  hwy::AlignedFreeUniquePtr<std::int32_t[]> b_words =
      hwy::AllocateAligned<std::int32_t>(num_panels * plan.num_groups * width);
  hwy::AlignedFreeUniquePtr<std::int16_t[]> b_halves =
      hwy::AllocateAligned<std::int16_t>(plan.has_half_steps ? num_panels * plan.depth * width : 1);
  std::vector<std::int32_t> abs_sums_b = std::vector<std::int32_t>(num_panels * plan.num_chunks);
  bool is_stochastic = plan.rounder.spec().rounding == numerics::RoundingMode::kStochastic;

  void pack_panel(std::size_t panel) {
    pack_int_b(b, panel * width, plan, b_words.get() + panel * plan.num_groups * width,
               plan.inner_may_overflow ? abs_sums_b.data() + panel * plan.num_chunks : nullptr);
    if (plan.has_half_steps) pack_half_b(b, panel * width, width, b_halves.get() + panel * plan.depth * width);
  }
  /// Random words of `count` rows or columns from `first` on: (num_chunks, count).
  std::vector<std::uint32_t> random_words(bool rows, std::size_t first, std::size_t count) const;
  void run_row_of_tiles(std::size_t first_row, std::size_t panel, IntTile& tile) const;
  arith::AccumulationEvents run_task(std::size_t task) const;
};

std::vector<std::uint32_t> IntGemm::random_words(bool rows, std::size_t first, std::size_t count) const {
  const numerics::RandomStream stream = arith::stage_stream(options.stream, arith::RandomStage::kOuter);
  const std::uint32_t origin = rows ? options.first.row : options.first.column;
  std::vector<std::uint32_t> words(plan.num_chunks * count);
  for (std::size_t chunk = 0; chunk < plan.num_chunks; ++chunk) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t index = origin + static_cast<std::uint32_t>(first + i);
      const auto step = static_cast<std::uint32_t>(chunk);
      words[chunk * count + i] = rows ? stream.row_word(index, step) : stream.column_word(index, step);
    }
  }
  return words;
}

/// One tile; its packed rows are in `tile` already, which is left as it came but for the events.
void IntGemm::run_row_of_tiles(std::size_t first_row, std::size_t panel, IntTile& tile) const {
  alignas(64) float outer[kIntTileRows * kMaxIntTileWidth];
  const std::size_t first_column = panel * width;
  tile.b = b_words.get() + panel * plan.num_groups * width;
  if (plan.has_half_steps) tile.b_halves = b_halves.get() + panel * plan.depth * width;
  tile.abs_sums_b = abs_sums_b.data() + panel * plan.num_chunks;
  tile.num_columns = std::min(width, c.cols - first_column);
  tile.outer = outer;
  std::vector<std::uint32_t> column_words;
  if (is_stochastic) column_words = random_words(/*rows=*/false, first_column, width);
  tile.column_words = column_words.data();

  const EventCounts inner_before = tile.inner_events;
  const EventCounts outer_before = tile.outer_events;
  std::fill(outer, outer + kIntTileRows * width, 0.0F);
  if (!run_int_tile(plan, plan.outer_method, tile)) {
    tile.inner_events = inner_before;
    tile.outer_events = outer_before;
    std::fill(outer, outer + kIntTileRows * width, 0.0F);
    run_int_tile(plan, OuterMethod::kScalarRounder, tile);
  }
  for (std::size_t row = 0; row < tile.num_rows; ++row) {
    const float* const results = outer + row * width;
    if (c.col_stride == 1) {
      std::copy_n(results, tile.num_columns, c.row(first_row + row) + first_column);
      continue;
    }
    for (std::size_t column = 0; column < tile.num_columns; ++column) {
      c(first_row + row, first_column + column) = results[column];
    }
  }
}

arith::AccumulationEvents IntGemm::run_task(std::size_t task) const {
  const FloatEnvironment environment;
  const std::size_t begin = task * kTilesPerTask * kIntTileRows;
  const std::size_t end = std::min(c.rows, begin + kTilesPerTask * kIntTileRows);
  const std::size_t num_tiles = (end - begin + kIntTileRows - 1) / kIntTileRows;
  const std::size_t words_per_tile = plan.num_groups * kIntTileRows;
  const auto words = hwy::AllocateAligned<std::int32_t>(num_tiles * words_per_tile);
  std::vector<std::int32_t> row_sums(num_tiles * plan.num_chunks * kIntTileRows);
  std::vector<std::int32_t> max_abs(num_tiles * plan.num_chunks);
  std::vector<std::vector<std::uint32_t>> row_words(num_tiles);
  std::vector<std::int32_t> halves(plan.has_half_steps ? num_tiles * plan.depth * kIntTileRows : 0);
  std::vector<IntTile> tiles(num_tiles);
  for (std::size_t i = 0; i < num_tiles; ++i) {
    const std::size_t first_row = begin + i * kIntTileRows;
    tiles[i].a = words.get() + i * words_per_tile;
    tiles[i].row_sums = row_sums.data() + i * plan.num_chunks * kIntTileRows;
    tiles[i].max_abs_a = max_abs.data() + i * plan.num_chunks;
    tiles[i].num_rows = std::min(kIntTileRows, end - first_row);
    pack_int_a(a, first_row, plan, words.get() + i * words_per_tile,
               row_sums.data() + i * plan.num_chunks * kIntTileRows,
               plan.inner_may_overflow ? max_abs.data() + i * plan.num_chunks : nullptr);
    if (plan.has_half_steps) {
      std::int32_t* const own = halves.data() + i * plan.depth * kIntTileRows;
      pack_half_a(a, first_row, own);
      tiles[i].a_halves = own;
    }
    if (!is_stochastic) continue;
    row_words[i] = random_words(/*rows=*/true, first_row, kIntTileRows);
    tiles[i].row_words = row_words[i].data();
  }
  for (std::size_t panel = 0; panel < num_panels; ++panel) {
    for (std::size_t i = 0; i < num_tiles; ++i) run_row_of_tiles(begin + i * kIntTileRows, panel, tiles[i]);
  }
  arith::AccumulationEvents events;
  for (const IntTile& tile : tiles) {
    events.inner += tile.inner_events;
    events.outer += tile.outer_events;
  }
  return events;
}

}  // namespace

void gemm(MatrixView<const std::int8_t> a, MatrixView<const std::int8_t> b, int operand_bits,
          const arith::IntAccumulationSpec& spec, std::span<const float> scales, const GemmOptions& options,
          MatrixView<float> c, arith::AccumulationEvents& events) {
  run_int_gemm(has_int_quads() ? IntDot::kQuads : IntDot::kPairs, a, b, operand_bits, spec, scales, options, c, events);
}

void run_int_gemm(IntDot dot, MatrixView<const std::int8_t> a, MatrixView<const std::int8_t> b, int operand_bits,
                  const arith::IntAccumulationSpec& spec, std::span<const float> scales, const GemmOptions& options,
                  MatrixView<float> c, arith::AccumulationEvents& events) {
  GUARDBIT_CHECK(a.cols == b.rows && a.rows == c.rows && b.cols == c.cols, "a (M, K) * b (K, N) = c (M, N)");
  GUARDBIT_CHECK(operand_bits >= 2 && operand_bits <= 8, "operands have 2..8 bits");
  GUARDBIT_CHECK(spec.inner.bits >= 2 && spec.inner.bits <= 32, "integer accumulators have 2..32 bits");
  GUARDBIT_CHECK(!spec.outer.flush_input, "accumulators do not flush inputs");
  GUARDBIT_CHECK(spec.promote_every >= 0, "promote_every is not negative");
  GUARDBIT_CHECK(within_bits(a, operand_bits) && within_bits(b, operand_bits), "operands are within operand_bits");
  if (a.cols == 0 || c.rows == 0 || c.cols == 0) {
    for (std::size_t row = 0; row < c.rows; ++row) {
      for (std::size_t column = 0; column < c.cols; ++column) c(row, column) = 0.0F;
    }
    return;
  }
  const IntGemmPlan plan(spec, operand_bits, a.cols, scales, options.wanted, dot);
  GUARDBIT_CHECK(scales.empty() || scales.size() == plan.num_chunks, "there is a scale per chunk");
  arith::AccumulationEvents found;
  if (plan.needs_reference) {
    arith::gemm_reference(a, b, spec, scales, options.stream, options.first, c, found);
  } else {
    IntGemm gemm_run{.a = a, .b = b, .plan = plan, .options = options, .c = c};
    numerics::run_parallel(options.parallel_for, gemm_run.num_panels,
                           [&](std::size_t panel) { gemm_run.pack_panel(panel); });
    constexpr std::size_t kRowsPerTask = kTilesPerTask * kIntTileRows;
    std::vector<arith::AccumulationEvents> task_events((c.rows + kRowsPerTask - 1) / kRowsPerTask);
    numerics::run_parallel(options.parallel_for, task_events.size(),
                           [&](std::size_t task) { task_events[task] = gemm_run.run_task(task); });
    for (const arith::AccumulationEvents& task : task_events) found += task;
  }
  keep_wanted(found.inner, options.wanted);
  keep_wanted(found.outer, options.wanted);
  events += found;
}

}  // namespace guardbit::kernels
