#include "sim/modules/scratchpad.h"

#include <algorithm>
#include <string>

#include "models/numerics/check.h"

namespace guardbit::sim {

Scratchpad::Scratchpad(const sc_core::sc_module_name& name, std::uint64_t capacity_bytes, RunState& state)
    : sc_core::sc_module(name), capacity_bytes_(capacity_bytes) {
  state.wake_on_abort(granted_);
}

void Scratchpad::reset() {
  used_bytes_ = peak_bytes_ = num_granted_ = 0;
  pending_.clear();
}

std::uint64_t Scratchpad::reserve(std::uint64_t bytes) {
  GUARDBIT_CHECK(bytes <= capacity_bytes_, "a command wants " + std::to_string(bytes) + " bytes of " + name() +
                                               ", which has " + std::to_string(capacity_bytes_));
  const std::uint64_t ticket = num_granted_ + pending_.size();
  pending_.push_back(bytes);
  grant_in_order();
  return ticket;
}

void Scratchpad::release(std::uint64_t bytes) {
  GUARDBIT_CHECK(bytes <= used_bytes_,
                 "a command frees " + std::to_string(bytes) + " bytes, in use are " + std::to_string(used_bytes_));
  used_bytes_ -= bytes;
  grant_in_order();
}

void Scratchpad::grant_in_order() {
  bool any = false;
  while (!pending_.empty() && pending_.front() <= capacity_bytes_ - used_bytes_) {
    used_bytes_ += pending_.front();
    pending_.pop_front();
    ++num_granted_;
    any = true;
  }
  peak_bytes_ = std::max(peak_bytes_, used_bytes_);
  if (any) granted_.notify(sc_core::SC_ZERO_TIME);
}

}  // namespace guardbit::sim
