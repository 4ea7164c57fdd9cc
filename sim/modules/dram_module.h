#pragma once
/// The built-in DRAM: a loosely timed TLM-2.0 target that never blocks. b_transport() adds to `delay` the time until
/// the transaction is complete, which includes its place behind everything requested before; it may be called again
/// before that, so that an initiator can have several transactions in flight. It holds no data: values move in
/// compute().
///
/// One channel, first come first served. A transaction of b bytes occupies it for b / bandwidth cycles plus
/// row_miss_cycles for every row it has to open; its last byte arrives latency_cycles after that. Consecutive rows lie
/// in consecutive banks and every bank keeps one row open.
#include <tlm_utils/simple_target_socket.h>

#include <array>
#include <cstdint>
#include <limits>
#include <systemc>
#include <tlm>

#include "models/units/accelerator_config.h"

namespace guardbit::sim {

class DramModule : public sc_core::sc_module {
 public:
  /// Two streams (loads and stores) rarely meet in one bank; the fewest banks of a DDR3 or DDR4 x16 device.
  static constexpr std::uint64_t kNumBanks = 8;

  tlm_utils::simple_target_socket_tagged<DramModule> load_port;
  tlm_utils::simple_target_socket_tagged<DramModule> store_port;

  DramModule(const sc_core::sc_module_name& name, const units::DramConfig& config);

  /// Closes all rows and frees the channel.
  void reset();

 private:
  void transport(int port, tlm::tlm_generic_payload& transaction, sc_core::sc_time& delay);
  std::uint64_t open_rows(std::uint64_t address, std::uint64_t bytes);

  static constexpr std::uint64_t kNoRow = std::numeric_limits<std::uint64_t>::max();
  const units::DramConfig config_;
  std::uint64_t free_ticks_ = 0;  ///< when the channel is free, in 2^-20 of a cycle
  std::array<std::uint64_t, kNumBanks> row_of_bank_{};
};

}  // namespace guardbit::sim
