#pragma once
/// Issues a program in order into the units' bounded queues; a full queue holds up everything behind it. Issuing takes
/// no time. At issue a command's token gets its producer and its space its place in the scratchpad's order.
#include <array>
#include <cstdint>
#include <string>
#include <systemc>

#include "sim/modules/channel_noise.h"
#include "sim/modules/command.h"
#include "sim/modules/unit_module.h"

namespace guardbit::sim {

class Sequencer : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(Sequencer);
  Sequencer(const sc_core::sc_module_name& name, const UnitContext& context);

  /// By UnitKind; before the first start().
  void connect(const std::array<UnitModule*, kNumUnits>& units) { units_ = units; }
  /// `source` outlives the run.
  void start(CommandSource& source);
  /// The queue it cannot write to, for messages; empty if it has issued everything.
  std::string describe_wait() const;

 private:
  void run();
  void issue_all();
  void issue(IssuedCommand* slot);

  UnitContext context_;
  std::array<UnitModule*, kNumUnits> units_{};
  ChannelNoise noise_;
  CommandSource* source_ = nullptr;
  const UnitModule* blocked_on_ = nullptr;
  sc_core::sc_event start_;
};

}  // namespace guardbit::sim
