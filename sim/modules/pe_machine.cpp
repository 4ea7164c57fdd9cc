#include "sim/modules/pe_machine.h"

#include "sim/modules/pe_array.h"
#include "sim/modules/sanitizer_stack.h"

namespace guardbit::sim {

PeMachine::PeMachine(std::uint32_t max_rows, std::uint32_t max_cols)
    : array_(std::make_unique<PeArray>("pe_array", max_rows, max_cols)) {}
PeMachine::~PeMachine() = default;

PeCycles PeMachine::run(const PeProduct& product, arith::AccumulationEvents& events) {
  array_->start(product);
  sc_core::sc_start();  // until no event is left: the clock stops by itself
  restore_sanitizer_stack_bounds();
  return array_->finish(events);
}

}  // namespace guardbit::sim
