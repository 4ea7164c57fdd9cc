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

  void reset() {
    tokens_.clear();
    num_available_ = 0;
  }
  /// The sequencer has issued `command`, which will signal its token; a second one with that token is InternalError.
  void announce(const Command& command);
  void signal(TokenId token);
  bool is_available(TokenId token) const { return token < tokens_.size() && tokens_[token].available; }
  /// Tokens that have arrived in this run.
  const std::uint64_t& num_available() const { return num_available_; }
  /// Who signals a token, and what for.
  struct Producer {
    UnitKind unit = UnitKind::kLoad;
    Purpose purpose = Purpose::kOther;
    std::uint32_t op_index = 0;
  };
  /// Nothing if no command that signals it has been issued yet.
  std::optional<Producer> producer(TokenId token) const;
  /// `unit` is to be woken through wake(unit) when `token` arrives.
  void subscribe(TokenId token, UnitKind unit);
  sc_core::sc_event& wake(UnitKind unit) { return wake_[static_cast<std::size_t>(unit)]; }

 private:
  struct Entry {
    Producer producer;
    std::uint8_t waiting_units = 0;  ///< bit by UnitKind
    bool announced = false;
    bool available = false;
  };
  Entry& entry(TokenId token);

  std::vector<Entry> tokens_;
  std::uint64_t num_available_ = 0;
  std::array<sc_core::sc_event, kNumUnits> wake_;
};

}  // namespace guardbit::sim
