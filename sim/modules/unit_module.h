#pragma once
/// What all units do alike: take commands in order, wait for tokens and space, do the work, hand on tokens and space,
/// and account for every cycle. What differs is execute().
///
/// A unit's cycle is exactly one of
///   busy          a command is being executed
///   input stall   the oldest command lacks a token that a load signals
///   token wait    it lacks only tokens of other units (or of commands not yet issued)
///   output stall  it has its tokens, but not its space in scratchpad or accumulator buffer
///   idle          its queue is empty
/// and every stalled cycle has a reason: of the tokens that the command lacks, the first in its list.
#include <cstdint>
#include <string>
#include <systemc>

#include "sim/modules/channel_noise.h"
#include "sim/modules/command.h"
#include "sim/modules/run_state.h"
#include "sim/modules/scratchpad.h"
#include "sim/modules/token_board.h"
#include "sim/modules/wave_recorder.h"
#include "sim/stats/result.h"

namespace guardbit::sim {

/// What a unit is connected to.
struct UnitContext {
  RunState& state;
  TokenBoard& tokens;
  Scratchpad& scratchpad;
  Scratchpad& accumulators;  ///< the accumulator buffer
  const units::AcceleratorConfig& config;
  std::optional<std::uint64_t> stall_seed;
};

/// What a unit shows to the outside at any time, for waveforms.
struct UnitProbe {
  static constexpr std::uint32_t kNoOp = 0xFFFFFFFF;
  std::uint8_t state = 0;    ///< UnitState
  std::uint32_t op = kNoOp;  ///< of the command being waited for or executed
  std::uint32_t queued = 0;  ///< commands in the queue
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
  const UnitProbe& probe() const { return probe_; }
  /// The sequencer has written a command into the queue.
  void note_queued() { ++probe_.queued; }
  /// Adds the unit's signals: state, op and queue, and what it has of its own.
  virtual void record(WaveRecorder& recorder);

 protected:
  /// Spends the time of slot's command and sees to it that complete(slot) is called.
  virtual void execute(IssuedCommand* slot) = 0;

  /// The command is done at this moment: frees, token, account by op and purpose.
  void complete(IssuedCommand* slot, std::uint64_t busy_cycles);
  /// From now on the unit is in `state`; the cycles up to now are charged to the state before.
  void enter(UnitState state);
  /// Shows the present state: busy as long as work already started goes on.
  void update_probe();
  RunState& state() { return context_.state; }

  std::uint64_t busy_until_ = 0;  ///< work already started goes on until this cycle, whatever the process waits for
  ChannelNoise noise_;

 private:
  enum class Waiting { kNothing, kToken, kSpace, kAccumulators };
  void run();
  void charge_until(std::uint64_t cycle);
  void process(IssuedCommand* slot);
  void stall(UnitState state, StallReason::Cause cause);
  void name_missing_token();
  void await_delay(UnitState state);
  void await_tokens(const Command& command, bool from_load);
  void await_space(Scratchpad& space, std::uint64_t ticket, Waiting waiting, StallReason::Cause cause);
  std::string describe_space(const Scratchpad& space, std::uint64_t bytes, const char* name) const;

  const UnitKind kind_;
  UnitContext context_;
  UnitCycles cycles_;
  UnitState state_ = UnitState::kIdle;
  StallReason reason_;  ///< of the present state, if it is a stall
  std::uint64_t charged_until_ = 0;
  Waiting waiting_ = Waiting::kNothing;
  TokenId missing_token_ = 0;
  const IssuedCommand* current_ = nullptr;
  UnitProbe probe_;
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
