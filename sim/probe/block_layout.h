#pragma once
/// How a tensor of a block format is cut: lines along one axis, blocks along each line.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/probe/tensor_coder.h"

namespace guardbit::sim {

struct BlockLayout {
  std::size_t length = 1;  ///< of a line
  std::size_t stride = 1;  ///< between neighbours of a line; lines begin next to each other
  std::size_t num_lines = 1;
  std::size_t block_size = 1;
  std::size_t num_blocks = 1;               ///< of a line; the last may be shorter
  std::vector<std::uint64_t> scales_shape;  ///< the tensor's, with blocks in place of the axis

  /// Of the first element of a line or, given `num_blocks` for `size`, of its first block.
  std::size_t begin(std::size_t line, std::size_t size) const { return line / stride * size * stride + line % stride; }
};

/// UserError kUsage if a tensor of that shape does not have the coding's axis.
[[nodiscard]] BlockLayout layout_of(const std::vector<std::uint64_t>& shape, const BlockCoding& coding,
                                    const std::string& name);

}  // namespace guardbit::sim
