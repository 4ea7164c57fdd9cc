#include "models/calibration/cholesky.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "models/calibration/panels.h"

namespace guardbit::calibration {
namespace {

using numerics::Matrix;

constexpr std::size_t kBlock = 64;  // columns that are finished together

/// sums(j, c) = sum over k < begin of L(begin + j, k) L(first_row + c, k), for the block's columns j.
void subtract_finished(const Matrix<double>& a, std::size_t begin, std::size_t end, std::size_t first_row,
                       std::vector<double>& panel, double* sums) {
  const std::size_t num_rows = std::min(kPanelColumns, a.rows() - first_row);
  panel.assign(begin * kPanelColumns, 0.0);
  for (std::size_t c = 0; c < num_rows; ++c) {
    const double* const row = a.row(first_row + c);
    for (std::size_t k = 0; k < begin; ++k) panel[k * kPanelColumns + c] = row[k];
  }
  std::fill(sums, sums + (end - begin) * kPanelColumns, 0.0);
  multiply_panel(a.row(begin), a.cols(), end - begin, panel.data(), begin, sums);
}

/// The triangle on the diagonal.
bool factor_diagonal_block(Matrix<double>& a, std::size_t begin, std::size_t end) {
  std::vector<double> panel;
  std::array<double, kBlock * kPanelColumns> sums{};
  for (std::size_t first = begin; first < end; first += kPanelColumns) {
    subtract_finished(a, begin, end, first, panel, sums.data());
    for (std::size_t i = first; i < std::min(first + kPanelColumns, end); ++i) {
      for (std::size_t j = begin; j <= i; ++j) {
        double sum = sums[(j - begin) * kPanelColumns + i - first];
        for (std::size_t k = begin; k < j; ++k) sum += a(j, k) * a(i, k);
        const double rest = a(i, j) - sum;
        if (j == i && (!(rest > 0) || !std::isfinite(rest))) return false;
        a(i, j) = j == i ? std::sqrt(rest) : rest / a(j, j);
      }
    }
  }
  return true;
}

/// Columns begin .. end of eight rows below the diagonal block.
void solve_rows(Matrix<double>& a, std::size_t begin, std::size_t end, std::size_t first_row,
                std::vector<double>& panel) {
  const std::size_t num_rows = std::min(kPanelColumns, a.rows() - first_row);
  std::array<double, kBlock * kPanelColumns> sums{};
  subtract_finished(a, begin, end, first_row, panel, sums.data());
  std::array<double, kBlock * kPanelColumns> solved{};
  for (std::size_t j = begin; j < end; ++j) {
    double* const sum = sums.data() + (j - begin) * kPanelColumns;
    double* const result = solved.data() + (j - begin) * kPanelColumns;
    multiply_panel(a.row(j) + begin, a.cols(), 1, solved.data(), j - begin, sum);
    for (std::size_t c = 0; c < num_rows; ++c) {
      result[c] = (a(first_row + c, j) - sum[c]) / a(j, j);
      a(first_row + c, j) = result[c];
    }
  }
}

}  // namespace

bool factor_cholesky(Matrix<double>& a, const numerics::ParallelFor& parallel_for) {
  GUARDBIT_CHECK(a.rows() == a.cols(), "a Cholesky factorisation is of a square matrix");
  const std::size_t size = a.rows();
  constexpr std::size_t kRowsPerTask = 8 * kPanelColumns;
  for (std::size_t begin = 0; begin < size; begin += kBlock) {
    const std::size_t end = std::min(begin + kBlock, size);
    if (!factor_diagonal_block(a, begin, end)) return false;
    numerics::run_parallel(parallel_for, (size - end + kRowsPerTask - 1) / kRowsPerTask, [&](std::size_t task) {
      std::vector<double> panel;
      const std::size_t first = end + task * kRowsPerTask;
      for (std::size_t row = first; row < std::min(first + kRowsPerTask, size); row += kPanelColumns)
        solve_rows(a, begin, end, row, panel);
    });
  }
  for (std::size_t i = 0; i < size; ++i) std::fill(a.row(i) + i + 1, a.row(i) + size, 0.0);
  return true;
}

}  // namespace guardbit::calibration
