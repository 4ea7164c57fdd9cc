#pragma once
/// Cycles of one product on the array: closed forms, or counted by the clock of the stepped array.
#include <optional>

#include "models/units/matrix_unit.h"
#include "sim/modules/pe_machine.h"
#include "sim/probe/gemm_probe.h"
#include "sim/probe/product_mode.h"

namespace guardbit::sim {

/// The described PE's work.
[[nodiscard]] MatrixWork work_of(const ProductMode& product, const GemmOptions& options);

/// Tile fidelity.
[[nodiscard]] GemmTiming timing_of(const ProductMode& product, const GemmOptions& options);

/// PE fidelity. Elaborates the array, so one per process; `product` and `options` outlive it.
class SteppedArray {
 public:
  /// UserError kRefused if the PEs do not fit in memory.
  SteppedArray(const ProductMode& product, const GemmOptions& options);

  /// c (M, N) = a (M, K) times the transpose of b (N, K), with the events of its three stages.
  void values(const units::Operand& a, const units::Operand& b, numerics::Matrix<float>& c,
              numerics::EventLedger& ledger);
  /// Puts the clock's count in place of the closed forms': of plain PEs and of the described ones.
  void count(GemmTiming& timing);

 private:
  arith::AccumulationEvents step(const PeProduct& product);

  const ProductMode& product_;
  const GemmOptions& options_;
  std::optional<PeMachine> machine_;
  std::optional<PeCycles> described_;
};

}  // namespace guardbit::sim
