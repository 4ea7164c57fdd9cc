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

std::string describe_space(const Scratchpad& space, std::uint64_t bytes, const char* name) {
  return " waits for " + std::to_string(bytes) + " bytes of the " + name + "; " + std::to_string(space.used_bytes()) +
         " of " + std::to_string(space.capacity_bytes()) + " are in use";
}
}  // namespace

UnitChannel::UnitChannel(const sc_core::sc_module_name& name, UnitModule& unit)
    : sc_core::sc_module(name), unit_(unit) {
  SC_THREAD(run);
  set_stack_size(kStackBytes);
}

void UnitChannel::run() {
  while (true) unit_.serve(*this);
}

UnitModule::UnitModule(const sc_core::sc_module_name& name, UnitKind kind, const UnitContext& context,
                       std::uint64_t num_channels)
    : sc_core::sc_module(name),
      queue("queue", static_cast<int>(context.config.sequencer.queue_depth)),
      noise_(context.stall_seed, static_cast<std::uint64_t>(kind)),
      kind_(kind),
      context_(context) {
  for (std::uint64_t channel = 0; channel < num_channels; ++channel) {
    channels_.push_back(std::make_unique<UnitChannel>(("channel" + std::to_string(channel)).c_str(), *this));
  }
}

void UnitModule::begin_run() {
  cycles_ = {};
  num_taken_ = 0;
  charged_until_ = busy_until_ = state().start_cycle;
  for (const auto& channel : channels_) {
    channel->state_ = UnitState::kIdle;
    channel->waiting_ = Waiting::kNothing;
  }
  noise_.restart();
}

UnitCycles UnitModule::finish_run(std::uint64_t end_cycle) {
  charge_until(end_cycle);
  return cycles_;
}

void UnitModule::enter(UnitChannel& channel, UnitState next) {
  charge_until(now_cycle());
  channel.state_ = next;
  update_probe();
}

const UnitChannel* UnitModule::deciding_channel() const {
  const UnitChannel* oldest = nullptr;
  for (const auto& channel : channels_) {
    if (channel->state_ == UnitState::kBusy) return channel.get();
    const bool waits = channel->state_ != UnitState::kIdle;
    if (waits && (oldest == nullptr || channel->order_ < oldest->order_)) oldest = channel.get();
  }
  return oldest;
}

void UnitModule::charge_until(std::uint64_t cycle) {
  const std::uint64_t busy_end = std::clamp(busy_until_, charged_until_, cycle);
  cycles_.busy += busy_end - charged_until_;
  charged_until_ = cycle;
  const std::uint64_t rest = cycle - busy_end;
  if (rest == 0) return;
  const UnitChannel* channel = deciding_channel();
  const UnitState unit_state = channel == nullptr ? UnitState::kIdle : channel->state_;
  cycles_in(cycles_, unit_state) += rest;
  if (unit_state != UnitState::kIdle && unit_state != UnitState::kBusy) {
    state().note_stall(channel->reason_, busy_end, cycle);
  }
}

void UnitModule::update_probe() {
  const UnitChannel* channel = deciding_channel();
  UnitState shown = channel == nullptr ? UnitState::kIdle : channel->state_;
  if (busy_until_ > now_cycle()) shown = UnitState::kBusy;
  probe_.state = static_cast<std::uint8_t>(shown);
  probe_.op = channel == nullptr ? UnitProbe::kNoOp : channel->current_->command.op_index;
}

void UnitModule::record(WaveRecorder& recorder) {
  constexpr int kStateBits = 3;
  constexpr int kCountBits = 32;
  recorder.add(std::string(name()) + ".state", probe_.state, kStateBits);
  recorder.add(std::string(name()) + ".op", probe_.op, kCountBits);
  recorder.add(std::string(name()) + ".queue", probe_.queued, kCountBits);
}

void UnitModule::serve(UnitChannel& channel) {
  IssuedCommand* slot = nullptr;
  enter(channel, UnitState::kIdle);
  queue.read(slot);
  --probe_.queued;
  channel.order_ = slot->order = num_taken_++;
  channel.current_ = slot;
  try {
    process(channel, slot);
  } catch (const sc_core::sc_unwind_exception&) {
    throw;  // the kernel ends this process
  } catch (...) {
    state().abort(std::current_exception());
    state().recycle(slot);
  }
}

