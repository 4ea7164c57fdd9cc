#pragma once
/// Rows of a known truth, and the data that its measurements share. Data come from Philox (operand_source.h), so that a
/// number is the same on every machine.
#include <cstdint>
#include <string>

#include "models/numerics/matrix.h"
#include "sim/stats/truth_result.h"

namespace guardbit::sim {

/// measured == expected; infinities are equal to themselves.
[[nodiscard]] TruthRow exactly(std::string quantity, double measured, double expected);
/// low <= measured <= high, shown with four significant digits.
[[nodiscard]] TruthRow within(std::string quantity, double measured, double low, double high);
/// A number that others are compared with; the page pins it.
[[nodiscard]] TruthRow shown(std::string quantity, double measured);
/// measured >= low, measured <= high.
[[nodiscard]] TruthRow at_least(std::string quantity, double measured, double low);
[[nodiscard]] TruthRow at_most(std::string quantity, double measured, double high);

/// N(0, deviation^2) values of operand number `unit`.
[[nodiscard]] numerics::Matrix<float> normal_matrix(std::size_t rows, std::size_t cols, std::uint32_t unit,
                                                    float deviation = 1);

/// c = a b^T for a (M, K), b (N, K), products and k-ascending sums in binary64.
[[nodiscard]] numerics::Matrix<double> product_in_binary64(const numerics::Matrix<float>& a,
                                                           const numerics::Matrix<float>& b);

}  // namespace guardbit::sim
