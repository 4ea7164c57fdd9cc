#pragma once
/// A DMA engine: moves a command's bytes in bursts between DRAM (a TLM-2.0 initiator socket) and scratchpad. Loads and
/// stores have an engine each.
///
/// Bursts end at multiples of burst_bytes. So many are in flight that the channel's bandwidth, not its latency, limits
/// the engine, and the next command's bursts follow the last one's without a gap; commands complete in order. A burst
/// is complete when DRAM and scratchpad port have both moved it (cut-through); each engine has the ports' full width to
/// itself. Engines meet in the DRAM, which serves bursts as they come; of two in one cycle the load is first, because
/// the accelerator lets the store engine ask in the second half of a cycle.
///
/// With several channels a command that waits for tokens or space does not hold up those behind it: it keeps its
/// channel, the next one takes another. Commands then complete in the order in which they became ready.
///
/// Busy is every cycle in which a burst is in flight or about to be. A target that blocks in b_transport() is served
/// one burst at a time; one that annotates the delay, as DramModule, sees them all.
#include <tlm_utils/simple_initiator_socket.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <systemc>
#include <tlm>
#include <vector>

#include "models/units/accelerator_config.h"
#include "sim/modules/unit_module.h"

namespace guardbit::sim {

struct DmaOptions {
  bool unlimited = false;    ///< transfers take no time and the socket is not used
  bool second_half = false;  ///< requests are made in the second half of a cycle
};

class DmaModule : public UnitModule {
 public:
  tlm_utils::simple_initiator_socket<DmaModule> socket;

  SC_HAS_PROCESS(DmaModule);
  /// `kind` is kLoad or kStore.
  DmaModule(const sc_core::sc_module_name& name, UnitKind kind, const UnitContext& context,
            const units::AcceleratorConfig& config, const DmaOptions& options);

  void begin_run() final;
  void record(WaveRecorder& recorder) final;
  /// Bursts in flight at most.
  std::size_t max_outstanding() const { return burst_done_cycle_.size(); }

 protected:
  void execute(IssuedCommand* slot) final;

 private:
  class Turn;
  struct Transfer {
    std::uint64_t done_cycle = 0;
    std::uint64_t busy_cycles = 0;
    IssuedCommand* slot = nullptr;
  };
  void retire();
  void watch_bursts();
  void transfer_bursts(const DmaWork& work);
  /// Returns the cycle in which the burst is complete.
  std::uint64_t request_burst(std::uint64_t address, std::uint64_t bytes);
  void wait_for_request_phase(std::uint64_t cycle);

  const bool unlimited_;
  const std::uint64_t burst_bytes_;
  const double port_bytes_per_cycle_;
  const sc_core::sc_time request_phase_;  // within a cycle
  tlm::tlm_generic_payload transaction_;
  std::vector<unsigned char> data_;              // what targets may read and write; no values
  std::vector<std::uint64_t> burst_done_cycle_;  // ring of the last max_outstanding() bursts
  std::uint64_t num_bursts_ = 0;
  std::uint64_t port_free_ticks_ = 0;
  std::uint64_t last_done_cycle_ = 0;  // of all bursts so far
  std::deque<Transfer> in_flight_;
  sc_core::sc_event transfer_started_;
  std::set<std::uint64_t> ready_;  // commands of channels that could move bytes
  bool moving_ = false;            // a channel does
  sc_core::sc_event turn_over_;
  bool watching_bursts_ = false;          // for waveforms only
  std::deque<std::uint64_t> burst_ends_;  // cycles, in order
  std::uint32_t num_bursts_in_flight_ = 0;
  sc_core::sc_event burst_requested_;
};

}  // namespace guardbit::sim
