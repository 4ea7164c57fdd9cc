#include "sim/probe/block_layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/base/error.h"

namespace guardbit::sim {

BlockLayout layout_of(const std::vector<std::uint64_t>& shape, const BlockCoding& coding, const std::string& name) {
  const auto rank = static_cast<int>(shape.size());
  const int axis = coding.axis < 0 ? coding.axis + rank : coding.axis;
  if (rank > 0 && (axis < 0 || axis >= rank)) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--axis: got {} for tensor '{}' of shape ({}); expected {}..{}", coding.axis,
                                printable(name), fmt::join(shape, ", "), -rank, rank - 1));
  }
  BlockLayout layout;
  layout.block_size = static_cast<std::size_t>(coding.format.format.block_size);
  layout.scales_shape = shape;
  if (rank == 0) return layout;  // a scalar is a line of one
  const auto at = static_cast<std::size_t>(axis);
  layout.length = shape[at];
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > at) layout.stride *= shape[i];
    if (i != at) layout.num_lines *= shape[i];
  }
  layout.num_blocks = (layout.length + layout.block_size - 1) / layout.block_size;
  layout.scales_shape[at] = layout.num_blocks;
  return layout;
}

}  // namespace guardbit::sim
