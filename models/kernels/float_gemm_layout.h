#pragma once
/// The order in which K is packed, and its cut into chunks, accumulators and blocks.
#include <algorithm>
#include <vector>

#include "models/kernels/float_gemm_plan.h"

namespace guardbit::kernels {

/// Fills the plan's blocks, chunks, orders and numbers of random steps from its specification.
///
/// Step s of a chunk uses accumulator s mod interleave, and an accumulator's sum depends on its own steps only. So
/// packing brings the steps of each accumulator together, in their order, and kernels run one accumulator after the
/// other as if each were alone. The last step of a chunk, which alone can have fewer products than the width, stays
/// the last of its accumulator.
void lay_out_k(std::size_t length, GemmPlan& plan);

/// Moves rows of `width` values into an order: row i becomes the one that was order[i]; an empty order changes nothing.
template <class Value>
void reorder(const std::vector<std::uint32_t>& order, std::size_t width, std::vector<Value>& rows) {
  if (order.empty()) return;
  std::vector<Value> ordered(order.size() * width);
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::copy_n(rows.data() + order[i] * width, width, ordered.data() + i * width);
  }
  rows.swap(ordered);
}

/// The rows as they were before reorder().
template <class Value>
std::vector<Value> in_order_of_k(const std::vector<std::uint32_t>& order, std::size_t width, std::vector<Value> rows) {
  std::vector<std::uint32_t> inverse(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) inverse[order[i]] = static_cast<std::uint32_t>(i);
  reorder(inverse, width, rows);
  return rows;
}

}  // namespace guardbit::kernels
