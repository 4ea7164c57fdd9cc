#include "sim/modules/sequencer.h"

#include "models/numerics/check.h"
#include "sim/modules/cycle_time.h"

namespace guardbit::sim {

namespace {

/// CommandSource::next() may generate a whole window's commands on this stack.
constexpr std::size_t kStackBytes = std::size_t{1} << 20;
constexpr std::uint64_t kNoiseChannel = kNumUnits;  // after the units' own

bool is_work_of(const Work& work, UnitKind unit) {
  switch (unit) {
    case UnitKind::kLoad:
    case UnitKind::kStore: return std::holds_alternative<DmaWork>(work);
    case UnitKind::kMatrix: return std::holds_alternative<MatrixWork>(work);
    case UnitKind::kNorm: return std::holds_alternative<NormWork>(work);
    case UnitKind::kVector: return std::holds_alternative<VectorWork>(work);
    case UnitKind::kRotate: return std::holds_alternative<RotateWork>(work);
  }
  return false;
}

}  // namespace

Sequencer::Sequencer(const sc_core::sc_module_name& name, const UnitContext& context)
    : sc_core::sc_module(name), context_(context), noise_(context.stall_seed, kNoiseChannel) {
  SC_THREAD(run);
  set_stack_size(kStackBytes);
}

void Sequencer::start(CommandSource& source) {
  source_ = &source;
  blocked_on_ = nullptr;
  noise_.restart();
  start_.notify(sc_core::SC_ZERO_TIME);
}

void Sequencer::run() {
  while (true) {
    while (source_ == nullptr) wait(start_);
    try {
      issue_all();
    } catch (const sc_core::sc_unwind_exception&) {
      throw;  // the kernel ends this process
    } catch (...) {
      context_.state.abort(std::current_exception());
    }
    source_ = nullptr;
  }
}

void Sequencer::issue_all() {
  while (!context_.state.aborted()) {
    IssuedCommand* slot = context_.state.take_slot();
    bool more = false;
    try {
      more = source_->next(slot->command);
      if (more) issue(slot);
    } catch (...) {
      context_.state.recycle(slot);
      throw;
    }
    if (!more) {
      context_.state.recycle(slot);
      context_.state.source_exhausted = true;
      return;
    }
  }
}

void Sequencer::issue(IssuedCommand* slot) {
  const Command& command = slot->command;
  RunState& state = context_.state;
  GUARDBIT_CHECK(is_work_of(command.work, command.unit), "a command's work is not of its unit's kind");
  GUARDBIT_CHECK(command.op_index < state.report.ops.size(), "op index " + std::to_string(command.op_index));
  if (const std::uint64_t delay = noise_.next_cycles(); delay != 0) wait(time_of_cycles(delay));
  context_.tokens.announce(command);
  if (command.allocate_bytes != 0) slot->space_ticket = context_.scratchpad.reserve(command.allocate_bytes);
  if (command.allocate_accumulator_bytes != 0) {
    slot->accumulator_ticket = context_.accumulators.reserve(command.allocate_accumulator_bytes);
  }
  if (const auto* transfer = std::get_if<DmaWork>(&command.work)) {
    state.report.ops[command.op_index].dram_bytes += transfer->bytes;
  }
  ++state.num_issued;
  UnitModule& unit = *units_[static_cast<std::size_t>(command.unit)];  // the slot is not ours once it is written
  blocked_on_ = &unit;
  unit.queue.write(slot);
  unit.note_queued();
  blocked_on_ = nullptr;
}

std::string Sequencer::describe_wait() const {
  return blocked_on_ == nullptr ? ""
                                : "sequencer waits for the queue of " +
                                      std::string(kUnitNames[static_cast<std::size_t>(blocked_on_->unit_kind())]);
}

}  // namespace guardbit::sim
