#include "sim/modules/timing.h"

#include <algorithm>
#include <array>
#include <bit>

#include "models/numerics/check.h"
#include "models/numerics/float_format.h"
#include "models/numerics/int_format.h"

namespace guardbit::sim {
namespace {

using std::uint64_t;

constexpr uint64_t ceil_div(uint64_t a, uint64_t b) { return (a + b - 1) / b; }
constexpr uint64_t ceil_log2(uint64_t n) { return n <= 1 ? 0 : static_cast<uint64_t>(std::bit_width(n - 1)); }
uint64_t unsigned_of(std::int64_t value) { return static_cast<uint64_t>(value); }

/// `total` cut into pieces of `part`: the full ones and the ragged rest, as (size, count).
struct Pieces {
  struct Piece {
    uint64_t size = 0;
    uint64_t count = 0;
  };
  std::array<Piece, 2> pieces;
  Pieces(uint64_t total, uint64_t part, bool charge_full_part) {
    const uint64_t rest = total % part;
    pieces = {Piece{part, total / part}, Piece{charge_full_part ? part : rest, rest != 0 ? uint64_t{1} : 0}};
  }
  uint64_t count() const { return pieces[0].count + pieces[1].count; }
  uint64_t first() const { return pieces[pieces[0].count != 0 ? 0 : 1].size; }
  uint64_t last() const { return pieces[pieces[1].count != 0 ? 1 : 0].size; }
};

/// Constants of one command on the array; formulas and symbols as in docs/timing.md.
struct FoldModel {
  bool output_stationary;
  uint64_t stream;      // cycles in which a PE takes steps
  uint64_t promotions;  // drains of R rows that must fit into the stream; 1 if only the fold's own
  uint64_t tail;        // os: from the end of a PE's stream to its finished sum
  uint64_t hop;         // ws: cycles for a partial sum to pass a PE
  uint64_t front;       // ws: pipeline in front of the first adder

