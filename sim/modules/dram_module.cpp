#include "sim/modules/dram_module.h"

#include <algorithm>

#include "sim/modules/cycle_time.h"

namespace guardbit::sim {

DramModule::DramModule(const sc_core::sc_module_name& name, const units::DramConfig& config)
    : sc_core::sc_module(name), load_port("load_port"), store_port("store_port"), config_(config) {
  load_port.register_b_transport(this, &DramModule::transport, 0);
  store_port.register_b_transport(this, &DramModule::transport, 1);
  reset();
}

void DramModule::reset() {
  free_ticks_ = 0;
  row_of_bank_.fill(kNoRow);
}

std::uint64_t DramModule::open_rows(std::uint64_t address, std::uint64_t bytes) {
  const auto row_bytes = static_cast<std::uint64_t>(config_.row_bytes);
  std::uint64_t misses = 0;
  for (std::uint64_t row = address / row_bytes; row <= (address + bytes - 1) / row_bytes; ++row) {
    std::uint64_t& open = row_of_bank_[row % kNumBanks];
    if (open != row) ++misses;
    open = row;
  }
  return misses;
}

void DramModule::transport(int /*port*/, tlm::tlm_generic_payload& transaction, sc_core::sc_time& delay) {
  const std::uint64_t bytes = transaction.get_data_length();
  if (bytes == 0) {
    transaction.set_response_status(tlm::TLM_BURST_ERROR_RESPONSE);
    return;
  }
  const sc_core::sc_time request = sc_core::sc_time_stamp() + delay;
  const std::uint64_t misses = open_rows(transaction.get_address(), bytes);
  free_ticks_ = std::max(free_ticks_, ticks_of_cycles(cycle_of(request))) +
                ticks_of_cycles(misses * static_cast<std::uint64_t>(config_.row_miss_cycles)) +
                ticks_of_bytes(bytes, config_.bandwidth_bytes_per_cycle);
  const std::uint64_t done = cycles_of_ticks_up(free_ticks_) + static_cast<std::uint64_t>(config_.latency_cycles);
  // A request in the second half of a cycle (store engine) may be done within it: never before the request.
  const sc_core::sc_time done_time = std::max(time_of_cycles(done), request);
  delay += done_time - request;
  transaction.set_response_status(tlm::TLM_OK_RESPONSE);
}

}  // namespace guardbit::sim
