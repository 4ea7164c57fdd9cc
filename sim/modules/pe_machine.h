#pragma once
/// Products on the stepped array, for callers that know no SystemC.
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "models/units/accelerator_config.h"
#include "models/units/matrix_unit.h"
#include "sim/modules/command.h"
#include "sim/modules/pe_registers.h"

namespace guardbit::sim {

/// One product and the array that does it.
struct PeProduct {
  units::ArrayConfig array;
  MatrixWork work;  ///< shape, PE and chunk
  /// Values; without them the array is stepped for its cycles alone.
  struct Values {
    const units::MatrixMode* mode = nullptr;
    const units::Operand* a = nullptr;  ///< M rows from first_row_a on, the first K of their elements
    const units::Operand* b = nullptr;  ///< N rows from first_row_b on, likewise
    std::size_t first_row_a = 0;
    std::size_t first_row_b = 0;
    std::span<const float> scales{};  ///< one a chunk, or empty: all 1
    numerics::RandomStream stream{};
    arith::OutputIndex origin{};  ///< of c(0, 0) in the whole product, for random bits
    CausalMask mask = CausalMask::kNone;
    std::uint32_t first_query = 0;    ///< masked: row m of the product is query first_query + m
    numerics::MatrixView<float> c{};  // (M, N)
  };
  std::optional<Values> values;
};

/// PE fidelity of a whole machine: the compute function of a matrix command leaves its operands here instead of
/// multiplying them; the matrix unit steps the product right after.
struct PeRequest {
  PeProduct::Values values;                 ///< `scales` apart
  std::vector<float> chunk_scales;          ///< one a chunk, or empty
  numerics::EventLedger* ledger = nullptr;  ///< gets the events
};
using PeRequestSlot = std::optional<PeRequest>;

/// What the clock counted.
struct PeCycles {
  std::uint64_t folds = 0;
  std::uint64_t cycles = 0;  ///< from the first operand in PE (0, 0) to the last sum; serial: of all folds; a command
                             ///< that is not its op's first or last: without the fill or the drain
  std::uint64_t first_fold_cycles = 0;  ///< serial: of the first fold
  std::uint64_t stepped_cycles = 0;     ///< edges of the clock, those before and after the counted ones included
};

/// UserError kRefused if that many stepped PEs do not fit in memory.
void require_stepped_array(const units::ArrayConfig& array);

class PeArray;

/// The elaborated array. SystemC allows one elaboration per process: create one and run() it as often as wanted.
class PeMachine {
 public:
  /// For arrays of up to max_rows x max_cols PEs.
  PeMachine(std::uint32_t max_rows, std::uint32_t max_cols);
  ~PeMachine();
  PeMachine(const PeMachine&) = delete;
  PeMachine& operator=(const PeMachine&) = delete;

  /// Steps the product; c is overwritten and events are added if it has values. Internal error if the array is larger
  /// than the elaborated one, or if a PE finds a hazard.
  PeCycles run(const PeProduct& product, arith::AccumulationEvents& events);

 private:
  std::unique_ptr<PeArray> array_;
};

}  // namespace guardbit::sim
