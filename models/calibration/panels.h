#pragma once
/// The inner loop that the Cholesky factorisation and GPTQ share: rows of a matrix times a panel of eight columns, in
/// binary64.
#include <cstddef>

namespace guardbit::calibration {

/// Columns of a panel, which lies k-major: element (k, c) at k * kPanelColumns + c.
inline constexpr std::size_t kPanelColumns = 8;

/// sums(r, c) += sum over k < depth of rows(r, k) * panel(k, c), one product after the other in ascending k, product
/// and sum rounded apart: how a reduction is cut into calls does not change its result. rows: num_rows rows of
/// `row_stride` elements; sums: (num_rows, kPanelColumns), contiguous.
void multiply_panel(const double* rows, std::size_t row_stride, std::size_t num_rows, const double* panel,
                    std::size_t depth, double* sums);

}  // namespace guardbit::calibration
