#include "sim/modules/unit_module.h"

#include <algorithm>

#include "sim/modules/cycle_time.h"

namespace guardbit::sim {

namespace {
/// compute() runs models/units on the stack of its SC_THREAD.
constexpr std::size_t kStackBytes = std::size_t{1} << 20;
}  // namespace

UnitModule::UnitModule(const sc_core::sc_module_name& name, UnitKind kind, const UnitContext& context)
    : sc_core::sc_module(name),
      queue("queue", static_cast<int>(context.queue_depth)),
      noise_(context.stall_seed, static_cast<std::uint64_t>(kind)),
      kind_(kind),
      context_(context) {
  SC_THREAD(run);
  set_stack_size(kStackBytes);
}

void UnitModule::begin_run() {
  cycles_ = {};
  charged_until_ = busy_until_ = state().start_cycle;
  waiting_ = Waiting::kNothing;
  noise_.restart();
}

UnitCycles UnitModule::finish_run(std::uint64_t end_cycle) {
  charge_until(end_cycle, &UnitCycles::idle);
  return cycles_;
}

void UnitModule::charge(std::uint64_t UnitCycles::*what) { charge_until(now_cycle(), what); }

void UnitModule::charge_until(std::uint64_t cycle, std::uint64_t UnitCycles::*what) {
  const std::uint64_t busy_end = std::clamp(busy_until_, charged_until_, cycle);
  cycles_.busy += busy_end - charged_until_;
  cycles_.*what += cycle - busy_end;
  charged_until_ = cycle;
}

void UnitModule::run() {
  while (true) {
    IssuedCommand* slot = nullptr;
    queue.read(slot);
    charge(&UnitCycles::idle);
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
  await_space(*slot);
  waiting_ = Waiting::kNothing;
  if (state().aborted()) {
    state().recycle(slot);
    return;
  }
  slot->start_cycle = now_cycle();
  state().note_start(command.op_index, slot->start_cycle);
  if (command.compute) command.compute();
  execute(slot);
}

void UnitModule::await_tokens(const Command& command, bool from_load) {
  if (const std::uint64_t delay = noise_.next_cycles(); delay != 0 && !state().aborted()) {
    wait(time_of_cycles(delay));
    charge(from_load ? &UnitCycles::input_stall : &UnitCycles::token_wait);
  }
  waiting_ = Waiting::kToken;
  for (const TokenId token : command.waits) {
    if (from_load && context_.tokens.producer(token) != UnitKind::kLoad) continue;
    while (!context_.tokens.is_available(token) && !state().aborted()) {
      missing_token_ = token;
      context_.tokens.subscribe(token, kind_);
      wait(context_.tokens.wake(kind_));
    }
  }
  charge(from_load ? &UnitCycles::input_stall : &UnitCycles::token_wait);
}

void UnitModule::await_space(const IssuedCommand& slot) {
  if (slot.command.allocate_bytes == 0) return;
  waiting_ = Waiting::kSpace;
  while (!context_.scratchpad.is_granted(slot.space_ticket) && !state().aborted()) wait(context_.scratchpad.granted());
  charge(&UnitCycles::output_stall);
}

void UnitModule::complete(IssuedCommand* slot, std::uint64_t busy_cycles) {
  if (!state().aborted()) {
    const Command& command = slot->command;
    for (const std::uint64_t bytes : command.frees) context_.scratchpad.release(bytes);
    context_.tokens.signal(command.signals);
    state().note_end(command.op_index, now_cycle(), kind_, busy_cycles);
  }
  state().recycle(slot);
}

std::string UnitModule::describe_wait() const {
  if (waiting_ == Waiting::kNothing || current_ == nullptr) return "";
  const Command& command = current_->command;
  const std::string who = std::string(kUnitNames[static_cast<std::size_t>(kind_)]) + " (op " +
                          std::to_string(command.op_index) + ", signals token " + std::to_string(command.signals) + ")";
  if (waiting_ == Waiting::kSpace) {
    return who + " waits for " + std::to_string(command.allocate_bytes) + " bytes; " +
           std::to_string(context_.scratchpad.used_bytes()) + " of " +
           std::to_string(context_.scratchpad.capacity_bytes()) + " are in use";
  }
  const auto producer = context_.tokens.producer(missing_token_);
  return who + " waits for token " + std::to_string(missing_token_) +
         (producer ? " of " + std::string(kUnitNames[static_cast<std::size_t>(*producer)])
                   : ", which no issued command signals");
}

void ComputeModule::execute(IssuedCommand* slot) {
  const std::uint64_t cycles = cycles_of(slot->command.work);
  if (cycles != 0) wait(time_of_cycles(cycles));
  charge(&UnitCycles::busy);
  complete(slot, cycles);
}

}  // namespace guardbit::sim
