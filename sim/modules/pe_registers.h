#pragma once
/// The registers of the stepped array. A process reads `now` and writes `next`; the clock's edge makes next now, so
/// that the order in which processes run within a cycle does not matter.
#include <cstdint>
#include <vector>

#include "models/units/pe_arithmetic.h"

namespace guardbit::sim {

/// Attention: query t sees keys 0 .. t. A PE is idle for what the mask hides; the time slots stay.
enum class CausalMask : std::uint8_t {
  kNone,
  kOutputs,   ///< scores: row t has the columns 0 .. t
  kProducts,  ///< values: row t sums over k = 0 .. t
};

/// Rows x columns of outputs (os), or of operands that stay in the PEs (ws, is).
struct PeFold {
  std::uint32_t number = 0;
  std::uint32_t row_base = 0;  ///< os: first row of the outputs; ws, is: first k
  std::uint32_t col_base = 0;  ///< first output column (is: row)
  std::uint32_t rows = 0;      ///< with work
  std::uint32_t cols = 0;
  std::uint32_t lines = 0;  ///< that take part: all (edge = full) or those with work
  std::uint32_t columns = 0;
  std::uint32_t depth = 0;  ///< ws, is: products of a column
  std::uint32_t chunk = 0;  ///< ws, is
};

/// os: one step of every PE of a fold.
struct PeStep {
  std::uint32_t first_k = 0;
  std::uint32_t count = 0;  ///< products
  std::uint32_t chunk = 0;
  std::uint32_t number = 0;       ///< in the chunk
  std::uint32_t accumulator = 0;  ///< number mod interleave
  bool last = false;              ///< of the chunk
};

/// A time slot on its way through the feeders: what is to be read in it. No fold: nothing.
struct Slot {
  const PeFold* fold = nullptr;
  std::uint32_t index = 0;  ///< step (os), streamed row (ws, is), or line of a stationary operand
};

/// An operand word of up to dot_width values; the register refers to them. No fold: the slot is empty; no values: it
/// takes time, but the PE is idle (edge = full, or cycles alone).
struct Operand {
  const PeFold* fold = nullptr;
  const void* values = nullptr;
  std::uint32_t index = 0;
  std::uint32_t count = 0;
};

/// A sum on its way down a column, and what it is the sum of. No fold: the register is empty.
struct Sum {
  const PeFold* fold = nullptr;
  units::SumBits word = 0;
  std::uint32_t index = 0;  ///< last step (os), streamed row (ws, is)
  std::uint32_t line = 0;   ///< os: of the PE
  bool moving = false;      ///< os: has left its own PE's shadow register
};

/// Registers of a PE that its neighbours see.
struct PeRegisters {
  Operand a;  ///< to the right
  Operand b;  ///< downwards: an operand (os), one that is to stay in a PE below (ws, is)
  Sum sum;    ///< downwards: shadow register of a finished sum (os), partial sum (ws, is)
};

/// Registers of a column.
struct ColumnRegisters {
  Sum exit;              ///< to the column's buffer
  bool release = false;  ///< os: the last line's sum is in its shadow register: all move
};

/// What the sequencer issues.
struct IssueRegisters {
  Slot stream;
  Slot stationary;  ///< ws, is
};

/// A set of registers of one kind.
template <class T>
struct RegisterFile {
  std::vector<T> now;
  std::vector<T> next;

  explicit RegisterFile(std::size_t size) : now(size), next(size) {}
  void clock() { now = next; }
  void reset() {
    now.assign(now.size(), T{});
    next = now;
  }
};

/// All of them.
struct PeRegisterBank {
  PeRegisterBank(std::size_t rows, std::size_t cols)
      : pes(rows * cols),
        row_feeds(rows),
        column_feeds(cols),
        row_slots(rows),
        column_slots(cols),
        columns(cols),
        issue(1) {}
  RegisterFile<PeRegisters> pes;       // (rows, cols)
  RegisterFile<Operand> row_feeds;     ///< into the first PE of each row
  RegisterFile<Operand> column_feeds;  ///< into the first PE of each column
  RegisterFile<Slot> row_slots;        ///< from one row's feeder to the next
  RegisterFile<Slot> column_slots;     ///< from one column's feeder to the next
  RegisterFile<ColumnRegisters> columns;
  RegisterFile<IssueRegisters> issue;

  void clock() {
    pes.clock();
    row_feeds.clock();
    column_feeds.clock();
    row_slots.clock();
    column_slots.clock();
    columns.clock();
    issue.clock();
    columns.next.assign(columns.next.size(), {});  // pulses, not levels
  }
  void reset() {
    pes.reset();
    row_feeds.reset();
    column_feeds.reset();
    row_slots.reset();
    column_slots.reset();
    columns.reset();
    issue.reset();
  }
};

/// Values that come out `cycles` after they went in; nothing in between can see them.
template <class T>
class DelayLine {
 public:
  void resize(std::size_t cycles) { line_.assign(cycles, T{}); }
  /// `slot` counts the cycles modulo their number.
  T exchange(const T& in, std::size_t slot) {
    if (line_.empty()) return in;
    T out = line_[slot];
    line_[slot] = in;
    return out;
  }

 private:
  std::vector<T> line_;
};

}  // namespace guardbit::sim
