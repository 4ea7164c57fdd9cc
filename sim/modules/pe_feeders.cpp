#include "sim/modules/pe_feeders.h"

#include <algorithm>

namespace guardbit::sim {

RowFeeder::RowFeeder(const sc_core::sc_module_name& name, PeRun& run, PeRegisterBank& bank, std::uint32_t row,
                     sc_core::sc_event& clock_edge)
    : sc_core::sc_module(name), run_(run), bank_(bank), row_(row) {
  SC_METHOD(run);
  dont_initialize();
  sensitive << clock_edge;
}

void RowFeeder::run() {
  const Slot slot = row_ == 0 ? bank_.issue.now[0].stream : bank_.row_slots.now[row_ - 1];
  bank_.row_slots.next[row_] = passing_.exchange(slot, run_.latency_slot);
  bank_.row_feeds.next[row_] = operand_of(slot);
  if (row_ == 0 && slot.fold != nullptr && !run_.sums_flow_down) run_.note_first_operand();
}

Operand RowFeeder::operand_of(const Slot& slot) const {
  if (slot.fold == nullptr || row_ >= slot.fold->lines) return {};
  const PeFold& fold = *slot.fold;
  Operand operand{.fold = &fold, .values = nullptr, .index = slot.index};
  if (row_ >= fold.rows) return operand;
  if (run_.sums_flow_down) {
    const OperandMemory& memory = run_.inputs_stay ? run_.b : run_.a;
    operand.values = memory.at(slot.index, fold.row_base + row_ * run_.dot_width);
  } else {
    operand.values = run_.a.at(fold.row_base + row_, run_.steps[slot.index].first_k);
  }
  return operand;
}

ColumnFeeder::ColumnFeeder(const sc_core::sc_module_name& name, PeRun& run, PeRegisterBank& bank, std::uint32_t col,
                           sc_core::sc_event& clock_edge)
    : sc_core::sc_module(name), run_(run), bank_(bank), col_(col) {
  SC_METHOD(run);
  dont_initialize();
  sensitive << clock_edge;
}

void ColumnFeeder::run() {
  const IssueRegisters& issue = bank_.issue.now[0];
  const Slot first = run_.sums_flow_down ? issue.stationary : issue.stream;
  const Slot slot = col_ == 0 ? first : bank_.column_slots.now[col_ - 1];
  bank_.column_slots.next[col_] = slot;
  bank_.column_feeds.next[col_] = operand_of(slot);
  if (col_ == 0 && slot.fold != nullptr && run_.sums_flow_down) run_.note_first_operand();
}

Operand ColumnFeeder::operand_of(const Slot& slot) const {
  if (slot.fold == nullptr || col_ >= slot.fold->columns) return {};
  const PeFold& fold = *slot.fold;
  Operand operand{.fold = &fold, .values = nullptr, .index = slot.index};
  if (col_ >= fold.cols) return operand;
  if (!run_.sums_flow_down) {
    operand.values = run_.b.at(fold.col_base + col_, run_.steps[slot.index].first_k);
  } else if (slot.index < fold.rows) {
    const OperandMemory& memory = run_.inputs_stay ? run_.a : run_.b;
    const std::uint32_t begin = slot.index * run_.dot_width;
    operand.values = memory.at(fold.col_base + col_, fold.row_base + begin);
    operand.count = std::min(run_.dot_width, fold.depth - begin);
  }
  return operand;
}

}  // namespace guardbit::sim
