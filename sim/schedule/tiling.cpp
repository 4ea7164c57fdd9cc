#include "sim/schedule/tiling.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

constexpr std::uint64_t kMaxRowsPerBlock = 64;  ///< more rows per command would only coarsen the overlap of units

/// Throws what of the smallest block does not fit.
void require(const std::string& op, std::uint64_t scratchpad_bytes, std::uint64_t accumulator_bytes,
             const units::AcceleratorConfig& config) {
  std::vector<MemoryNeed> needs;
  const std::int64_t accumulators = config.accumulator_buffer.bytes;
  if (accumulators != 0 && accumulator_bytes > static_cast<std::uint64_t>(accumulators)) {
    needs.push_back({"accumulator_buffer.bytes", accumulators, op, accumulator_bytes});
  }
  if (scratchpad_bytes > static_cast<std::uint64_t>(config.scratchpad.bytes)) {
    needs.push_back({"scratchpad.bytes", config.scratchpad.bytes, op, scratchpad_bytes});
  }
  if (!needs.empty()) throw TileTooLarge(std::move(needs));
}

/// Blocks (of one result, or one row of results) that fit the accumulator buffer twice; 1 if only one fits at all.
std::uint64_t accumulator_blocks(std::uint64_t block_bytes, const units::AcceleratorConfig& config) {
  const auto capacity = static_cast<std::uint64_t>(config.accumulator_buffer.bytes);
  if (capacity == 0) return std::numeric_limits<std::uint64_t>::max();
  return std::max<std::uint64_t>(capacity / 2 / block_bytes, 1);
}

std::string text_of(const std::vector<MemoryNeed>& needs) {
  std::string text;
  for (const MemoryNeed& need : needs) {
    text += fmt::format("{}{}: got {}; {} needs at least {}", text.empty() ? "" : "\n", need.key, need.got, need.op,
                        need.needed);
  }
  return text;
}

constexpr std::uint64_t kMaxColumnFolds = 4;  ///< larger weight blocks would only delay the first product

constexpr std::uint64_t divide_up(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit; }

/// The largest multiple of `unit` not above `value`, or `value` itself if it is smaller than `unit`.
std::uint64_t round_down(std::uint64_t value, std::uint64_t unit) { return value < unit ? value : value / unit * unit; }

}  // namespace

TileTooLarge::TileTooLarge(std::vector<MemoryNeed> needs)
    : UserError(ExitCode::kConfiguration, text_of(needs)), needs_(std::move(needs)) {}

LinearTile tile_linear(const std::string& op, std::uint64_t num_rows, std::uint64_t num_cols, const LinearBytes& bytes,
                       const units::AcceleratorConfig& config) {
  const auto capacity = static_cast<std::uint64_t>(config.scratchpad.bytes);
  const auto array_rows = static_cast<std::uint64_t>(config.array.rows);
  const auto array_cols = static_cast<std::uint64_t>(config.array.cols);
  const std::uint64_t row_bytes = bytes.input_row + bytes.operand_row;
  const std::uint64_t unit = bytes.column_unit;
  const std::uint64_t smallest = row_bytes + unit * (bytes.weight_col + bytes.output_element);
  require(op, smallest, unit * bytes.accumulator_element, config);
  const std::uint64_t most_units = accumulator_blocks(unit * bytes.accumulator_element, config);

  // More rows mean fewer passes over the weights, fewer columns mean array columns without work: both cost time.
  const auto cost = [&](const LinearTile& tile) {
    const std::uint64_t row_blocks = divide_up(num_rows, tile.rows);
    const std::uint64_t folds = divide_up(tile.rows, array_rows) * divide_up(tile.cols, array_cols);
    const std::uint64_t array_steps = row_blocks * divide_up(num_cols, tile.cols) * folds * bytes.depth;
    const std::uint64_t weight_bytes = row_blocks * num_cols * bytes.weight_col;
    return std::max(static_cast<double>(array_steps),
                    static_cast<double>(weight_bytes) / config.dram.bandwidth_bytes_per_cycle);
  };
  // Two blocks of rows at least, so that one is loaded and quantized while the other is multiplied.
  const std::uint64_t most_rows = std::min(num_rows, divide_up(divide_up(num_rows, 2), array_rows) * array_rows);
  std::optional<LinearTile> best;
  for (std::uint64_t rows = most_rows;; rows = rows > array_rows ? round_down(rows - 1, array_rows) : rows - 1) {
    const std::uint64_t rest = capacity - std::min(capacity, rows * row_bytes);
    const std::uint64_t col_bytes = bytes.weight_col + rows * bytes.output_element;
    std::uint64_t cols = std::min(rest / (2 * col_bytes), num_cols);  // double buffered
    if (cols < unit && rows == 1 && !best) cols = unit;               // one at a time, if nothing else fits
    cols = std::min(cols, most_units / rows * unit);
    cols = unit == 1 ? std::min(round_down(cols, array_cols), kMaxColumnFolds * array_cols)
                     : std::min(cols, std::max(kMaxColumnFolds * array_cols, unit)) / unit * unit;
    const LinearTile tile{rows, cols};
    if (cols > 0 && (!best || cost(tile) < cost(*best))) best = tile;
    if (rows == 1) return *best;
  }
}

std::uint64_t tile_rows(const std::string& op, std::uint64_t num_rows, std::uint64_t bytes_per_row,
                        const units::AcceleratorConfig& config) {
  const auto capacity = static_cast<std::uint64_t>(config.scratchpad.bytes);
  require(op, bytes_per_row, 0, config);
  return std::clamp<std::uint64_t>(capacity / 2 / bytes_per_row, 1, std::min(num_rows, kMaxRowsPerBlock));
}

std::uint64_t tile_attention(const std::string& op, std::uint64_t num_rows, const AttentionBytes& bytes,
                             const units::AcceleratorConfig& config) {
  const auto capacity = static_cast<std::uint64_t>(config.scratchpad.bytes);
  const std::uint64_t smallest = bytes.held + 2 * bytes.row;
  require(op, smallest, bytes.accumulator_row, config);
  const std::uint64_t fitting =
      std::min((capacity - bytes.held) / 2 / bytes.row, accumulator_blocks(bytes.accumulator_row, config));
  return round_down(std::clamp<std::uint64_t>(fitting, 1, num_rows), static_cast<std::uint64_t>(config.array.rows));
}

}  // namespace guardbit::sim
