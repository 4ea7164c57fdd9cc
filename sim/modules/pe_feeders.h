#pragma once
/// Operand feeders of the stepped array: one clocked process per row and per column reads the operand that the slot
/// names and passes the slot on, which is what skews the operands.
#include <systemc>

#include "sim/modules/pe_registers.h"
#include "sim/modules/pe_run.h"

namespace guardbit::sim {

/// os: row r of A enters r cycles after row 0. ws, is: the operands that move, r additions after row 0's, so that a
/// product meets the sum from above.
class RowFeeder : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(RowFeeder);
  RowFeeder(const sc_core::sc_module_name& name, PeRun& run, PeRegisterBank& bank, std::uint32_t row,
            sc_core::sc_event& clock_edge);
  void begin_run() { passing_.resize(run_.sums_flow_down ? run_.latency - 1 : 0); }

 private:
  void run();
  Operand operand_of(const Slot& slot) const;

  PeRun& run_;
  PeRegisterBank& bank_;
  const std::uint32_t row_;
  DelayLine<Slot> passing_;
};

/// Column c of B (os) or the operands that stay in column c (ws, is) enter c cycles after column 0's.
class ColumnFeeder : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(ColumnFeeder);
  ColumnFeeder(const sc_core::sc_module_name& name, PeRun& run, PeRegisterBank& bank, std::uint32_t col,
               sc_core::sc_event& clock_edge);

 private:
  void run();
  Operand operand_of(const Slot& slot) const;

  PeRun& run_;
  PeRegisterBank& bank_;
  const std::uint32_t col_;
};

}  // namespace guardbit::sim
