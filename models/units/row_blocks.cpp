#include "models/units/row_blocks.h"

#include "models/kernels/float_environment.h"

namespace guardbit::units {

void for_row_blocks(std::size_t num_rows, std::size_t num_cols, const ParallelFor& parallel_for, EventLedger& ledger,
                    const std::function<void(std::size_t begin, std::size_t end, EventLedger& events)>& body) {
  if (num_rows == 0) return;
  const std::size_t block = std::max<std::size_t>(1, kBlockElements / std::max<std::size_t>(1, num_cols));
  const std::size_t num_blocks = (num_rows + block - 1) / block;
  std::vector<EventLedger> ledgers(num_blocks);
  numerics::run_parallel(parallel_for, num_blocks, [&](std::size_t i) {
    const kernels::FloatEnvironment environment;
    body(i * block, std::min(num_rows, (i + 1) * block), ledgers[i]);
  });
  for (const EventLedger& events : ledgers) ledger += events;
}

}  // namespace guardbit::units
