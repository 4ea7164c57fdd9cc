// Norms of calibration against a one-sided Jacobi singular value decomposition.
#include "models/calibration/linear_algebra.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "tests/support/jacobi_svd.h"

namespace guardbit::calibration {
namespace {

Matrix<double> random_matrix(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  Matrix<double> m(rows, cols);
  for (double& value : m.data()) value = static_cast<double>(engine() >> 11) * 0x1p-52 - 1;
  return m;
}

TEST(LinearAlgebraTest, SpectralNormIsTheLargestSingularValue) {
  const std::vector<std::pair<std::size_t, std::size_t>> shapes = {{1, 1},   {1, 7},   {7, 1},  {12, 12},
                                                                   {40, 10}, {10, 40}, {61, 47}};
  for (const auto& [rows, cols] : shapes)
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      const Matrix<double> m = random_matrix(rows, cols, seed);
      const double expected = tests::singular_values(m).front();
      EXPECT_NEAR(spectral_norm(m), expected, 1e-11 * expected) << rows << "x" << cols << " seed " << seed;
    }
}

TEST(LinearAlgebraTest, FrobeniusNormIsTheRootOfTheSumOfSquaredSingularValues) {
  const Matrix<double> m = random_matrix(20, 9, 3);
  double sum = 0;
  for (const double value : tests::singular_values(m)) sum += value * value;
  EXPECT_NEAR(frobenius_norm(m), std::sqrt(sum), 1e-12 * std::sqrt(sum));
}

TEST(LinearAlgebraTest, ZeroMatrixHasNormZero) {
  EXPECT_EQ(spectral_norm(Matrix<double>(4, 6)), 0);
  EXPECT_EQ(frobenius_norm(Matrix<double>(4, 6)), 0);
}

TEST(LinearAlgebraTest, NormOfWhatIsNotFiniteIsNot) {
  Matrix<double> m = random_matrix(9, 5, 1);
  m(3, 2) = HUGE_VAL;
  EXPECT_FALSE(std::isfinite(spectral_norm(m)));
  m(3, 2) = std::nan("");
  EXPECT_FALSE(std::isfinite(spectral_norm(m)));
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
