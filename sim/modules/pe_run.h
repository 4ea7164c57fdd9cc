#pragma once
/// What all processes of the stepped array share during one product: the described PE, the work cut into folds, and the
/// clock's count. Read by the processes, written by PeArray and PeClock only, except for the account at the end.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "models/numerics/matrix.h"
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
  std::vector<PeStep> steps;                        ///< os: of a fold
  std::uint32_t num_chunks = 0;                     ///< os: of a fold
  std::uint32_t num_streamed = 0;                   ///< ws: M, is: N
  OperandMemory a;                                  ///< (M, K)
  OperandMemory b;                                  ///< (N, K)
  const units::PeArithmetic* arithmetic = nullptr;  ///< null: cycles alone
  std::span<const float> scales;                    ///< one a chunk, or empty: all 1
  numerics::MatrixView<float> c;                    // (M, N)
  arith::OutputIndex origin;                        ///< of c(0, 0), for random bits

  // The clock.
  std::uint64_t cycle = 0;
  std::uint32_t product_slot = 0;  ///< of a delay line of `pipeline` cycles
  std::uint32_t result_in = 0;     ///< of the adder's delay line of `latency` cycles
  std::uint32_t result_out = 0;
  std::uint32_t latency_slot = 0;  ///< of a delay line of latency - 1 cycles

  // The account. A fold's cycles are those from the first operand's in PE (0, 0) to the last sum.
  std::uint64_t delivered = 0;  ///< sums that have reached the column buffers
  std::uint64_t expected = 0;
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};
  std::uint64_t first_cycle = kNone;
  std::uint64_t last_cycle = 0;
  std::uint64_t counted_cycles = 0;
  std::uint64_t first_fold_cycles = 0;

  /// The first operand of an interval reaches PE (0, 0) in the next cycle.
  void note_first_operand() {
    if (first_cycle == kNone) first_cycle = cycle + 1;
  }
  /// A sum is complete at the end of this cycle.
  void note_sum() { last_cycle = std::max(last_cycle, cycle + 1); }
  /// Sums that a fold delivers, those of idle PEs included.
  std::uint64_t sums_of(const PeFold& fold) const {
    return (sums_flow_down ? std::uint64_t{num_streamed} : std::uint64_t{num_chunks} * fold.lines) * fold.columns;
  }
  /// Ends the interval that began with first_cycle.
  void count_interval() {
    counted_cycles += last_cycle - first_cycle;
    if (first_fold_cycles == 0) first_fold_cycles = counted_cycles;
  }
  std::uint32_t chunk_of(const Sum& sum) const { return sums_flow_down ? sum.fold->chunk : steps[sum.index].chunk; }
};

}  // namespace guardbit::sim
