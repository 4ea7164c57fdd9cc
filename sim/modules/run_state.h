#pragma once
/// What all modules share of the run in progress: its report, its progress, and how it is broken off.
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <systemc>
#include <vector>

#include "sim/modules/command.h"
#include "sim/modules/purpose_cycles.h"
#include "sim/modules/timeline_recorder.h"
#include "sim/stats/result.h"

namespace guardbit::sim {

/// A command on its way through the machine. Slots are recycled, with the capacity of their vectors.
struct IssuedCommand {
  Command command;
  std::uint64_t space_ticket = 0;        ///< reservation in the scratchpad, if command.allocate_bytes > 0
  std::uint64_t accumulator_ticket = 0;  ///< likewise in the accumulator buffer
  std::uint64_t order = 0;               ///< among the commands of its unit, set by the unit, as the next
  std::uint64_t start_cycle = 0;
};

class RunState {
 public:
  CycleReport report;
  std::uint64_t start_cycle = 0;
  std::uint64_t end_cycle = 0;  ///< of the last command so far
  std::uint64_t num_issued = 0;
  std::uint64_t num_finished = 0;
  bool source_exhausted = false;
  TimelineRecorder* timeline = nullptr;  ///< told of every command and stall, if there is one

  void reset(std::uint64_t cycle, std::size_t num_ops);
  bool all_done() const { return source_exhausted && num_finished == num_issued; }

  /// Breaks the run off: every waiting process wakes and discards its commands. The first error is kept.
  void abort(std::exception_ptr error);
  bool aborted() const { return aborted_; }
  const std::exception_ptr& error() const { return error_; }
  /// An event on which some process waits during a run.
  void wake_on_abort(sc_core::sc_event& event) { waiting_events_.push_back(&event); }

  void note_start(std::uint32_t op_index, std::uint64_t cycle);
  /// `shares`: busy cycles by purpose, which sum to the command's.
  void note_end(const Command& command, std::uint64_t cycle, std::span<const PurposeShare> shares);
  void note_stall(const StallReason& reason, std::uint64_t from_cycle, std::uint64_t to_cycle);

  IssuedCommand* take_slot();
  void recycle(IssuedCommand* slot);

 private:
  bool aborted_ = false;
  std::exception_ptr error_;
  std::vector<sc_core::sc_event*> waiting_events_;
  std::vector<std::unique_ptr<IssuedCommand>> slots_;
  std::vector<IssuedCommand*> free_slots_;
};

}  // namespace guardbit::sim
