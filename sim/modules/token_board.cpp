#include "sim/modules/token_board.h"

#include <string>

#include "models/numerics/check.h"

namespace guardbit::sim {

TokenBoard::TokenBoard(const sc_core::sc_module_name& name, RunState& state) : sc_core::sc_module(name) {
  for (sc_core::sc_event& event : wake_) state.wake_on_abort(event);
}

std::uint16_t& TokenBoard::entry(TokenId token) {
  if (token >= tokens_.size()) tokens_.resize(token + std::size_t{1});
  return tokens_[token];
}

void TokenBoard::announce(TokenId token, UnitKind producer) {
  std::uint16_t& state = entry(token);
  GUARDBIT_CHECK((state & kAnnounced) == 0, "token " + std::to_string(token) + " is signalled by two commands");
  state = static_cast<std::uint16_t>(state | kAnnounced | (static_cast<unsigned>(producer) << kProducerShift));
}

void TokenBoard::signal(TokenId token) {
  std::uint16_t& state = entry(token);
  state |= kAvailable;
  for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
    if ((state >> unit & 1) != 0) wake_[unit].notify(sc_core::SC_ZERO_TIME);
  }
}

std::optional<UnitKind> TokenBoard::producer(TokenId token) const {
  if (token >= tokens_.size() || (tokens_[token] & kAnnounced) == 0) return std::nullopt;
  return static_cast<UnitKind>(tokens_[token] >> kProducerShift & kProducerMask);
}

void TokenBoard::subscribe(TokenId token, UnitKind unit) {
  std::uint16_t& state = entry(token);
  state = static_cast<std::uint16_t>(state | 1u << static_cast<unsigned>(unit));
}

}  // namespace guardbit::sim
