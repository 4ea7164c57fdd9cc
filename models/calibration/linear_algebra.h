#pragma once
/// The little linear algebra that calibration needs, in binary64 and in a fixed order of operations.
/// Test: tests/unit/linear_algebra_test.cpp.
#include <vector>

#include "models/numerics/matrix.h"

namespace guardbit::calibration {

using numerics::Matrix;

/// Every element as a To.
template <class To, class From>
Matrix<To> converted(const Matrix<From>& m) {
  return Matrix<To>(m.rows(), m.cols(), std::vector<To>(m.data().begin(), m.data().end()));
}

/// a * b.
Matrix<double> product(const Matrix<double>& a, const Matrix<double>& b);
/// The values in binary64.
template <class T>
Matrix<double> widened(const Matrix<T>& m) {
  return {m.rows(), m.cols(), std::vector<double>(m.data().begin(), m.data().end())};
}
/// m * diag(row); row is (1, m.cols()).
Matrix<double> scale_columns(const Matrix<double>& m, const Matrix<double>& row);
Matrix<double> transpose(const Matrix<double>& m);

/// Sum of squares of all elements; its root is the Frobenius norm.
template <class T>
double sum_of_squares(const Matrix<T>& m);
double frobenius_norm(const Matrix<double>& m);

/// Largest singular value: Lanczos' iteration on m^T m (Golub and Van Loan, Matrix Computations, 10.1) from a fixed
/// pseudo-random vector, in binary64. Stops when a step changes the eigenvalue by less than 1e-12 of it, at most after
/// 5000. The estimate approaches from below, as its vectors are not orthogonalised again, which lets eigenvalues appear
/// more than once and none that is larger. Two largest singular values that lie within a relative gap g of each other
/// may leave an error of about g. Not finite if the matrix or its squares are not.
double spectral_norm(const Matrix<double>& m);

}  // namespace guardbit::calibration
