#pragma once
/// Cholesky factorisation in binary64, in a fixed order of operations.
#include "models/numerics/matrix.h"

namespace guardbit::calibration {

/// Replaces a symmetric matrix (its upper part is not read) by L with L L^T = a, L lower triangular, zeros above. Every
/// element is (a(i, j) - sum over k < j of L(i, k) L(j, k)) / L(j, j), the sum in ascending k in binary64: the
/// textbook's result bit for bit, whatever the blocks and threads. Returns false, leaving `a` undefined, if a pivot is
/// not positive and finite. Test: tests/unit/cholesky_test.cpp.
[[nodiscard]] bool factor_cholesky(numerics::Matrix<double>& a, const numerics::ParallelFor& parallel_for = {});

}  // namespace guardbit::calibration
