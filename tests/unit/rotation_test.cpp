// Orthonormal Hadamard transforms of rows, against the definition of RuntimeRotation.
#include "models/transformer/rotation.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "tests/support/random_models.h"

namespace guardbit::transformer {
namespace {

Matrix<double> random_rows(std::size_t rows, std::size_t cols) {
  const Matrix<float> values = tests::random_tensors(7)("wte.weight", rows, cols);
  return {rows, cols, std::vector<double>(values.data().begin(), values.data().end())};
}

TEST(RotationTest, PowersOfTwoFollowTheDefinitionAtEveryStride) {
  constexpr std::size_t kBlocks = 3;
  for (const int size : {1, 2, 8, 16})
    for (const int stride : {1, 2, 5}) {
      const std::size_t n = static_cast<std::size_t>(size);
      const std::size_t s = static_cast<std::size_t>(stride);
      const Matrix<double> x = random_rows(2, kBlocks * n * s);
      Matrix<double> y = x;
      rotate_rows(y, {size, stride}, RotationDirection::kForward);
      for (std::size_t r = 0; r < x.rows(); ++r)
        for (std::size_t block = 0; block < kBlocks; ++block)
          for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < s; ++j) {
              double expected = 0;
              for (std::size_t k = 0; k < n; ++k)
                expected += (std::popcount(i & k) % 2 == 0 ? 1 : -1) * x(r, (block * n + k) * s + j);
              EXPECT_NEAR(y(r, (block * n + i) * s + j), expected / std::sqrt(static_cast<double>(n)), 1e-14)
                  << "size " << size << " stride " << stride << " element " << i;
            }
    }
}

TEST(RotationTest, InverseUndoesForwardAndNormsStay) {
  for (const int size : {4, 12, 20, 24, 28, 172}) {
    const Matrix<double> x = random_rows(3, 2 * static_cast<std::size_t>(size));
    Matrix<double> y = x;
    rotate_rows(y, {size, 1}, RotationDirection::kForward);
    EXPECT_GT(tests::relative_difference(y, x), 0.1) << size;
    double before = 0;
    double after = 0;
    for (const double v : x.data()) before += v * v;
    for (const double v : y.data()) after += v * v;
    EXPECT_NEAR(after, before, 1e-12 * before) << size;
    rotate_rows(y, {size, 1}, RotationDirection::kInverse);
    EXPECT_LT(tests::relative_difference(y, x), 1e-14) << size;
  }
}

TEST(RotationTest, SizeZeroIsNone) {
  const Matrix<double> x = random_rows(2, 6);
  Matrix<double> y = x;
  rotate_rows(y, {}, RotationDirection::kForward);
  EXPECT_EQ(y, x);
}

}  // namespace
}  // namespace guardbit::transformer
