#include "sim/modules/pe.h"

#include "models/numerics/check.h"

namespace guardbit::sim {

Pe::Pe(const sc_core::sc_module_name& name, PeRun& run, const PeWiring& wiring, sc_core::sc_event& clock_edge)
    : sc_core::sc_module(name), run_(run), wiring_(wiring) {
  SC_METHOD(run);
  process_ = sc_core::sc_get_last_created_process_handle();
  dont_initialize();
  sensitive << clock_edge;
}

void Pe::begin_run() {
  const bool takes_part = wiring_.row < run_.rows && wiring_.col < run_.cols;
  if (takes_part) {
    process_.enable();
  } else {
    process_.disable();
  }
  events_ = {};
  multiplier_free_cycle_ = 0;
  products_.resize(run_.pipeline);
  adder_.assign(run_.latency, {});
  last_sum_ = 0;
  accumulators_.assign(run_.interleave == 1 ? 1 : 2 * run_.interleave, {});
  merges_ = {};
  stationary_ = waiting_ = {};
  passing_.resize(run_.latency - 1);
}

void Pe::run() {
  if (run_.sums_flow_down) {
    step_flowing_down();
  } else {
    step_output_stationary();
  }
}

/// A step begins with the operands that have just arrived; the one whose addition begins in this cycle comes back.
Pe::Pair Pe::start_step(const Operand& b) {
  const Operand& a = *wiring_.left;
  wiring_.next->a = a;
  if (a.fold != nullptr && wiring_.col < a.fold->columns) {
    GUARDBIT_CHECK(multiplier_free_cycle_ <= run_.cycle, "a step begins when the multiplier is free");
    multiplier_free_cycle_ = run_.cycle + run_.cycles_per_mac;
    run_.note_step(at_origin());
  }
  adder_taken_ = false;
  return products_.exchange({a, b}, run_.product_slot);
}

/// The addition that is complete at the end of this cycle.
void Pe::retire() {
  Result& result = adder_[run_.result_out];
  if (result.sum.fold == nullptr) return;
  const Sum sum = result.sum;
  result.sum.fold = nullptr;
  last_sum_ = sum.word;
  if (run_.sums_flow_down) {
    const bool leaves_column = wiring_.row + 1 == sum.fold->lines;
    Sum& target = leaves_column ? wiring_.column_next->exit : wiring_.next->sum;
    GUARDBIT_CHECK(target.fold == nullptr, "sums leave a column one at a time");
    target = sum;
    if (leaves_column) run_.note_sum(at_origin());
    return;
  }
  accumulators_[result.accumulator].word = sum.word;
  if (result.finished) load_shadow_register(sum);
}

/// (row, col) of the product's result, and where the step lies in its sum.
units::PePlace Pe::place(const PeFold& fold, std::uint32_t index) const {
  const std::uint32_t across = fold.col_base + wiring_.col;
  if (!run_.sums_flow_down) {
    const PeStep& step = run_.steps[index];
    return {{fold.row_base + wiring_.row, across}, step.chunk, step.number, step.first_k};
  }
  const arith::OutputIndex output{run_.inputs_stay ? across : index, run_.inputs_stay ? index : across};
  return {output, fold.chunk, wiring_.row, fold.row_base + wiring_.row * run_.dot_width};
}

/// The step's arithmetic; nothing if the PE is idle in it.
units::SumBits Pe::multiply_add(units::SumBits sum, const Pair& pair, std::uint32_t count) {
  if (pair.a.values == nullptr || pair.b.values == nullptr) return sum;
  units::PePlace at = place(*pair.a.fold, pair.a.index);
  if (run_.mask != CausalMask::kNone) {
    if (run_.hides_output(at.output.row, at.output.column)) return sum;
    count = run_.visible(at.output.row, at.first_k, count);
    if (count == 0) return sum;
  }
  at.output.row += run_.origin.row;
  at.output.column += run_.origin.column;
  const Operand& a = run_.inputs_stay ? pair.b : pair.a;
  const Operand& b = run_.inputs_stay ? pair.a : pair.b;
  return run_.arithmetic->step(sum, a.values, b.values, count, at, events_);
}

void Pe::step_output_stationary() {
  const Operand& b = *wiring_.above;
  wiring_.next->b = b;
  move_sums();
  const Pair pair = start_step(b);
  if (pair.a.fold != nullptr && wiring_.col < pair.a.fold->columns) accumulate(pair);
  if (merges_.fold != nullptr && merges_.due_cycle == run_.cycle) merge();
  retire();
}

/// The shadow registers of a column, from the top down: they hold until the last line's is loaded, then all move.
void Pe::move_sums() {
  const Sum& own = wiring_.now->sum;
  const bool moves = leaves(own);
  wiring_.next->sum = moves ? Sum{} : own;
  if (moves && wiring_.row + 1 == run_.rows) wiring_.column_next->exit = own;
  if (wiring_.sum_above == nullptr || !leaves(*wiring_.sum_above)) return;
  GUARDBIT_CHECK(wiring_.next->sum.fold == nullptr, "a sum moves into an empty shadow register");
  wiring_.next->sum = *wiring_.sum_above;
  wiring_.next->sum.moving = true;
}

/// Interleaved accumulators exist twice: one chunk's are merged while the next chunk's take steps.
std::uint32_t Pe::accumulator_set(const PeFold& fold, std::uint32_t chunk) const {
  if (run_.interleave == 1) return 0;
  return (fold.number * run_.num_chunks + chunk) % 2 * run_.interleave;
}

void Pe::accumulate(const Pair& pair) {
  GUARDBIT_CHECK(pair.b.fold == pair.a.fold && pair.b.index == pair.a.index, "operands of one step meet");
  const PeStep& step = run_.steps[pair.a.index];
  const std::uint32_t index = accumulator_set(*pair.a.fold, step.chunk) + step.accumulator;
  Accumulator& accumulator = accumulators_[index];
  const bool fresh = step.number < run_.interleave;
  GUARDBIT_CHECK(fresh || accumulator.ready_cycle <= run_.cycle, "a step finds the sum that it adds to");
  accumulator.ready_cycle = run_.cycle + run_.latency;
  const units::SumBits word = multiply_add(fresh ? 0 : accumulator.word, pair, step.count);
  const bool alone = run_.interleave == 1;
  adder_[run_.result_in] = {.sum = {.fold = pair.a.fold, .word = word, .index = pair.a.index, .line = wiring_.row},
                            .accumulator = index,
                            .finished = step.last && alone};
  adder_taken_ = true;
  if (!step.last || alone) return;
  GUARDBIT_CHECK(merges_.fold == nullptr, "a chunk is merged before the next one ends");
  merges_ = {.fold = pair.a.fold, .step = pair.a.index, .next = 1, .due_cycle = run_.cycle + run_.latency};
}

void Pe::merge() {
  GUARDBIT_CHECK(!adder_taken_, "the adder is free for a merge");
  const PeStep& step = run_.steps[merges_.step];
  const std::uint32_t first = accumulator_set(*merges_.fold, step.chunk);
  const bool used = merges_.next <= step.number;
  GUARDBIT_CHECK(accumulators_[first].ready_cycle <= run_.cycle &&
                     (!used || accumulators_[first + merges_.next].ready_cycle <= run_.cycle),
                 "a merge finds both sums");
  units::SumBits word = accumulators_[first].word;
  units::PePlace at = place(*merges_.fold, merges_.step);
  const bool has_work = wiring_.row < merges_.fold->rows && wiring_.col < merges_.fold->cols &&
                        run_.has_chunk(at.output.row, at.output.column, *merges_.fold, merges_.step);
  if (run_.arithmetic != nullptr && has_work) {
    at.output.row += run_.origin.row;
    at.output.column += run_.origin.column;
    const units::SumBits other = used ? accumulators_[first + merges_.next].word : 0;
    word = run_.arithmetic->merge(word, other, merges_.next, at, events_);
  }
  accumulators_[first].ready_cycle = run_.cycle + run_.latency;
  const bool last = ++merges_.next == run_.interleave;
  adder_[run_.result_in] = {.sum = {.fold = merges_.fold, .word = word, .index = merges_.step, .line = wiring_.row},
                            .accumulator = first,
                            .finished = last};
  merges_.due_cycle += run_.latency;
  if (last) merges_ = {};
}

void Pe::load_shadow_register(const Sum& sum) {
  GUARDBIT_CHECK(wiring_.next->sum.fold == nullptr, "a chunk's sum finds its shadow register empty");
  wiring_.next->sum = sum;
  if (wiring_.row + 1 == sum.fold->lines) wiring_.column_next->release = true;
  run_.note_sum(at_origin());
}

void Pe::step_flowing_down() {
  wiring_.next->sum = {};
  take_stationary(*wiring_.left);
  const Pair pair = start_step(stationary_);
  if (pair.a.fold != nullptr && wiring_.col < pair.a.fold->columns) add_to_sum_above(pair);
  retire();
}

/// A fold's first moving operand puts the fold's stationary one to use; one that arrives for this PE waits for that.
void Pe::take_stationary(const Operand& moving) {
  if (moving.fold != nullptr && moving.index == 0 && wiring_.col < moving.fold->columns) {
    GUARDBIT_CHECK(waiting_.fold == moving.fold, "an operand that stays is there before those that meet it");
    stationary_ = waiting_;
    waiting_ = {};
  }
  Operand down;
  const Operand& arriving = *wiring_.above;
  if (arriving.fold != nullptr && arriving.index == wiring_.row) {
    GUARDBIT_CHECK(waiting_.fold == nullptr, "an operand that waits to stay is put to use before the next one comes");
    waiting_ = arriving;
  } else {
    down = arriving;
  }
  wiring_.next->b = passing_.exchange(down, run_.latency_slot);
}

void Pe::add_to_sum_above(const Pair& pair) {
  const PeFold& fold = *pair.a.fold;
  GUARDBIT_CHECK(pair.b.fold == &fold, "a moving operand meets its own fold's");
  units::SumBits word = 0;
  if (wiring_.row != 0) {
    const Sum& above = *wiring_.sum_above;
    GUARDBIT_CHECK(above.fold == &fold && above.index == pair.a.index, "a product meets the sum that it belongs to");
    word = above.word;
  }
  word = multiply_add(word, pair, pair.b.count);
  adder_[run_.result_in] = {.sum = {.fold = &fold, .word = word, .index = pair.a.index, .line = wiring_.row},
                            .accumulator = 0,
                            .finished = false};
}

}  // namespace guardbit::sim
