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
/// m * diag(row); row is (1, m.cols()).
Matrix<double> scale_columns(const Matrix<double>& m, const Matrix<double>& row);
Matrix<double> transpose(const Matrix<double>& m);

/// Sum of squares of all elements; its root is the Frobenius norm.
double sum_of_squares(const Matrix<double>& m);
double frobenius_norm(const Matrix<double>& m);

/// Largest singular value, by power iteration on m^T m from a fixed pseudo-random vector. Stops when an iteration
/// changes the estimate by less than 1e-10 of it, at most after 5000 iterations. The estimate approaches from below;
/// two largest singular values that lie within a relative gap g of each other leave an error of at most about g.
double spectral_norm(const Matrix<double>& m);

}  // namespace guardbit::calibration
