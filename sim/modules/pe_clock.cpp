#include "sim/modules/pe_clock.h"

#include "models/numerics/check.h"
#include "sim/base/signal_guard.h"

namespace guardbit::sim {

PeClock::PeClock(const sc_core::sc_module_name& name, PeRun& run, PeRegisterBank& bank)
    : sc_core::sc_module(name), run_(run), bank_(bank) {
  SC_METHOD(tick);
  dont_initialize();
  sensitive << next_;
  SC_METHOD(rearm);
  dont_initialize();
  sensitive << edge_;
}

void PeClock::start(const sc_core::sc_time& period, std::uint64_t limit_cycles) {
  period_ = period;
  limit_cycles_ = limit_cycles;
  run_.cycle = 0;
  next_.notify(period_);
}

void PeClock::tick() {
  bank_.clock();
  ++run_.cycle;
  if (run_.delivered == run_.expected || interrupting_signal() != 0) {
    stopped_.notify(sc_core::SC_ZERO_TIME);
    return;
  }
  GUARDBIT_CHECK(run_.cycle < limit_cycles_, "the array delivers its sums");
  run_.product_slot = run_.pipeline == 0 ? 0 : static_cast<std::uint32_t>(run_.cycle % run_.pipeline);
  run_.result_out = static_cast<std::uint32_t>(run_.cycle % run_.latency);
  run_.result_in = static_cast<std::uint32_t>((run_.cycle + run_.latency - 1) % run_.latency);
  run_.latency_slot = run_.latency == 1 ? 0 : static_cast<std::uint32_t>(run_.cycle % (run_.latency - 1));
  if (observer_) observer_();
  edge_.notify(sc_core::SC_ZERO_TIME);
}

}  // namespace guardbit::sim
