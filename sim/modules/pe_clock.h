#pragma once
/// The stepped array's clock: at every edge the registers take their next values and all processes run once. It stops
/// by itself when the run's last sum has been delivered, so that an idle array costs nothing, and when a signal asks
/// the process to stop. With a period of zero the edges are delta cycles: a product is stepped within the moment at
/// which its command starts, and the matrix unit then spends the cycles that were counted.
#include <functional>
#include <systemc>
#include <utility>

#include "sim/modules/pe_registers.h"
#include "sim/modules/pe_run.h"

namespace guardbit::sim {

class PeClock : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(PeClock);
  PeClock(const sc_core::sc_module_name& name, PeRun& run, PeRegisterBank& bank);

  /// The first edge is one period from now. Internal error if the last sum is not there after `limit_cycles`.
  void start(const sc_core::sc_time& period, std::uint64_t limit_cycles);
  sc_core::sc_event& edge() { return edge_; }
  const sc_core::sc_event& stopped() const { return stopped_; }
  /// Called at every edge, after the registers have taken their values and before any process runs.
  void observe(std::function<void()> observer) { observer_ = std::move(observer); }

 private:
  void tick();
  void rearm() { next_.notify(period_); }

  PeRun& run_;
  PeRegisterBank& bank_;
  sc_core::sc_time period_;
  std::uint64_t limit_cycles_ = 0;
  sc_core::sc_event next_;
  sc_core::sc_event edge_;
  sc_core::sc_event stopped_;
  std::function<void()> observer_;
};

}  // namespace guardbit::sim
