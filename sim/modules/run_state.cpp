#include "sim/modules/run_state.h"

#include <algorithm>
#include <limits>

namespace guardbit::sim {

namespace {
constexpr std::uint64_t kNotStarted = std::numeric_limits<std::uint64_t>::max();
}

void RunState::reset(std::uint64_t cycle, std::size_t num_ops) {
  report = CycleReport{};
  report.ops.resize(num_ops);
  for (CycleReport::OpCycles& op : report.ops) op.start = kNotStarted;
  start_cycle = end_cycle = cycle;
  num_issued = num_finished = 0;
  source_exhausted = false;
  aborted_ = false;
  error_ = nullptr;
}

void RunState::abort(std::exception_ptr error) {
  if (aborted_) return;
  aborted_ = true;
  error_ = std::move(error);
  for (sc_core::sc_event* event : waiting_events_) event->notify(sc_core::SC_ZERO_TIME);
}

void RunState::note_start(std::uint32_t op_index, std::uint64_t cycle) {
  CycleReport::OpCycles& op = report.ops[op_index];
  op.start = std::min(op.start, cycle - start_cycle);
}

void RunState::note_end(const Command& command, std::uint64_t cycle, std::span<const PurposeShare> shares) {
  CycleReport::OpCycles& op = report.ops[command.op_index];
  const auto unit = static_cast<std::size_t>(command.unit);
  op.end = std::max(op.end, cycle - start_cycle);
  std::uint64_t busy = 0;
  for (const PurposeShare& share : shares) {
    busy += share.cycles;
    const auto purpose = static_cast<std::size_t>(share.purpose);
    op.busy[unit] += share.cycles;
    op.by_purpose[purpose] += share.cycles;
    report.purposes[purpose][unit] += share.cycles;
  }
  if (timeline != nullptr) timeline->add_busy(command, cycle - busy - start_cycle, cycle - start_cycle);
  end_cycle = std::max(end_cycle, cycle);
  ++num_finished;
}

void RunState::note_stall(const StallReason& reason, std::uint64_t from_cycle, std::uint64_t to_cycle) {
  report.stalls[reason] += to_cycle - from_cycle;
  if (timeline != nullptr) timeline->add_stall(reason, from_cycle - start_cycle, to_cycle - start_cycle);
}

IssuedCommand* RunState::take_slot() {
  if (free_slots_.empty()) {
    slots_.push_back(std::make_unique<IssuedCommand>());
    return slots_.back().get();
  }
  IssuedCommand* slot = free_slots_.back();
  free_slots_.pop_back();
  return slot;
}

void RunState::recycle(IssuedCommand* slot) {
  Command& command = slot->command;
  command.waits.clear();
  command.frees.clear();
  command.compute = nullptr;
  command.allocate_bytes = 0;
  command.allocate_accumulator_bytes = command.free_accumulator_bytes = 0;
  command.purpose = Purpose::kOther;
  free_slots_.push_back(slot);
}

}  // namespace guardbit::sim
