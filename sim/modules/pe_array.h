#pragma once
/// PE fidelity: the matrix array stepped cycle by cycle. Every PE, feeder and column buffer is a clocked process;
/// cycles are counted by the clock, bits and events come from the PEs. docs/timing.md, "PE fidelity". Tests:
/// tests/system/pe_array_test.cpp (against tile fidelity).
#include <functional>
#include <memory>
#include <systemc>
#include <utility>
#include <vector>

#include "sim/modules/pe.h"
#include "sim/modules/pe_clock.h"
#include "sim/modules/pe_column_buffer.h"
#include "sim/modules/pe_feeders.h"
#include "sim/modules/pe_machine.h"
#include "sim/modules/pe_sequencer.h"

namespace guardbit::sim {

class PeArray : public sc_core::sc_module {
 public:
  PeArray(const sc_core::sc_module_name& name, std::uint32_t max_rows, std::uint32_t max_cols);

  /// Sets everything up and starts the clock (period: PeClock); finished() is notified when the result is there.
  void start(const PeProduct& product, const sc_core::sc_time& period);
  const sc_core::sc_event& finished() const { return clock_.stopped(); }
  /// Account of the run that has finished; its events are added. Throws Interrupted if a signal stopped the clock.
  PeCycles finish(arith::AccumulationEvents& events);

  /// For waveforms: called at every edge, when the registers hold what they hold in the cycle that begins.
  void observe(std::function<void()> edge) { clock_.observe(std::move(edge)); }
  const PeRun& run() const { return run_; }
  std::uint32_t num_pes() const { return static_cast<std::uint32_t>(pes_.size()); }
  const Pe& pe(std::uint32_t index) const { return *pes_[index]; }
  const PeRegisters& registers(std::uint32_t index) const { return bank_.pes.now[index]; }
  /// The operand that PE (0, 0) takes in this cycle.
  const Operand& first_operand() const { return bank_.row_feeds.now[0]; }

 private:
  void describe_hardware(const PeProduct& product);
  void cut_into_folds(const PeProduct& product);
  void make_steps(const PeProduct& product);
  std::uint64_t limit_cycles() const;

  PeRun run_;
  PeRegisterBank bank_;
  std::optional<units::PeArithmetic> arithmetic_;
  PeClock clock_;
  PeSequencer sequencer_;
  std::vector<std::unique_ptr<RowFeeder>> row_feeders_;
  std::vector<std::unique_ptr<ColumnFeeder>> column_feeders_;
  std::vector<std::unique_ptr<Pe>> pes_;  // (rows, cols)
  std::vector<std::unique_ptr<PeColumnBuffer>> buffers_;
};

}  // namespace guardbit::sim
