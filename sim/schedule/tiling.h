#pragma once
/// Tile sizes that fit the scratchpad. Plain arithmetic; the schedule uses it, errors name the smallest size that would
/// do.
#include <cstdint>
#include <string>
#include <vector>

#include "models/units/accelerator_config.h"
#include "sim/base/error.h"

namespace guardbit::sim {

/// A memory that is too small for an op's smallest block.
struct MemoryNeed {
  std::string key;  ///< of its size, "scratchpad.bytes"
  std::int64_t got = 0;
  std::string op;
  std::uint64_t needed = 0;
};

/// Memories of the described hardware, one or both, that are too small.
class TileTooLarge : public UserError {
 public:
  explicit TileTooLarge(std::vector<MemoryNeed> needs);
  const std::vector<MemoryNeed>& needs() const { return needs_; }

 private:
  std::vector<MemoryNeed> needs_;
};

/// Storage of one row or column of a linear layer's tensors, in bytes.
struct LinearBytes {
  std::uint64_t input_row = 0;    ///< K elements in the activation storage format
  std::uint64_t operand_row = 0;  ///< K elements in the operand format
  std::uint64_t weight_col = 0;   ///< K weights of one output channel
  std::uint64_t output_element = 0;
  std::uint64_t accumulator_element = 0;  ///< of a result in the accumulator buffer
  std::uint64_t depth = 0;                ///< K, in elements
  std::uint64_t column_unit = 1;  ///< output channels that a block must not separate: a head, if heads are quantized
};

/// A linear layer's block sizes: `rows` tokens are kept with their operands while `cols` output channels at a time
/// stream past, double buffered.
struct LinearTile {
  std::uint64_t rows = 0;
  std::uint64_t cols = 0;
  std::uint64_t held_bytes(const LinearBytes& bytes) const { return rows * (bytes.input_row + bytes.operand_row); }
  std::uint64_t block_bytes(const LinearBytes& bytes, std::uint64_t block_rows, std::uint64_t block_cols) const {
    return block_cols * bytes.weight_col + block_rows * block_cols * bytes.output_element;
  }
};

/// Of the tiles that leave room for two weight blocks, and for two blocks of results in the accumulator buffer, the one
/// that needs the least time of array and DRAM for passing the weights; the largest of those. Throws
/// TileTooLarge if one row and one unit of columns do not fit, as do the others.
LinearTile tile_linear(const std::string& op, std::uint64_t num_rows, std::uint64_t num_cols, const LinearBytes& bytes,
                       const units::AcceleratorConfig& config);

/// Rows per block of a row-local operation, so that two blocks fit: 1 .. 64.
std::uint64_t tile_rows(const std::string& op, std::uint64_t num_rows, std::uint64_t bytes_per_row,
                        const units::AcceleratorConfig& config);

/// What one head of attention needs.
struct AttentionBytes {
  std::uint64_t held = 0;             ///< scratchpad: keys and values
  std::uint64_t row = 0;              ///< scratchpad, per query row: q, scores, output
  std::uint64_t accumulator_row = 0;  ///< accumulator buffer, per query row: scores or output, whichever is more
};

/// Query rows per block of attention, so that keys, values and two blocks fit.
std::uint64_t tile_attention(const std::string& op, std::uint64_t num_rows, const AttentionBytes& bytes,
                             const units::AcceleratorConfig& config);

}  // namespace guardbit::sim