  /// Between the first and the last of a fold's drains lie promotions - 1 chunks, each at least `rows` cycles long.
  uint64_t stream_with_promotions(uint64_t rows) const {
    return std::max(stream, ceil_div(stream, promotions) + (promotions - 1) * rows);
  }
  uint64_t fill(uint64_t rows, uint64_t cols) const { return output_stationary ? rows + cols - 2 : rows; }
  uint64_t drain(uint64_t rows, uint64_t cols) const {
    return output_stationary ? tail : rows * hop + cols - 2 + front;
  }
  uint64_t serial_fold(uint64_t rows, uint64_t cols) const {
    return fill(rows, cols) + stream_with_promotions(rows) + drain(rows, cols);
  }
  /// A fold behind another one: its stream must cover the drains (os) or the preload (ws) of `rows` cycles.
  uint64_t following_fold(uint64_t rows) const { return std::max(stream, promotions * rows); }
};

FoldModel fold_model(const MatrixWork& work, const units::ArrayConfig& array, bool output_stationary) {
  const uint64_t cycles_per_mac = work.cycles_per_mac;
  const uint64_t latency = work.latency_cycles;
  if (!output_stationary) {  // every sum meets a PE once: latency and interleave do not limit the rate
    return {false, work.m * cycles_per_mac, 1, 0, latency, uint64_t{work.pipeline_cycles}};
  }
  const uint64_t interleave = work.interleave;
  const uint64_t interval = std::max(cycles_per_mac, ceil_div(latency, interleave));
  const uint64_t merges = interleave - 1;  // per chunk; each takes one issue slot of the adder, and waits for the last
  const uint64_t promotions = std::max<uint64_t>(1, work.outer_updates);
  const uint64_t steps = ceil_div(work.k, unsigned_of(array.dot_width));
  const uint64_t mac = cycles_per_mac - 1 + work.pipeline_cycles + latency;  // from a step's start to its sum
  return {true, steps * interval + promotions * merges, promotions, mac - interval + merges * (latency - 1), 0, 0};
}

/// Cycles of a command whose folds overlap: the first pays the fill if it is the op's first, later ones follow behind.
uint64_t overlapped(const FoldModel& fold, const Pieces& rows, const Pieces& cols, const MatrixWork& work) {
  uint64_t cycles = 0;
  for (const auto& row : rows.pieces) cycles += row.count * cols.count() * fold.following_fold(row.size);
  if (work.first_of_op) {
    cycles -= fold.following_fold(rows.first());
    cycles += fold.fill(rows.first(), cols.first()) + fold.stream_with_promotions(rows.first());
  }
  if (work.last_of_op) cycles += fold.drain(rows.last(), cols.last());
  return cycles;
}

}  // namespace

std::uint32_t default_latency_cycles(std::string_view format_name) {
  constexpr std::uint32_t kIntegerCycles = 1;
  constexpr std::uint32_t kFloat8Cycles = 2;
  constexpr std::uint32_t kFloat16Cycles = 3;
  constexpr std::uint32_t kWideFloatCycles = 4;
  if (numerics::parse_int_format(format_name)) return kIntegerCycles;
  const auto format = numerics::parse_float_format(format_name);
  GUARDBIT_CHECK(format.has_value(), "unknown format " + std::string(format_name));
  if (format->storage_bits() <= 8) return kFloat8Cycles;
  return format->storage_bits() <= 16 ? kFloat16Cycles : kWideFloatCycles;
}

PeTiming pe_timing(const units::ArrayConfig& array, const units::OperandConfig& operands,
                   const units::AccumulatorConfig& accumulator) {
  const auto addition = accumulator.latency_cycles != 0 ? static_cast<std::uint32_t>(accumulator.latency_cycles)
                                                        : default_latency_cycles(accumulator.format);
  PeTiming timing{.cycles_per_mac = static_cast<std::uint32_t>(operands.cycles_per_mac),
                  .latency_cycles = addition,
                  .interleave = static_cast<std::uint32_t>(accumulator.interleave)};
  const auto width = static_cast<std::uint32_t>(array.dot_width);
  if (accumulator.reduce == "tree") {
    timing.pipeline_cycles = static_cast<std::uint32_t>(ceil_log2(width)) * addition;
  } else {
    timing.latency_cycles *= width;
  }
  return timing;
}

MatrixTiming matrix_timing(const MatrixWork& work, const units::ArrayConfig& array) {
  if (work.m == 0 || work.n == 0 || work.k == 0) return {};
  GUARDBIT_CHECK(work.cycles_per_mac >= 1 && work.latency_cycles >= 1 && work.interleave >= 1,
                 "cycles_per_mac, latency_cycles and interleave are at least 1");
  const bool output_stationary = array.dataflow == "os";
  const bool charge_full = array.edge == "full";
  const FoldModel fold = fold_model(work, array, output_stationary);
  // os folds hold R rows of the output; ws folds hold R steps of K as stationary weights.
  const uint64_t row_extent = output_stationary ? work.m : ceil_div(work.k, unsigned_of(array.dot_width));
  const Pieces rows(row_extent, unsigned_of(array.rows), charge_full);
  const Pieces cols(work.n, unsigned_of(array.cols), charge_full);

  MatrixTiming timing;
  timing.folds = rows.count() * cols.count();
  timing.stream = fold.stream_with_promotions(rows.first());
  timing.pipeline = output_stationary ? fold.tail : rows.first() * (fold.hop - 1) + fold.front;
  if (array.policy == "serial") {
    timing.cycles_per_fold = fold.serial_fold(rows.first(), cols.first());
    for (const auto& row : rows.pieces) {
      for (const auto& col : cols.pieces) {
        if (row.count * col.count != 0) timing.cycles += row.count * col.count * fold.serial_fold(row.size, col.size);
      }
    }
  } else {
    timing.cycles_per_fold = fold.following_fold(rows.first());
    timing.cycles = overlapped(fold, rows, cols, work);
  }
  return timing;
}

std::uint64_t norm_cycles(const NormWork& work, const units::NormConfig& norm) {
  if (work.rows == 0 || work.hidden_size == 0) return 0;
  constexpr uint64_t kReadCycles = 1;        // row buffer or input port to the first operator
  constexpr uint64_t kTableCycles = 1;       // rsqrt: one lookup
  constexpr uint64_t kOpsPerNewtonStep = 3;  // y*y; 1.5 - (x/2)*(y*y); y * that: each needs the one before
  constexpr uint64_t kVarianceOps = 2;       // one pass: sum of squares / d, then minus mean * mean
  constexpr uint64_t kRsqrtInputOps = 1;     // + epsilon
  const uint64_t sum = default_latency_cycles(norm.accumulator.format);
  const uint64_t scalar = default_latency_cycles(norm.arithmetic);
  const uint64_t interleave = unsigned_of(norm.accumulator.interleave);
  const uint64_t lanes = unsigned_of(norm.lanes);

  const uint64_t beats = ceil_div(work.hidden_size, lanes);
  const uint64_t statistics = beats * ceil_div(sum, interleave);  // one accumulation a beat, `interleave` in turn
  const uint64_t input = kReadCycles + (work.scale_multiply ? scalar : 0);
  const uint64_t reduce = sum * (ceil_log2(lanes) + 1 + (interleave - 1));  // tree, accumulator, merges
  const uint64_t square = sum;
  const uint64_t mean = scalar;  // times 1/d
  const uint64_t rsqrt = scalar * kRsqrtInputOps + kTableCycles +
                         work.rsqrt_newton_steps * kOpsPerNewtonStep * default_latency_cycles(norm.rsqrt.format);

  // One row: `first` cycles occupy the statistics hardware, then `rest` until the row buffer is free again.
  uint64_t occupied = statistics;
  uint64_t depth = input + square + reduce + (work.layer_norm ? scalar * kVarianceOps : mean) + rsqrt;
  if (work.layer_norm && norm.statistics == "two_pass") {
    occupied = 2 * statistics + input + reduce + mean;              // mean first, then centred squares
    depth = kReadCycles + scalar + square + reduce + mean + rsqrt;  // centring subtracts once more
  }
  const uint64_t apply_ops = work.layer_norm ? 4 : 2;  // (x - mean) * inv_std * gamma + beta; x * inv_std * gamma
  const uint64_t apply_depth = kReadCycles + scalar * apply_ops;

  // Two row buffers: row t + 1 starts when the statistics hardware is free, row t + 2 when row t has left its buffer.
  const uint64_t hold = occupied + depth + beats;
  const uint64_t pair = std::max(2 * occupied, hold);
  const uint64_t last_start = (work.rows - 1) / 2 * pair + (work.rows - 1) % 2 * occupied;
  return last_start + hold + apply_depth;
}

std::uint64_t vector_cycles(const VectorWork& work, const units::VectorConfig& vector) {
  const uint64_t lanes = work.lanes != 0 ? work.lanes : unsigned_of(vector.lanes);
  const uint64_t beats = ceil_div(work.elements, lanes);
  uint64_t cycles = beats * work.passes + beats * work.exp_passes * unsigned_of(vector.exp_cycles);
  if (work.sort_elements > 1) {  // bitonic network on the next power of two, `lanes` comparators
    const uint64_t levels = ceil_log2(work.sort_elements);
    cycles += levels * (levels + 1) / 2 * ceil_div((uint64_t{1} << levels) / 2, lanes);
  }
  return cycles;
}

std::uint64_t hadamard_dense_factor(std::uint64_t size) {
  constexpr uint64_t kDenseMultiple = 4;
  const auto power = uint64_t{1} << std::countr_zero(size);
  const uint64_t odd = size / power;
  return odd == 1 ? 1 : odd * std::min(power, kDenseMultiple);
}

std::uint64_t rotate_cycles(const RotateWork& work, const units::RotateConfig& rotate) {
  if (work.rows == 0 || work.width == 0 || work.size <= 1) return 0;
  GUARDBIT_CHECK(work.width % work.size == 0, "a row holds whole transforms");
  const uint64_t lanes = unsigned_of(rotate.lanes);
  const uint64_t dense = hadamard_dense_factor(work.size);
  const uint64_t stages = ceil_log2(work.size / dense);
  uint64_t cycles_per_row = stages * ceil_div(work.width / 2, lanes);
  if (dense > 1) {  // k - 1 additions an element; a butterfly lane has one adder and one subtractor
    cycles_per_row += ceil_div(work.width * (dense - 1), 2 * lanes);
  }
  return work.rows * cycles_per_row;
}

std::uint64_t work_cycles(const Work& work, const units::AcceleratorConfig& config) {
  struct Visitor {
    const units::AcceleratorConfig& config;
    uint64_t operator()(const DmaWork&) const { return 0; }
    uint64_t operator()(const MatrixWork& matrix) const { return matrix_timing(matrix, config.array).cycles; }
    uint64_t operator()(const NormWork& norm) const { return norm_cycles(norm, config.norm); }
    uint64_t operator()(const VectorWork& vector) const { return vector_cycles(vector, config.vector); }
    uint64_t operator()(const RotateWork& rotate) const { return rotate_cycles(rotate, config.rotate); }
  };
  return std::visit(Visitor{config}, work);
}

}  // namespace guardbit::sim
