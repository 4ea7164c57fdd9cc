#pragma once
/// Singular values by one-sided Jacobi rotations: an oracle for the norms of models/calibration.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "models/numerics/matrix.h"

namespace guardbit::tests {

/// Descending. Pairs of columns are turned until all are orthogonal; their lengths are then the singular values.
inline std::vector<double> singular_values(const numerics::Matrix<double>& matrix) {
  numerics::Matrix<double> m = matrix;
  if (m.rows() < m.cols()) {
    m = numerics::Matrix<double>(matrix.cols(), matrix.rows());
    for (std::size_t r = 0; r < m.rows(); ++r)
      for (std::size_t c = 0; c < m.cols(); ++c) m(r, c) = matrix(c, r);
  }
  constexpr int kSweeps = 40;
  for (int sweep = 0; sweep < kSweeps; ++sweep)
    for (std::size_t p = 0; p < m.cols(); ++p)
      for (std::size_t q = p + 1; q < m.cols(); ++q) {
        double pp = 0, qq = 0, pq = 0;
        for (std::size_t r = 0; r < m.rows(); ++r) {
          pp += m(r, p) * m(r, p);
          qq += m(r, q) * m(r, q);
          pq += m(r, p) * m(r, q);
        }
        const double angle = 0.5 * std::atan2(2 * pq, pp - qq);
        for (std::size_t r = 0; r < m.rows(); ++r) {
          const double a = m(r, p), b = m(r, q);
          m(r, p) = std::cos(angle) * a + std::sin(angle) * b;
          m(r, q) = std::cos(angle) * b - std::sin(angle) * a;
        }
      }
  std::vector<double> values;
  for (std::size_t c = 0; c < m.cols(); ++c) {
    double sum = 0;
    for (std::size_t r = 0; r < m.rows(); ++r) sum += m(r, c) * m(r, c);
    values.push_back(std::sqrt(sum));
  }
  std::sort(values.rbegin(), values.rend());
  return values;
}

}  // namespace guardbit::tests
