#pragma once
/// Which tokens are available, which unit produces each, and who waits for them.
#include <array>
#include <cstdint>
#include <optional>
#include <systemc>
#include <vector>

#include "sim/modules/command.h"
#include "sim/modules/run_state.h"

namespace guardbit::sim {

class TokenBoard : public sc_core::sc_module {
 public:
  TokenBoard(const sc_core::sc_module_name& name, RunState& state);

  void reset() { tokens_.clear(); }
  /// The sequencer has issued the command that will signal `token`; a second one with the same token is InternalError.
  void announce(TokenId token, UnitKind producer);
  void signal(TokenId token);
  bool is_available(TokenId token) const { return token < tokens_.size() && (tokens_[token] & kAvailable) != 0; }
  /// Nothing if no command that signals it has been issued yet.
  std::optional<UnitKind> producer(TokenId token) const;
  /// `unit` is to be woken through wake(unit) when `token` arrives.
  void subscribe(TokenId token, UnitKind unit);
  sc_core::sc_event& wake(UnitKind unit) { return wake_[static_cast<std::size_t>(unit)]; }

 private:
  // One word a token: bits 0..5 waiting units, 6..8 producer, then two flags.
  static constexpr unsigned kProducerShift = kNumUnits;
  static constexpr std::uint16_t kProducerMask = 7;
  static constexpr std::uint16_t kAnnounced = 1u << 9;
  static constexpr std::uint16_t kAvailable = 1u << 10;
  std::uint16_t& entry(TokenId token);

  std::vector<std::uint16_t> tokens_;
  std::array<sc_core::sc_event, kNumUnits> wake_;
};

}  // namespace guardbit::sim
