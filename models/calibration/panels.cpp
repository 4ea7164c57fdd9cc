#include "models/calibration/panels.h"

#include <algorithm>
#include <array>

namespace guardbit::calibration {
namespace {

/// Two rows: their sums, the panel's row and both factors fit into the sixteen vector registers of every x86-64.
void multiply_two_rows(const double* first, const double* second, const double* panel, std::size_t depth,
                       double* sums) {
  std::array<double, kPanelColumns> a{};
  std::array<double, kPanelColumns> b{};
  std::copy(sums, sums + kPanelColumns, a.begin());
  std::copy(sums + kPanelColumns, sums + 2 * kPanelColumns, b.begin());
  for (std::size_t k = 0; k < depth; ++k, panel += kPanelColumns)
    for (std::size_t c = 0; c < kPanelColumns; ++c) {
      a[c] += first[k] * panel[c];
      b[c] += second[k] * panel[c];
    }
  std::copy(a.begin(), a.end(), sums);
  std::copy(b.begin(), b.end(), sums + kPanelColumns);
}

void multiply_row(const double* row, const double* panel, std::size_t depth, double* sums) {
  std::array<double, kPanelColumns> a{};
  std::copy(sums, sums + kPanelColumns, a.begin());
  for (std::size_t k = 0; k < depth; ++k, panel += kPanelColumns)
    for (std::size_t c = 0; c < kPanelColumns; ++c) a[c] += row[k] * panel[c];
  std::copy(a.begin(), a.end(), sums);
}

}  // namespace

void multiply_panel(const double* rows, std::size_t row_stride, std::size_t num_rows, const double* panel,
                    std::size_t depth, double* sums) {
  constexpr std::size_t kDepth = 256;  // 16 KiB of the panel stay in the first cache while the rows pass
  for (std::size_t begin = 0; begin < depth; begin += kDepth) {
    const std::size_t count = std::min(kDepth, depth - begin);
    const double* const part = panel + begin * kPanelColumns;
    std::size_t r = 0;
    for (; r + 2 <= num_rows; r += 2) {
      const double* const row = rows + r * row_stride + begin;
      multiply_two_rows(row, row + row_stride, part, count, sums + r * kPanelColumns);
    }
    if (r < num_rows) multiply_row(rows + r * row_stride + begin, part, count, sums + r * kPanelColumns);
  }
}

}  // namespace guardbit::calibration
