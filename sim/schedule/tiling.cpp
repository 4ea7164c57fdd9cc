#include "sim/schedule/tiling.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

constexpr std::uint64_t kMaxRowsPerBlock = 64;  ///< more rows per command would only coarsen the overlap of units

[[noreturn]] void refuse(const std::string& op, std::uint64_t needed, const units::AcceleratorConfig& config) {
  throw UserError(ExitCode::kConfiguration,
                  fmt::format("scratchpad.bytes: got {}; {} needs at least {}", config.scratchpad.bytes, op, needed));
}

/// The largest multiple of `unit` not above `value`, or `value` itself if it is smaller than `unit`.
std::uint64_t round_down(std::uint64_t value, std::uint64_t unit) { return value < unit ? value : value / unit * unit; }

}  // namespace

LinearTile tile_linear(const std::string& op, std::uint64_t num_rows, std::uint64_t num_cols, const LinearBytes& bytes,
                       const units::AcceleratorConfig& config) {
  const auto capacity = static_cast<std::uint64_t>(config.scratchpad.bytes);
  const auto array_rows = static_cast<std::uint64_t>(config.array.rows);
  const auto array_cols = static_cast<std::uint64_t>(config.array.cols);
  const std::uint64_t row_bytes = bytes.input_row + bytes.operand_row;
  const std::uint64_t smallest = row_bytes + bytes.weight_col + bytes.output_element;
  if (smallest > capacity) refuse(op, smallest, config);

  const std::uint64_t wanted_cols = std::min(array_cols, num_cols);
  std::uint64_t rows = std::clamp<std::uint64_t>(capacity / 2 / row_bytes, 1, num_rows);
  rows = rows < num_rows ? round_down(rows, array_rows) : rows;
  for (;; rows = rows > array_rows ? round_down(rows / 2, array_rows) : rows / 2) {
    const std::uint64_t rest = capacity - std::min(capacity, rows * row_bytes);
    const std::uint64_t col_bytes = bytes.weight_col + rows * bytes.output_element;
    const std::uint64_t double_buffered = std::min(rest / (2 * col_bytes), num_cols);
    if (double_buffered >= wanted_cols) return {rows, round_down(double_buffered, array_cols)};
    if (rows == 1) return {1, std::clamp<std::uint64_t>(rest / col_bytes, 1, num_cols)};
  }
}

std::uint64_t tile_rows(const std::string& op, std::uint64_t num_rows, std::uint64_t bytes_per_row,
                        const units::AcceleratorConfig& config) {
  const auto capacity = static_cast<std::uint64_t>(config.scratchpad.bytes);
  if (bytes_per_row > capacity) refuse(op, bytes_per_row, config);
  return std::clamp<std::uint64_t>(capacity / 2 / bytes_per_row, 1, std::min(num_rows, kMaxRowsPerBlock));
}

std::uint64_t tile_attention(const std::string& op, std::uint64_t num_rows, std::uint64_t held_bytes,
                             std::uint64_t bytes_per_row, const units::AcceleratorConfig& config) {
  const auto capacity = static_cast<std::uint64_t>(config.scratchpad.bytes);
  const std::uint64_t smallest = held_bytes + 2 * bytes_per_row;
  if (smallest > capacity) refuse(op, smallest, config);
  const std::uint64_t fitting = (capacity - held_bytes) / 2 / bytes_per_row;
  return round_down(std::clamp<std::uint64_t>(fitting, 1, num_rows), static_cast<std::uint64_t>(config.array.rows));
}

}  // namespace guardbit::sim
