#include "sim/modules/token_board.h"

#include <string>

#include "models/numerics/check.h"

namespace guardbit::sim {

TokenBoard::TokenBoard(const sc_core::sc_module_name& name, RunState& state) : sc_core::sc_module(name) {
  for (sc_core::sc_event& event : wake_) state.wake_on_abort(event);
}

TokenBoard::Entry& TokenBoard::entry(TokenId token) {
  if (token >= tokens_.size()) tokens_.resize(token + std::size_t{1});
  return tokens_[token];
}

void TokenBoard::announce(const Command& command) {
  Entry& token = entry(command.signals);
  GUARDBIT_CHECK(!token.announced, "token " + std::to_string(command.signals) + " is signalled by two commands");
  token.announced = true;
  token.producer = {command.unit, command.purpose, command.op_index};
}

void TokenBoard::signal(TokenId id) {
  Entry& token = entry(id);
  token.available = true;
  ++num_available_;
  for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
    if ((token.waiting_units >> unit & 1) != 0) wake_[unit].notify(sc_core::SC_ZERO_TIME);
  }
}

std::optional<TokenBoard::Producer> TokenBoard::producer(TokenId token) const {
  if (token >= tokens_.size() || !tokens_[token].announced) return std::nullopt;
  return tokens_[token].producer;
}

void TokenBoard::subscribe(TokenId token, UnitKind unit) {
  std::uint8_t& waiting = entry(token).waiting_units;
  waiting = static_cast<std::uint8_t>(waiting | 1u << static_cast<unsigned>(unit));
}

}  // namespace guardbit::sim
