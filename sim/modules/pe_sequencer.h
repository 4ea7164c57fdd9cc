#pragma once
/// Issues the time slots of the stepped array: when the next step, moving operand or stationary operand enters. It
/// keeps the distances that the hardware needs (docs/timing.md, "PE fidelity"); what breaks one is found by the PEs.
#include <systemc>

#include "sim/modules/pe_registers.h"
#include "sim/modules/pe_run.h"

namespace guardbit::sim {

class PeSequencer : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(PeSequencer);
  PeSequencer(const sc_core::sc_module_name& name, PeRun& run, PeRegisterBank& bank, sc_core::sc_event& clock_edge);
  void begin_run();

 private:
  void run();
  bool may_begin_fold();
  void issue_step();
  bool is_merge_slot() const;
  void issue_moving();
  void issue_stationary();

  PeRun& run_;
  PeRegisterBank& bank_;
  std::size_t fold_ = 0;   ///< whose steps or moving operands are next
  std::uint64_t due_ = 0;  ///< sums of all folds begun so far
  // os
  std::size_t step_ = 0;
  bool begun_ = false;              ///< fold_ may issue
  std::uint32_t waited_ = 0;        ///< cycles since the last step, without those given to merges
  bool follows_ = false;            ///< there is a chunk before the one that is issued
  std::uint64_t previous_end_ = 0;  ///< cycle of the last step of the chunk before
  std::uint32_t previous_lines_ = 0;
  // ws, is
  std::uint32_t streamed_ = 0;
  std::uint64_t next_moving_cycle_ = 0;
  std::size_t loading_ = 0;  ///< fold whose stationary operands are next
  std::uint32_t line_ = 0;
};

}  // namespace guardbit::sim
