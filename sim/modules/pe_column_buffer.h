#pragma once
/// The accumulator buffer's share of one column: takes the sums that leave the column, one a cycle, corrects them for
/// zero points and adds them, scaled, to the outer accumulators.
#include <systemc>

#include "sim/modules/pe_registers.h"
#include "sim/modules/pe_run.h"

namespace guardbit::sim {

class PeColumnBuffer : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(PeColumnBuffer);
  PeColumnBuffer(const sc_core::sc_module_name& name, PeRun& run, const ColumnRegisters& registers, std::uint32_t col,
                 sc_core::sc_event& clock_edge);
  void begin_run() { events_ = {}; }
  const arith::AccumulationEvents& events() const { return events_; }

 private:
  void run();

  PeRun& run_;
  const ColumnRegisters& registers_;
  const std::uint32_t col_;
  arith::AccumulationEvents events_;
};

}  // namespace guardbit::sim
