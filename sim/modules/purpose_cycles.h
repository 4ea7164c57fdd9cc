#pragma once
/// What part of a command's cycles serves what: a command has one main purpose, and options of its work (a static scale
/// that is a multiplication, promotions, a sort) that cost cycles of their own. The part of an option is the closed
/// form with it minus the closed form without it.
#include <array>
#include <cstdint>
#include <span>

#include "models/units/accelerator_config.h"
#include "sim/modules/command.h"

namespace guardbit::sim {

struct PurposeShare {
  Purpose purpose = Purpose::kOther;
  std::uint64_t cycles = 0;
};

/// The shares of one command.
class PurposeShares {
 public:
  void add(Purpose purpose, std::uint64_t cycles) { shares_[size_++] = {purpose, cycles}; }
  operator std::span<const PurposeShare>() const { return std::span(shares_).first(size_); }

 private:
  static constexpr std::size_t kMost = 4;
  std::array<PurposeShare, kMost> shares_{};
  std::size_t size_ = 0;
};

/// Splits `busy_cycles`, what the command took, by purpose; the shares sum to it. The options' shares are those of the
/// closed forms, the main purpose has the rest.
PurposeShares purpose_shares(const Command& command, std::uint64_t busy_cycles, const units::AcceleratorConfig& config);

}  // namespace guardbit::sim
