#include "models/units/narrow_operand.h"

#include <algorithm>

#include "models/numerics/check.h"
#include "models/numerics/codec.h"

namespace guardbit::units {

bool NarrowOperand::fits(const MatrixMode& mode) {
  constexpr int kWordBits = 16;
  return !mode.integer && mode.weight.storage_bits() <= kWordBits;
}

NarrowOperand::NarrowOperand(MatrixView<const float> x, const MatrixMode& mode, EventLedger& ledger,
                             const ParallelFor& parallel_for)
    : codes_(x.rows, x.cols), values_(std::size_t{1} << mode.weight.storage_bits()) {
  GUARDBIT_CHECK(fits(mode), "values of at most 16 bits");
  for (std::size_t code = 0; code < values_.size(); ++code) {
    values_[code] = numerics::to_carrier(static_cast<std::uint32_t>(code), mode.weight);
  }
  constexpr std::size_t kRowsTogether = 1024;
  for (std::size_t begin = 0; begin < x.rows; begin += kRowsTogether) {
    const std::size_t end = std::min(x.rows, begin + kRowsTogether);
    const Operand part = quantize_operand(x.rows_range(begin, end), mode, /*is_weight=*/true, ledger, parallel_for);
    scales_.insert(scales_.end(), part.scales.begin(), part.scales.end());
    numerics::run_parallel(parallel_for, end - begin, [&](std::size_t row) {
      const float* const values = part.values.row(row);
      std::transform(values, values + x.cols, codes_.row(begin + row), [&mode](float value) {
        return static_cast<std::uint16_t>(numerics::from_carrier(value, mode.weight));
      });
    });
  }
}

Operand NarrowOperand::widen(IndexRange rows) const {
  Operand operand;
  operand.values = numerics::Matrix<float>(rows.size(), codes_.cols());
  const std::uint16_t* const codes = codes_.row(rows.begin);
  std::transform(codes, codes + operand.values.data().size(), operand.values.data().begin(),
                 [this](std::uint16_t code) { return values_[code]; });
  return operand;
}

}  // namespace guardbit::units
