#pragma once
/// Space in the scratchpad, and in the accumulator buffer. The sequencer reserves it in program order when it issues a
/// command, and reservations are granted strictly in that order as space becomes free. So nobody starves, the order
/// does not depend on which unit asks first, and the oldest unfinished command always finds the space that a
/// command-by-command execution would leave it: a program that fits when run serially cannot deadlock on space.
///
/// Ports limit the DMA engines (dma_module.h); the units' own accesses are part of their closed forms.
#include <cstdint>
#include <deque>
#include <systemc>

#include "sim/modules/run_state.h"

namespace guardbit::sim {

class Scratchpad : public sc_core::sc_module {
 public:
  Scratchpad(const sc_core::sc_module_name& name, std::uint64_t capacity_bytes, RunState& state);

  void reset();
  /// Queues a reservation and returns its ticket. More than the capacity is InternalError.
  std::uint64_t reserve(std::uint64_t bytes);
  bool is_granted(std::uint64_t ticket) const { return ticket < num_granted_; }
  /// Gives back granted bytes. More than is in use is InternalError.
  void release(std::uint64_t bytes);
  /// Some reservation has been granted.
  sc_core::sc_event& granted() { return granted_; }

  std::uint64_t capacity_bytes() const { return capacity_bytes_; }
  const std::uint64_t& used_bytes() const { return used_bytes_; }
  std::uint64_t peak_bytes() const { return peak_bytes_; }

 private:
  void grant_in_order();

  const std::uint64_t capacity_bytes_;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t peak_bytes_ = 0;
  std::uint64_t num_granted_ = 0;
  std::deque<std::uint64_t> pending_;  // bytes, oldest first; the front has ticket num_granted_
  sc_core::sc_event granted_;
};

}  // namespace guardbit::sim
