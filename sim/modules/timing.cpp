#include "sim/modules/timing.h"

#include <algorithm>
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
  constexpr std::uint32_t kFixedPointCycles = 1;
  const std::uint32_t of_format = default_latency_cycles(accumulator.format);
  const bool fixed = accumulator.reduce == "fixed";
  const auto addition = accumulator.latency_cycles != 0 ? static_cast<std::uint32_t>(accumulator.latency_cycles)
                                                        : (fixed ? kFixedPointCycles : of_format);
  PeTiming timing{.cycles_per_mac = static_cast<std::uint32_t>(operands.cycles_per_mac),
                  .latency_cycles = addition,
                  .interleave = static_cast<std::uint32_t>(accumulator.interleave)};
  const auto width = static_cast<std::uint32_t>(array.dot_width);
  const auto levels = static_cast<std::uint32_t>(ceil_log2(width));
  if (accumulator.reduce == "tree") {
    timing.pipeline_cycles = levels * addition;
  } else if (accumulator.reduce == "aligned") {  // comparators; with the products alone also shifters and adders
    constexpr std::uint32_t kShiftCycles = 1;
    timing.pipeline_cycles = accumulator.align_accumulator ? levels : 2 * levels + kShiftCycles;
  } else {
    timing.latency_cycles *= width;
    if (fixed) timing.pipeline_cycles = of_format;
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
  constexpr uint64_t kDivideCycles = 14;     // 24 bits of 1/M at 2 a cycle (radix 4), unpack, round
  const uint64_t sum = default_latency_cycles(norm.accumulator.format);
  const uint64_t scalar = default_latency_cycles(norm.arithmetic);
  const uint64_t interleave = unsigned_of(norm.accumulator.interleave);
  const uint64_t lanes = unsigned_of(norm.lanes);

  const uint64_t beats = ceil_div(work.hidden_size, lanes);
  const uint64_t statistics = beats * ceil_div(sum, interleave);  // one accumulation a beat, `interleave` in turn
  const bool multiplies = work.scale_multiply || (work.dynamic_scale && norm.scale == "exact");
  const uint64_t input = kReadCycles + (multiplies ? scalar : 0);
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
  if (work.layer_norm && norm.statistics == "welford") {
    const uint64_t update = 2 * sum;  // the next update of a state needs its mean: a difference and a multiply-add
    // The sums of squared deviations are the longer chain: two operations behind the mean, then two a merge.
    const uint64_t merges = ceil_log2(lanes) + (interleave - 1);
    occupied = beats * ceil_div(update, interleave);
    depth = input + 2 * update + merges * update + mean + rsqrt;
  }
  if (work.dynamic_scale) {  // comparator tree and running maximum, before the first element is scaled
    occupied += beats + kReadCycles + ceil_log2(lanes) + 1 + (norm.scale == "exact" ? kDivideCycles : 0);
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
  cycles += ceil_div(work.exponentials, lanes) * (unsigned_of(vector.exp_cycles) + 1);
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
