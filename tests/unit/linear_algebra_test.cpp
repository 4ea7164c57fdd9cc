// Norms of calibration against a one-sided Jacobi singular value decomposition.
#include "models/calibration/linear_algebra.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace guardbit::calibration {
namespace {

Matrix<double> random_matrix(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  Matrix<double> m(rows, cols);
  for (double& value : m.data()) value = static_cast<double>(engine() >> 11) * 0x1p-52 - 1;
  return m;
}

/// Turns pairs of columns until all are orthogonal; their lengths are then the singular values.
std::vector<double> singular_values(Matrix<double> m) {
  for (int sweep = 0; sweep < 60; ++sweep)
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

TEST(LinearAlgebraTest, SpectralNormIsTheLargestSingularValue) {
  const std::vector<std::pair<std::size_t, std::size_t>> shapes = {{1, 1},   {1, 7},   {7, 1},
                                                                   {12, 12}, {40, 10}, {10, 40}};
  for (const auto& [rows, cols] : shapes)
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      const Matrix<double> m = random_matrix(rows, cols, seed);
      const double expected = singular_values(rows < cols ? transpose(m) : m).front();
      EXPECT_NEAR(spectral_norm(m), expected, 1e-7 * expected) << rows << "x" << cols << " seed " << seed;
    }
}

TEST(LinearAlgebraTest, FrobeniusNormIsTheRootOfTheSumOfSquaredSingularValues) {
  const Matrix<double> m = random_matrix(20, 9, 3);
  double sum = 0;
  for (const double value : singular_values(m)) sum += value * value;
  EXPECT_NEAR(frobenius_norm(m), std::sqrt(sum), 1e-12 * std::sqrt(sum));
}

TEST(LinearAlgebraTest, ZeroMatrixHasNormZero) {
  EXPECT_EQ(spectral_norm(Matrix<double>(4, 6)), 0);
  EXPECT_EQ(frobenius_norm(Matrix<double>(4, 6)), 0);
}

TEST(LinearAlgebraTest, ProductAndTransposeByDefinition) {
  const Matrix<double> a = random_matrix(5, 37, 1);
  const Matrix<double> b = random_matrix(37, 19, 2);
  const Matrix<double> c = product(a, b);
  const Matrix<double> t = transpose(b);
  for (std::size_t i = 0; i < c.rows(); ++i)
    for (std::size_t j = 0; j < c.cols(); ++j) {
      double sum = 0;
      for (std::size_t k = 0; k < a.cols(); ++k) sum += a(i, k) * b(k, j);
      EXPECT_EQ(c(i, j), sum) << i << " " << j;
    }
  for (std::size_t i = 0; i < b.rows(); ++i)
    for (std::size_t j = 0; j < b.cols(); ++j) EXPECT_EQ(t(j, i), b(i, j)) << i << " " << j;
}

}  // namespace
}  // namespace guardbit::calibration
