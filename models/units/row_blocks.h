#pragma once
/// Splitting the rows of a unit's work over ParallelFor so that neither values nor event counts depend on threads.
#include <algorithm>
#include <cstddef>
#include <functional>
#include <vector>

#include "models/numerics/events.h"
#include "models/numerics/matrix.h"

namespace guardbit::units {

using numerics::EventCounts;
using numerics::EventLedger;
using numerics::Matrix;
using numerics::MatrixView;
using numerics::ParallelFor;

/// Elements of one block of rows: enough work to outweigh handing it to a thread.
inline constexpr std::size_t kBlockElements = 16384;

/// Calls body(begin, end, ledger of the block) for consecutive ranges of rows that depend only on the shape, and adds
/// the blocks' ledgers to `ledger` in row order. The bodies run in kernels::FloatEnvironment, whatever the host has
/// set.
void for_row_blocks(std::size_t num_rows, std::size_t num_cols, const ParallelFor& parallel_for, EventLedger& ledger,
                    const std::function<void(std::size_t begin, std::size_t end, EventLedger& events)>& body);

}  // namespace guardbit::units