void UnitModule::process(UnitChannel& channel, IssuedCommand* slot) {
  const Command& command = slot->command;
  await_tokens(channel, command, /*from_load=*/true);
  await_tokens(channel, command, /*from_load=*/false);
  if (command.allocate_bytes != 0) {
    await_space(channel, context_.scratchpad, slot->space_ticket, Waiting::kSpace,
                StallReason::Cause::kScratchpadSpace);
  }
  if (command.allocate_accumulator_bytes != 0) {
    await_space(channel, context_.accumulators, slot->accumulator_ticket, Waiting::kAccumulators,
                StallReason::Cause::kAccumulatorSpace);
  }
  channel.waiting_ = Waiting::kNothing;
  if (state().aborted()) {
    state().recycle(slot);
    return;
  }
  enter(channel, UnitState::kBusy);
  slot->start_cycle = now_cycle();
  state().note_start(command.op_index, slot->start_cycle);
  if (command.compute) command.compute();
  execute(slot);
}

void UnitModule::stall(UnitChannel& channel, UnitState next, StallReason::Cause cause) {
  enter(channel, next);
  channel.reason_ = {.unit = kind_, .state = next, .op = channel.current_->command.op_index, .cause = cause};
}

void UnitModule::await_delay(UnitChannel& channel, UnitState waiting) {
  const std::uint64_t delay = noise_.next_cycles();
  if (delay == 0 || state().aborted()) return;
  stall(channel, waiting, StallReason::Cause::kRandomDelay);
  wait(time_of_cycles(delay));
}

void UnitModule::name_missing_token(UnitChannel& channel) const {
  const auto producer = context_.tokens.producer(channel.missing_token_);
  if (!producer) return;
  channel.reason_.producer = producer->unit;
  channel.reason_.producer_op = producer->op_index;
  channel.reason_.what = producer->purpose;
}

void UnitModule::await_tokens(UnitChannel& channel, const Command& command, bool from_load) {
  const UnitState waiting = from_load ? UnitState::kInputStall : UnitState::kTokenWait;
  await_delay(channel, waiting);
  channel.waiting_ = Waiting::kToken;
  for (const TokenId token : command.waits) {
    if (from_load) {
      const auto producer = context_.tokens.producer(token);
      if (!producer || producer->unit != UnitKind::kLoad) continue;
    }
    while (!context_.tokens.is_available(token) && !state().aborted()) {
      channel.missing_token_ = token;
      stall(channel, waiting, StallReason::Cause::kToken);
      name_missing_token(channel);
      context_.tokens.subscribe(token, kind_);
      wait(context_.tokens.wake(kind_));
      name_missing_token(channel);  // of a command that had not been issued before
    }
  }
}

void UnitModule::await_space(UnitChannel& channel, Scratchpad& space, std::uint64_t ticket, Waiting waiting,
                             StallReason::Cause cause) {
  channel.waiting_ = waiting;
  while (!space.is_granted(ticket) && !state().aborted()) {
    stall(channel, UnitState::kOutputStall, cause);
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

std::string UnitModule::describe_wait() const {
  std::string text;
  for (const auto& channel : channels_) {
    if (channel->waiting_ == Waiting::kNothing || channel->current_ == nullptr) continue;
    text += (text.empty() ? "" : "; ") + describe_wait(*channel);
  }
  return text;
}

std::string UnitModule::describe_wait(const UnitChannel& channel) const {
  const Command& command = channel.current_->command;
  const std::string who = std::string(kUnitNames[static_cast<std::size_t>(kind_)]) + " (op " +
                          std::to_string(command.op_index) + ", signals token " + std::to_string(command.signals) + ")";
  if (channel.waiting_ == Waiting::kSpace) {
    return who + describe_space(context_.scratchpad, command.allocate_bytes, "scratchpad");
  }
  if (channel.waiting_ == Waiting::kAccumulators) {
    return who + describe_space(context_.accumulators, command.allocate_accumulator_bytes, "accumulator buffer");
  }
  const auto producer = context_.tokens.producer(channel.missing_token_);
  return who + " waits for token " + std::to_string(channel.missing_token_) +
         (producer ? " of " + std::string(kUnitNames[static_cast<std::size_t>(producer->unit)])
                   : ", which no issued command signals");
}

void ComputeModule::execute(IssuedCommand* slot) {
  const std::uint64_t cycles = cycles_of(slot->command.work);
  if (cycles != 0) wait(time_of_cycles(cycles));
  complete(slot, cycles);
}

}  // namespace guardbit::sim
