#pragma once
/// Weights as they lie in a memory of 16-bit words: those of a large model take half the space of their carriers, and
/// rows are widened when they are multiplied.
#include <cstdint>
#include <vector>

#include "models/units/matrix_unit.h"

namespace guardbit::units {

/// A float operand of at most 16 bits a value. Test: tests/unit/narrow_operand_unit_test.cpp.
class NarrowOperand {
 public:
  /// Whether the mode's weights are such floats.
  static bool fits(const MatrixMode& mode);

  /// quantize_operand() of weights (rows, K), some rows at a time.
  NarrowOperand(MatrixView<const float> x, const MatrixMode& mode, EventLedger& ledger,
                const ParallelFor& parallel_for = {});

  std::size_t rows() const { return codes_.rows(); }
  const std::vector<float>& scales() const { return scales_; }  ///< (rows), or empty: Operand::scales
  /// The values of some rows, as quantize_operand() gives them; no scales.
  Operand widen(IndexRange rows) const;

 private:
  numerics::Matrix<std::uint16_t> codes_;
  std::vector<float> values_;  // by code
  std::vector<float> scales_;
};

}  // namespace guardbit::units
