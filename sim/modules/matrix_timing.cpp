// Cycles of a product on the array. Symbols as in docs/timing.md; tests/system/pe_array_test.cpp compares the forms
// with the array stepped PE by PE.
#include <algorithm>
#include <array>

#include "models/numerics/check.h"
#include "sim/modules/timing.h"

namespace guardbit::sim {
namespace {

using std::uint64_t;

constexpr uint64_t ceil_div(uint64_t a, uint64_t b) { return (a + b - 1) / b; }
uint64_t unsigned_of(std::int64_t value) { return static_cast<uint64_t>(value); }

/// One dimension cut into folds: the full ones, then at most one ragged one. Sizes are what a fold is charged for.
struct Pieces {
  struct Piece {
    uint64_t size = 0;
    uint64_t count = 0;
  };
  std::array<Piece, 2> pieces;
  Pieces(Piece full, Piece ragged) : pieces{full, ragged} {}
  uint64_t count() const { return pieces[0].count + pieces[1].count; }
  uint64_t first() const { return pieces[pieces[0].count != 0 ? 0 : 1].size; }
  uint64_t last() const { return pieces[pieces[1].count != 0 ? 1 : 0].size; }
};

/// `total` in folds of `part`, each of which needs ceil(elements / per_line) of the array's `lines` rows or columns.
Pieces cut(uint64_t total, uint64_t part, uint64_t per_line, uint64_t lines, bool charge_full) {
  const auto charged = [&](uint64_t elements) { return charge_full ? lines : ceil_div(elements, per_line); };
  const uint64_t rest = total % part;
  return {{charged(part), total / part}, {charged(rest), rest != 0 ? uint64_t{1} : 0}};
}

/// The constants of one product. A fold's `stream` is the time in which its PEs take steps; `before` and `rows` are the
/// rows of the fold before and of the fold itself.
struct FoldModel {
  virtual ~FoldModel() = default;
  virtual uint64_t stream(uint64_t rows) const = 0;                      ///< of a fold with nothing before it
  virtual uint64_t following(uint64_t before, uint64_t rows) const = 0;  ///< from the last stream's end to this one's
  virtual uint64_t fill(uint64_t rows, uint64_t cols) const = 0;         ///< before the stream of the last PE
  virtual uint64_t drain(uint64_t rows, uint64_t cols) const = 0;        ///< behind the stream of the last PE
  virtual uint64_t pipeline(uint64_t rows) const = 0;                    ///< what only deeper PEs add to a fold
  /// fill + drain of the op's last fold in an op of which this is the first and the last command, or of one of them.
  virtual uint64_t ends(const Pieces& rows, const Pieces& cols, const MatrixWork& work) const = 0;

  uint64_t serial_fold(uint64_t rows, uint64_t cols) const {
    return fill(rows, cols) + stream(rows) + drain(rows, cols);
  }

 protected:
  /// How long after the last fold's own stream end the last of `behind(rows, cols)` is over: a ragged last fold may be
  /// through before the wider one in front of it.
  template <class Behind>
  uint64_t latest(const Pieces& rows, const Pieces& cols, Behind behind) const {
    const uint64_t last = behind(rows.last(), cols.last());
    if (cols.count() == 1) return last;
    const uint64_t wider = behind(rows.last(), cols.first());
    return std::max(last, wider - std::min(wider, following(rows.last(), rows.last())));
  }
};

struct OutputStationary final : FoldModel {
  OutputStationary(const MatrixWork& work, uint64_t dot_width) {
    const uint64_t cycles_per_mac = work.cycles_per_mac;
    latency = work.latency_cycles;
    merges = work.interleave - 1;
    interval = std::max(cycles_per_mac, ceil_div(latency, work.interleave));
    mac = cycles_per_mac - 1 + work.pipeline_cycles + latency;
    const uint64_t chunk = work.chunk == 0 ? work.k : std::min(work.chunk, work.k);
    chunks = ceil_div(work.k, chunk);
    first_steps = ceil_div(chunk, dot_width);
    last_steps = ceil_div(work.k - (chunks - 1) * chunk, dot_width);
  }
  /// From the end of one chunk to that of the next, of `steps`; `drain` rows leave through the shadow registers.
  uint64_t distance(uint64_t steps, uint64_t drained_rows) const {
    const uint64_t merged = merges == 0 ? 0 : merges * latency + 1;
    return std::max({steps * interval + merges, merged, drained_rows});
  }
  uint64_t later_chunks(uint64_t rows) const {
    return chunks == 1 ? 0 : (chunks - 2) * distance(first_steps, rows) + distance(last_steps, rows);
  }
  uint64_t stream(uint64_t rows) const final { return first_steps * interval + later_chunks(rows); }
  uint64_t following(uint64_t before, uint64_t rows) const final {
    return distance(first_steps, before) + later_chunks(rows);
  }
  uint64_t fill(uint64_t rows, uint64_t cols) const final { return rows + cols - 2; }
  uint64_t drain(uint64_t /*rows*/, uint64_t /*cols*/) const final { return mac - interval + merges * latency; }
  uint64_t pipeline(uint64_t rows) const final { return drain(rows, 0); }
  uint64_t ends(const Pieces& rows, const Pieces& cols, const MatrixWork& work) const final {
    const auto skew = [this](uint64_t r, uint64_t c) { return fill(r, c); };
    return (work.first_of_op ? latest(rows, cols, skew) : 0) + (work.last_of_op ? drain(0, 0) : 0);
  }

