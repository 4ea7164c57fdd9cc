#include "sim/modules/pe_sequencer.h"

#include <algorithm>

namespace guardbit::sim {

PeSequencer::PeSequencer(const sc_core::sc_module_name& name, PeRun& run, PeRegisterBank& bank,
                         sc_core::sc_event& clock_edge)
    : sc_core::sc_module(name), run_(run), bank_(bank) {
  SC_METHOD(run);
  dont_initialize();
  sensitive << clock_edge;
}

void PeSequencer::begin_run() {
  fold_ = step_ = loading_ = 0;
  due_ = 0;
  begun_ = false;
  streamed_ = line_ = 0;
  follows_ = !run_.serial && !run_.first_of_op;
  waited_ = follows_ ? 0 : run_.interval;
  next_moving_cycle_ = 0;
  if (!follows_) return;
  // As if the command before had just issued its last step (os) or first moving operand (ws, is): commands are alike.
  const std::uint64_t to_origin = 2;  // from here over the feeder to PE (0, 0)
  previous_end_ = 0;                  // the clock's first edge begins cycle 1
  previous_lines_ = run_.folds.back().lines;
  next_moving_cycle_ = 1 + std::uint64_t{run_.num_streamed} * run_.cycles_per_mac;
  run_.first_cycle = to_origin + (run_.sums_flow_down ? next_moving_cycle_ : run_.interval);
}

void PeSequencer::run() {
  bank_.issue.next[0] = {};
  if (run_.sums_flow_down) {
    issue_moving();
    issue_stationary();
  } else {
    issue_step();
  }
}

/// serial: a fold begins when the sums of all folds before it have left the array, and is counted for itself.
bool PeSequencer::may_begin_fold() {
  const PeFold& fold = run_.folds[run_.sums_flow_down ? loading_ : fold_];
  if (run_.serial) {
    if (run_.delivered != due_) return false;
    if (due_ != 0) run_.count_interval();
    run_.first_cycle = PeRun::kNone;
    follows_ = false;
    waited_ = run_.interval;
  }
  due_ += run_.sums_of(fold);
  return true;
}

/// The sums of the chunk before are merged in these cycles, in every PE as long after its own last step.
bool PeSequencer::is_merge_slot() const {
  const std::uint64_t since = run_.cycle - previous_end_;
  return follows_ && since % run_.latency == 0 && since / run_.latency < run_.interleave;
}

void PeSequencer::issue_step() {
  if (fold_ == run_.folds.size()) return;
  if (step_ == 0 && !begun_) begun_ = may_begin_fold();
  if (!begun_ || is_merge_slot()) return;
  ++waited_;
  if (waited_ < run_.interval) return;
  const PeStep& step = run_.steps[step_];
  const PeFold& fold = run_.folds[fold_];
  if (step.last && follows_) {
    // Until then the shadow registers drain the chunk before, and the adder merges it (the last merge takes its slot).
    const std::uint64_t merged = (run_.interleave - 1) * std::uint64_t{run_.latency};
    if (run_.cycle - previous_end_ < std::max<std::uint64_t>(merged, previous_lines_)) return;
  }
  bank_.issue.next[0].stream = {&fold, static_cast<std::uint32_t>(step_)};
  waited_ = 0;
  if (step.last) {
    follows_ = true;
    previous_end_ = run_.cycle;
    previous_lines_ = fold.lines;
  }
  if (++step_ == run_.steps.size()) {
    step_ = 0;
    ++fold_;
    begun_ = false;
  }
}

void PeSequencer::issue_moving() {
  if (fold_ == loading_ || run_.cycle < next_moving_cycle_) return;
  const PeFold& fold = run_.folds[fold_];
  bank_.issue.next[0].stream = {&fold, streamed_};
  next_moving_cycle_ = run_.cycle + run_.cycles_per_mac;
  if (++streamed_ < run_.num_streamed) return;
  streamed_ = 0;
  ++fold_;
  // A shorter column's sums must not overtake those in front of them.
  if (fold_ < run_.folds.size() && run_.folds[fold_].lines < fold.lines) {
    next_moving_cycle_ += (fold.lines - run_.folds[fold_].lines) * std::uint64_t{run_.latency};
  }
}

/// One line of all columns a cycle, from the cycle on in which the fold before puts its own to use.
void PeSequencer::issue_stationary() {
  if (loading_ == run_.folds.size()) return;
  const bool before_in_use = loading_ == 0 || fold_ >= loading_ || (fold_ + 1 == loading_ && streamed_ > 0);
  if (!before_in_use) return;
  if (line_ == 0 && !may_begin_fold()) return;
  const PeFold& fold = run_.folds[loading_];
  bank_.issue.next[0].stationary = {&fold, line_};
  if (++line_ < fold.lines) return;
  line_ = 0;
  ++loading_;
}

}  // namespace guardbit::sim
