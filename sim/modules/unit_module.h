#pragma once
/// What all units do alike: take commands in order, wait for tokens and space, do the work, hand on tokens and space,
/// and account for every cycle. What differs is execute().
///
/// A unit's cycle is exactly one of
///   busy          a command is being executed
///   input stall   the oldest command lacks a token that a load signals
///   token wait    it lacks only tokens of other units (or of commands not yet issued)
///   output stall  it has its tokens, but not its scratchpad space
///   idle          its queue is empty
#include <cstdint>
#include <string>
#include <systemc>

#include "sim/modules/channel_noise.h"
#include "sim/modules/command.h"
#include "sim/modules/run_state.h"
#include "sim/modules/scratchpad.h"
#include "sim/modules/token_board.h"
#include "sim/stats/result.h"

namespace guardbit::sim {

/// What a unit is connected to.
struct UnitContext {
  RunState& state;
  TokenBoard& tokens;
  Scratchpad& scratchpad;
  std::uint64_t queue_depth = 1;
  std::optional<std::uint64_t> stall_seed;
};

class UnitModule : public sc_core::sc_module {
 public:
  sc_core::sc_fifo<IssuedCommand*> queue;

  SC_HAS_PROCESS(UnitModule);
  UnitModule(const sc_core::sc_module_name& name, UnitKind kind, const UnitContext& context);

  /// All processes are at their start, the queue is empty.
  virtual void begin_run();
  /// Charges the rest of the run as idle and returns the account.
  UnitCycles finish_run(std::uint64_t end_cycle);
  /// What the unit is waiting for, for messages; empty if for nothing.
  std::string describe_wait() const;
  UnitKind unit_kind() const { return kind_; }

 protected:
  /// Spends the time of slot's command and sees to it that complete(slot) is called.
  virtual void execute(IssuedCommand* slot) = 0;

  /// The command is done at this moment: frees, token, account by op.
  void complete(IssuedCommand* slot, std::uint64_t busy_cycles);
  /// Charges the cycles since the last charge to `what`, save those up to busy_until_, which were busy.
  void charge(std::uint64_t UnitCycles::*what);
  RunState& state() { return context_.state; }

  std::uint64_t busy_until_ = 0;  ///< work already started goes on until this cycle, whatever the process waits for
  ChannelNoise noise_;

 private:
  enum class Waiting { kNothing, kToken, kSpace };
  void run();
  void charge_until(std::uint64_t cycle, std::uint64_t UnitCycles::*what);
  void process(IssuedCommand* slot);
  void await_tokens(const Command& command, bool from_load);
  void await_space(const IssuedCommand& slot);

  const UnitKind kind_;
  UnitContext context_;
  UnitCycles cycles_;
  std::uint64_t charged_until_ = 0;
  Waiting waiting_ = Waiting::kNothing;
  TokenId missing_token_ = 0;
  const IssuedCommand* current_ = nullptr;
};

/// A unit whose work takes a closed form of cycles.
class ComputeModule : public UnitModule {
 public:
  using UnitModule::UnitModule;

 protected:
  virtual std::uint64_t cycles_of(const Work& work) const = 0;
  void execute(IssuedCommand* slot) final;
};

}  // namespace guardbit::sim