  uint64_t latency;
  uint64_t interval;
  uint64_t mac;
  uint64_t merges;
  uint64_t chunks;
  uint64_t first_steps;
  uint64_t last_steps;
};

struct SumsFlowDown final : FoldModel {
  SumsFlowDown(const MatrixWork& work, uint64_t streamed)
      : steps(streamed * work.cycles_per_mac), hop(work.latency_cycles), front(work.pipeline_cycles) {}
  uint64_t stream(uint64_t /*rows*/) const final { return steps; }
  /// Sums of a shorter column must not overtake those of a longer one in front of them.
  uint64_t following(uint64_t before, uint64_t rows) const final {
    return std::max(steps + (before - std::min(before, rows)) * hop, rows);
  }
  uint64_t fill(uint64_t rows, uint64_t /*cols*/) const final { return rows; }
  uint64_t drain(uint64_t rows, uint64_t cols) const final { return rows * hop + cols - 2 + front; }
  uint64_t pipeline(uint64_t rows) const final { return rows * (hop - 1) + front; }
  uint64_t ends(const Pieces& rows, const Pieces& cols, const MatrixWork& work) const final {
    const auto behind = [this](uint64_t r, uint64_t c) { return drain(r, c); };
    return (work.first_of_op ? fill(rows.first(), 0) : 0) + (work.last_of_op ? latest(rows, cols, behind) : 0);
  }

  uint64_t steps;
  uint64_t hop;
  uint64_t front;
};

uint64_t serial(const FoldModel& fold, const Pieces& rows, const Pieces& cols) {
  uint64_t cycles = 0;
  for (const auto& row : rows.pieces) {
    for (const auto& col : cols.pieces) {
      if (row.count * col.count != 0) cycles += row.count * col.count * fold.serial_fold(row.size, col.size);
    }
  }
  return cycles;
}

/// Folds directly behind one another, columns first.
uint64_t overlapped(const FoldModel& fold, const Pieces& rows, const Pieces& cols, const MatrixWork& work) {
  uint64_t cycles = fold.ends(rows, cols, work);
  uint64_t before = rows.last();  // the commands of an op are alike
  bool first = work.first_of_op;
  for (const auto& row : rows.pieces) {
    if (row.count == 0) continue;
    cycles += first ? fold.stream(row.size) : fold.following(before, row.size);
    cycles += (row.count * cols.count() - 1) * fold.following(row.size, row.size);
    before = row.size;
    first = false;
  }
  return cycles;
}

MatrixTiming timing_of(const FoldModel& fold, const Pieces& rows, const Pieces& cols, const MatrixWork& work,
                       bool is_serial) {
  MatrixTiming timing;
  timing.folds = rows.count() * cols.count();
  timing.stream = fold.stream(rows.first());
  timing.pipeline = fold.pipeline(rows.first());
  timing.cycles_per_fold =
      is_serial ? fold.serial_fold(rows.first(), cols.first()) : fold.following(rows.first(), rows.first());
  timing.cycles = is_serial ? serial(fold, rows, cols) : overlapped(fold, rows, cols, work);
  return timing;
}

}  // namespace

MatrixTiming matrix_timing(const MatrixWork& work, const units::ArrayConfig& array) {
  if (work.m == 0 || work.n == 0 || work.k == 0) return {};
  GUARDBIT_CHECK(work.cycles_per_mac >= 1 && work.latency_cycles >= 1 && work.interleave >= 1,
                 "cycles_per_mac, latency_cycles and interleave are at least 1");
  const bool full = array.edge == "full";
  const bool is_serial = array.policy == "serial";
  const uint64_t num_rows = unsigned_of(array.rows);
  const uint64_t num_cols = unsigned_of(array.cols);
  const uint64_t dot_width = unsigned_of(array.dot_width);
  if (!array.sums_flow_down()) {
    const Pieces rows = cut(work.m, num_rows, 1, num_rows, full);
    const Pieces cols = cut(work.n, num_cols, 1, num_cols, full);
    return timing_of(OutputStationary(work, dot_width), rows, cols, work, is_serial);
  }
  // ws: N lies across the columns and M streams; is: the other way round.
  const bool weights_stay = array.dataflow == "ws";
  const uint64_t column = num_rows * dot_width;
  const uint64_t chunk = work.chunk == 0 ? column : std::min(work.chunk, column);
  const Pieces rows = cut(work.k, chunk, dot_width, num_rows, full);
  const Pieces cols = cut(weights_stay ? work.n : work.m, num_cols, 1, num_cols, full);
  return timing_of(SumsFlowDown(work, weights_stay ? work.m : work.n), rows, cols, work, is_serial);
}

}  // namespace guardbit::sim
