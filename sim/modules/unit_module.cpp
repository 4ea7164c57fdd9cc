#include "sim/modules/unit_module.h"

#include <algorithm>

#include "models/numerics/check.h"
#include "sim/modules/cycle_time.h"

namespace guardbit::sim {

namespace {
/// compute() runs models/units on the stack of its SC_THREAD.
constexpr std::size_t kStackBytes = std::size_t{1} << 20;

std::uint64_t& cycles_in(UnitCycles& cycles, UnitState state) {
  switch (state) {
    case UnitState::kIdle: return cycles.idle;
    case UnitState::kBusy: return cycles.busy;
    case UnitState::kInputStall: return cycles.input_stall;
    case UnitState::kTokenWait: return cycles.token_wait;
    case UnitState::kOutputStall: return cycles.output_stall;
  }
  fail_check(__FILE__, __LINE__, "unit state", "unknown enumerator");
}
}  // namespace

UnitModule::UnitModule(const sc_core::sc_module_name& name, UnitKind kind, const UnitContext& context)
    : sc_core::sc_module(name),
      queue("queue", static_cast<int>(context.config.sequencer.queue_depth)),
      noise_(context.stall_seed, static_cast<std::uint64_t>(kind)),
      kind_(kind),
      context_(context) {
  SC_THREAD(run);
  set_stack_size(kStackBytes);
}

void UnitModule::begin_run() {
  cycles_ = {};
  state_ = UnitState::kIdle;
  charged_until_ = busy_until_ = state().start_cycle;
  waiting_ = Waiting::kNothing;
  noise_.restart();
}

UnitCycles UnitModule::finish_run(std::uint64_t end_cycle) {
  charge_until(end_cycle);
  return cycles_;
}

void UnitModule::enter(UnitState next) {
  charge_until(now_cycle());
  state_ = next;
  update_probe();
}

void UnitModule::charge_until(std::uint64_t cycle) {
  const std::uint64_t busy_end = std::clamp(busy_until_, charged_until_, cycle);
  cycles_.busy += busy_end - charged_until_;
  const std::uint64_t rest = cycle - busy_end;
  cycles_in(cycles_, state_) += rest;
  const bool stalled = state_ != UnitState::kIdle && state_ != UnitState::kBusy;
  if (stalled && rest != 0) state().note_stall(reason_, rest);
  charged_until_ = cycle;
}

void UnitModule::update_probe() {
  const UnitState shown = busy_until_ > now_cycle() ? UnitState::kBusy : state_;
  probe_.state = static_cast<std::uint8_t>(shown);
  probe_.op = state_ == UnitState::kIdle || current_ == nullptr ? UnitProbe::kNoOp : current_->command.op_index;
}

void UnitModule::record(WaveRecorder& recorder) {
  constexpr int kStateBits = 3;
  constexpr int kCountBits = 32;
  recorder.add(std::string(name()) + ".state", probe_.state, kStateBits);
  recorder.add(std::string(name()) + ".op", probe_.op, kCountBits);
  recorder.add(std::string(name()) + ".queue", probe_.queued, kCountBits);
}

void UnitModule::stall(UnitState next, StallReason::Cause cause) {
  enter(next);
  reason_ = {.unit = kind_, .state = next, .op = current_->command.op_index, .cause = cause};
}

void UnitModule::run() {
  while (true) {
    IssuedCommand* slot = nullptr;
    enter(UnitState::kIdle);
    queue.read(slot);
    --probe_.queued;
    try {
      process(slot);
    } catch (const sc_core::sc_unwind_exception&) {
      throw;  // the kernel ends this process
    } catch (...) {
      state().abort(std::current_exception());
      state().recycle(slot);
    }
  }
}

void UnitModule::process(IssuedCommand* slot) {
  const Command& command = slot->command;
  current_ = slot;
  await_tokens(command, /*from_load=*/true);
  await_tokens(command, /*from_load=*/false);
  if (command.allocate_bytes != 0) {
    await_space(context_.scratchpad, slot->space_ticket, Waiting::kSpace, StallReason::Cause::kScratchpadSpace);
  }
  if (command.allocate_accumulator_bytes != 0) {
    await_space(context_.accumulators, slot->accumulator_ticket, Waiting::kAccumulators,
                StallReason::Cause::kAccumulatorSpace);
  }
  waiting_ = Waiting::kNothing;
  if (state().aborted()) {
    state().recycle(slot);
    return;
  }
  enter(UnitState::kBusy);
  slot->start_cycle = now_cycle();
  state().note_start(command.op_index, slot->start_cycle);
  if (command.compute) command.compute();
  execute(slot);
}

void UnitModule::await_delay(UnitState waiting) {
  const std::uint64_t delay = noise_.next_cycles();
  if (delay == 0 || state().aborted()) return;
  stall(waiting, StallReason::Cause::kRandomDelay);
  wait(time_of_cycles(delay));
}

/// A token that no command signals yet gets its producer's name when it has arrived.
void UnitModule::name_missing_token() {
  const auto producer = context_.tokens.producer(missing_token_);
  if (!producer) return;
  reason_.producer = producer->unit;
  reason_.producer_op = producer->op_index;
  reason_.what = producer->purpose;
}

void UnitModule::await_tokens(const Command& command, bool from_load) {
  const UnitState waiting = from_load ? UnitState::kInputStall : UnitState::kTokenWait;
  await_delay(waiting);
  waiting_ = Waiting::kToken;
  for (const TokenId token : command.waits) {
    if (from_load) {
      const auto producer = context_.tokens.producer(token);
      if (!producer || producer->unit != UnitKind::kLoad) continue;
    }
    while (!context_.tokens.is_available(token) && !state().aborted()) {
      missing_token_ = token;
      stall(waiting, StallReason::Cause::kToken);
      context_.tokens.subscribe(token, kind_);
      wait(context_.tokens.wake(kind_));
      name_missing_token();
    }
  }
}

void UnitModule::await_space(Scratchpad& space, std::uint64_t ticket, Waiting waiting, StallReason::Cause cause) {
  waiting_ = waiting;
  while (!space.is_granted(ticket) && !state().aborted()) {
    stall(UnitState::kOutputStall, cause);
    wait(space.granted());
  }
}

void UnitModule::complete(IssuedCommand* slot, std::uint64_t busy_cycles) {
  if (!state().aborted()) {
    const Command& command = slot->command;
    for (const std::uint64_t bytes : command.frees) context_.scratchpad.release(bytes);
    if (command.free_accumulator_bytes != 0) context_.accumulators.release(command.free_accumulator_bytes);
    context_.tokens.signal(command.signals);
    state().note_end(command, now_cycle(), purpose_shares(command, busy_cycles, context_.config));
  }
  state().recycle(slot);
}

std::string UnitModule::describe_space(const Scratchpad& space, std::uint64_t bytes, const char* name) const {
  return " waits for " + std::to_string(bytes) + " bytes of the " + name + "; " + std::to_string(space.used_bytes()) +
         " of " + std::to_string(space.capacity_bytes()) + " are in use";
}

std::string UnitModule::describe_wait() const {
  if (waiting_ == Waiting::kNothing || current_ == nullptr) return "";
  const Command& command = current_->command;
  const std::string who = std::string(kUnitNames[static_cast<std::size_t>(kind_)]) + " (op " +
                          std::to_string(command.op_index) + ", signals token " + std::to_string(command.signals) + ")";
  if (waiting_ == Waiting::kSpace) {
    return who + describe_space(context_.scratchpad, command.allocate_bytes, "scratchpad");
  }
  if (waiting_ == Waiting::kAccumulators) {
    return who + describe_space(context_.accumulators, command.allocate_accumulator_bytes, "accumulator buffer");
  }
  const auto producer = context_.tokens.producer(missing_token_);
  return who + " waits for token " + std::to_string(missing_token_) +
         (producer ? " of " + std::string(kUnitNames[static_cast<std::size_t>(producer->unit)])
                   : ", which no issued command signals");
}

void ComputeModule::execute(IssuedCommand* slot) {
  const std::uint64_t cycles = cycles_of(slot->command.work);
  if (cycles != 0) wait(time_of_cycles(cycles));
  complete(slot, cycles);
}

}  // namespace guardbit::sim
