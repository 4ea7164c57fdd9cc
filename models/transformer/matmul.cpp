#include "models/transformer/matmul.h"

#include <array>

#include "models/kernels/gemm.h"

namespace guardbit::transformer {
namespace {

constexpr std::size_t kPanelColumns = 16;

/// b's columns in panels of kPanelColumns, k-major within a panel, missing columns 0.
std::vector<double> pack_panels(MatrixView<const double> b) {
  const std::size_t num_panels = (b.cols + kPanelColumns - 1) / kPanelColumns;
  std::vector<double> packed(num_panels * b.rows * kPanelColumns, 0.0);
  for (std::size_t n = 0; n < b.cols; ++n) {
    double* const panel = packed.data() + n / kPanelColumns * b.rows * kPanelColumns + n % kPanelColumns;
    for (std::size_t k = 0; k < b.rows; ++k) panel[k * kPanelColumns] = b(k, n);
  }
  return packed;
}

}  // namespace

void multiply(MatrixView<const float> a, MatrixView<const float> b, const numerics::ParallelFor& parallel_for,
              MatrixView<float> c) {
  kernels::gemm_fp32(a, b, parallel_for, c);
}

void multiply(MatrixView<const double> a, MatrixView<const double> b, const numerics::ParallelFor& parallel_for,
              MatrixView<double> c) {
  GUARDBIT_CHECK(a.cols == b.rows && c.rows == a.rows && c.cols == b.cols, "shapes of a matrix product agree");
  const std::vector<double> packed = pack_panels(b);
  for_row_blocks(parallel_for, a.rows, [&](std::size_t begin, std::size_t end) {
    for (std::size_t first = 0; first < b.cols; first += kPanelColumns) {
      const double* const panel = packed.data() + first * b.rows;
      const std::size_t num_columns = std::min(kPanelColumns, b.cols - first);
      for (std::size_t m = begin; m < end; ++m) {
        std::array<double, kPanelColumns> sums{};
        for (std::size_t k = 0; k < a.cols; ++k)
          for (std::size_t j = 0; j < kPanelColumns; ++j) sums[j] += a(m, k) * panel[k * kPanelColumns + j];
        for (std::size_t j = 0; j < num_columns; ++j) c(m, first + j) = sums[j];
      }
    }
  });
}

}  // namespace guardbit::transformer
