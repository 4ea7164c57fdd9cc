#include "sim/modules/pe_machine.h"

#include <fmt/format.h>

#include "sim/base/error.h"
#include "sim/base/memory.h"
#include "sim/modules/cycle_time.h"
#include "sim/modules/pe_array.h"
#include "sim/modules/start_systemc.h"

namespace guardbit::sim {

void require_stepped_array(const units::ArrayConfig& array) {
  constexpr double kBytesPerPe = 4096;  // module, process, registers, counters
  require_memory(kBytesPerPe * static_cast<double>(array.rows * array.cols),
                 fmt::format("an array of {} x {} stepped PEs", array.rows, array.cols));
}

PeMachine::PeMachine(std::uint32_t max_rows, std::uint32_t max_cols)
    : array_(std::make_unique<PeArray>("pe_array", max_rows, max_cols)) {}
PeMachine::~PeMachine() = default;

PeCycles PeMachine::run(const PeProduct& product, arith::AccumulationEvents& events) {
  array_->start(product, time_of_cycles(1));
  start_systemc();  // until no event is left: the clock stops by itself
  return array_->finish(events);
}

}  // namespace guardbit::sim
