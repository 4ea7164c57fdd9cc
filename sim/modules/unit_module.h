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
#include <memory>
#include <string>
#include <systemc>
#include <vector>

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

class UnitModule;

/// One command of a unit from the queue to its execution. Compute units have one channel; a DMA engine may have
/// several, so that a transfer whose data or space is not there yet does not hold up the one behind it.
class UnitChannel : public sc_core::sc_module {
 public:
  SC_HAS_PROCESS(UnitChannel);
  UnitChannel(const sc_core::sc_module_name& name, UnitModule& unit);

 private:
  friend class UnitModule;
  enum class Waiting { kNothing, kToken, kSpace, kAccumulators };
  void run();

  UnitModule& unit_;
  const IssuedCommand* current_ = nullptr;
  std::uint64_t order_ = 0;  ///< of its command among the unit's
  UnitState state_ = UnitState::kIdle;
  StallReason reason_;  ///< of that state, if it is a stall
  Waiting waiting_ = Waiting::kNothing;
  TokenId missing_token_ = 0;
};

class UnitModule : public sc_core::sc_module {
 public:
  sc_core::sc_fifo<IssuedCommand*> queue;

  UnitModule(const sc_core::sc_module_name& name, UnitKind kind, const UnitContext& context,
             std::uint64_t num_channels = 1);

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
  /// Spends the time of slot's command and sees to it that complete(slot) is called. Channels call it in any order.
  virtual void execute(IssuedCommand* slot) = 0;

  /// The command is done at this moment: frees, token, account by op and purpose.
  void complete(IssuedCommand* slot, std::uint64_t busy_cycles);
  /// Shows the present state: busy as long as work already started goes on.
  void update_probe();
  RunState& state() { return context_.state; }

  std::uint64_t busy_until_ = 0;  ///< work already started goes on until this cycle, whatever the process waits for
  ChannelNoise noise_;

 private:
  friend class UnitChannel;
  using Waiting = UnitChannel::Waiting;

  /// From now on the channel is in `next`; the cycles up to now are charged to what the unit was in.
  void enter(UnitChannel& channel, UnitState next);
  /// The channel that says what the unit is in: one that executes, else the one with the oldest command; null: idle.
  const UnitChannel* deciding_channel() const;
  void charge_until(std::uint64_t cycle);
  void serve(UnitChannel& channel);
  void process(UnitChannel& channel, IssuedCommand* slot);
  void stall(UnitChannel& channel, UnitState next, StallReason::Cause cause);
  void name_missing_token(UnitChannel& channel) const;
  void await_delay(UnitChannel& channel, UnitState waiting);
  void await_tokens(UnitChannel& channel, const Command& command, bool from_load);
  void await_space(UnitChannel& channel, Scratchpad& space, std::uint64_t ticket, Waiting waiting,
                   StallReason::Cause cause);
  std::string describe_wait(const UnitChannel& channel) const;

  const UnitKind kind_;
  UnitContext context_;
  UnitCycles cycles_;
  std::uint64_t charged_until_ = 0;
  std::uint64_t num_taken_ = 0;  ///< commands of this run
  std::vector<std::unique_ptr<UnitChannel>> channels_;
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
