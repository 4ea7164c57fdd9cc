#pragma once
/// What all processes of the stepped array share during one product: the described PE, the work cut into folds, and the
/// clock's count. Read by the processes, written by PeArray and PeClock only, except for the account at the end.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/numerics/matrix.h"
#include "models/units/chunk_terms.h"
#include "models/units/pe_arithmetic.h"
#include "sim/modules/pe_registers.h"

namespace guardbit::sim {

/// Rows of an operand in its memory, row-major; elements are int8 codes or float carriers.
struct OperandMemory {
  const std::byte* data = nullptr;  ///< null: cycles alone
  std::size_t row_bytes = 0;
  std::size_t element_bytes = 0;
  const void* at(std::uint64_t row, std::uint64_t k) const {
    return data == nullptr ? nullptr : data + row * row_bytes + k * element_bytes;
  }
};

struct PeRun {
  // The described hardware; symbols of docs/timing.md in brackets.
  bool sums_flow_down = false;
  bool inputs_stay = false;  ///< "is"
  bool serial = false;
  std::uint32_t rows = 0;       ///< [R]
  std::uint32_t cols = 0;       ///< [C]
  std::uint32_t dot_width = 1;  ///< [W]
  std::uint32_t cycles_per_mac = 1;
  std::uint32_t latency = 1;     ///< [L] of an addition, of all W in turn for a chain of adders
  std::uint32_t interleave = 1;  ///< [I]
  std::uint32_t pipeline = 0;    ///< from a step's start to its addition: cycles_per_mac - 1 and the reduction tree
  std::uint32_t interval = 1;    ///< [II] between two steps of a PE

  // The work.
  std::vector<PeFold> folds;
  std::vector<PeStep> steps;       ///< os: of a fold
  std::uint32_t num_chunks = 0;    ///< os: of a fold
  std::uint32_t num_streamed = 0;  ///< ws: M, is: N
  OperandMemory a;                 ///< (M, K)
  OperandMemory b;                 ///< (N, K)
  bool first_of_op = true;
  bool last_of_op = true;
  CausalMask mask = CausalMask::kNone;
  std::uint32_t first_query = 0;              ///< masked: row m is query first_query + m
  units::PeArithmetic* arithmetic = nullptr;  ///< null: cycles alone
  std::span<const float> scales;              ///< one a chunk, or empty: all 1
  std::vector<units::ChunkTerms> terms;       ///< one a chunk in place of scales, or empty: no zero points, no groups
  numerics::MatrixView<float> c;              // (M, N)
  arith::OutputIndex origin;                  ///< of c(0, 0), for random bits

  // The clock.
  std::uint64_t cycle = 0;
  std::uint32_t product_slot = 0;  ///< of a delay line of `pipeline` cycles
  std::uint32_t result_in = 0;     ///< of the adder's delay line of `latency` cycles
  std::uint32_t result_out = 0;
  std::uint32_t latency_slot = 0;  ///< of a delay line of latency - 1 cycles

  // The account: moments, each the cycle after which something is over.
  std::uint64_t delivered = 0;  ///< sums that have reached the column buffers
  std::uint64_t expected = 0;
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};
  std::uint64_t first_cycle = kNone;      ///< the first operand reaches PE (0, 0), or the command before leaves it
  std::uint64_t last_step = 0;            ///< time slots of steps, in any PE
  std::uint64_t last_step_of_origin = 0;  ///< in PE (0, 0)
  std::uint64_t last_sum = 0;             ///< os: complete in its PE; ws, is: has left its column
  std::uint64_t last_sum_of_origin = 0;   ///< os: of PE (0, 0)
  std::uint64_t counted_cycles = 0;
  std::uint64_t first_fold_cycles = 0;

  /// The first operand of an interval reaches PE (0, 0) in the next cycle.
  void note_first_operand() {
    if (first_cycle == kNone) first_cycle = cycle + 1;
  }
  void note_step(bool of_origin) {
    last_step = std::max(last_step, cycle + interval);
    if (of_origin) last_step_of_origin = cycle + interval;
  }
  /// A sum is complete at the end of this cycle.
  void note_sum(bool of_origin) {
    last_sum = std::max(last_sum, cycle + 1);
    if (of_origin) last_sum_of_origin = cycle + 1;
  }
  /// Ends the interval that began with first_cycle. A command that is not its op's last ends with its steps; one that
  /// is not the first is counted where it follows the one before, in PE (0, 0) (docs/timing.md).
  void count_interval() {
    const bool at_origin = !serial && (sums_flow_down ? !last_of_op : !first_of_op);
    const std::uint64_t sums_end = at_origin ? last_sum_of_origin : last_sum;
    const std::uint64_t steps_end = at_origin ? last_step_of_origin : last_step;
    counted_cycles += (serial || last_of_op ? sums_end : steps_end) - first_cycle;
    if (first_fold_cycles == 0) first_fold_cycles = counted_cycles;
  }
  /// Sums that a fold delivers, those of idle PEs included.
  std::uint64_t sums_of(const PeFold& fold) const {
    return (sums_flow_down ? std::uint64_t{num_streamed} : std::uint64_t{num_chunks} * fold.lines) * fold.columns;
  }
  /// Whether the mask leaves output (row, col) out.
  bool hides_output(std::uint32_t row, std::uint32_t col) const {
    return mask == CausalMask::kOutputs && col > first_query + row;
  }
  /// How many of `count` products from first_k on the mask leaves to an output of that row.
  std::uint32_t visible(std::uint32_t row, std::uint32_t first_k, std::uint32_t count) const {
    if (mask != CausalMask::kProducts) return count;
    const std::uint32_t keys = first_query + row + 1;
    return keys <= first_k ? 0 : std::min(count, keys - first_k);
  }
  /// Of a step or sum.
  std::uint32_t chunk_of(const PeFold& fold, std::uint32_t index) const {
    return sums_flow_down ? fold.chunk : steps[index].chunk;
  }
  std::uint32_t first_k_of_chunk(const PeFold& fold, std::uint32_t index) const {
    return sums_flow_down ? fold.row_base : steps[index].first_k - steps[index].number * dot_width;
  }
  /// Whether a chunk has anything for output (row, col).
  bool has_chunk(std::uint32_t row, std::uint32_t col, const PeFold& fold, std::uint32_t index) const {
    return !hides_output(row, col) && visible(row, first_k_of_chunk(fold, index), 1) != 0;
  }
};

}  // namespace guardbit::sim
