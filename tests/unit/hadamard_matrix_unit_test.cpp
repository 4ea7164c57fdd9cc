/// H H^T = n I for every order that calibration uses and others, exactly, in integers.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "models/numerics/check.h"
#include "models/units/hadamard_matrix.h"

namespace guardbit::units {
namespace {

void expect_hadamard(int size) {
  ASSERT_TRUE(hadamard_supported(size)) << size;
  const numerics::Matrix<float> h = hadamard_matrix(size);
  ASSERT_EQ(h.rows(), static_cast<std::size_t>(size));
  ASSERT_EQ(h.cols(), static_cast<std::size_t>(size));
  for (std::size_t i = 0; i < h.rows(); ++i) {
    for (std::size_t j = 0; j < h.cols(); ++j) ASSERT_EQ(std::fabs(h(i, j)), 1.0F) << size;
    for (std::size_t j = 0; j <= i; ++j) {
      int product = 0;
      for (std::size_t k = 0; k < h.cols(); ++k) product += h(i, k) == h(j, k) ? 1 : -1;
      ASSERT_EQ(product, i == j ? size : 0) << "order " << size << ", rows " << i << " and " << j;
    }
  }
}

TEST(HadamardMatrixTest, RowsAreOrthogonal) {
  for (const int size : {1,  2,  4,  8,  12, 16,  20,  24,  28,  36,  40,  44,  48,  52,  56,  60,  64, 68,
                         72, 76, 80, 84, 96, 108, 124, 132, 140, 148, 156, 164, 172, 192, 312, 344, 512}) {
    expect_hadamard(size);
  }
}

TEST(HadamardMatrixTest, PowersOfTwoAreSylvesters) {
  const numerics::Matrix<float> h = hadamard_matrix(64);
  for (std::size_t i = 0; i < 64; ++i) {
    for (std::size_t j = 0; j < 64; ++j) EXPECT_EQ(h(i, j), std::popcount(i & j) % 2 == 0 ? 1.0F : -1.0F);
  }
}

TEST(HadamardMatrixTest, OtherOrdersAreKroneckerProductsWithTheFactorFirst) {
  const numerics::Matrix<float> h12 = hadamard_matrix(12);
  const numerics::Matrix<float> h48 = hadamard_matrix(48);
  for (std::size_t i = 0; i < 48; ++i) {
    for (std::size_t j = 0; j < 48; ++j) {
      EXPECT_EQ(h48(i, j), h12(i / 4, j / 4) * (std::popcount(i & j & 3) % 2 == 0 ? 1.0F : -1.0F));
    }
  }
}

TEST(HadamardMatrixTest, FactorsAreOneOrFourTimesOdd) {
  for (const auto& [size, factor, stages] : {std::tuple{1, 1, 0},
                                             {1024, 1, 10},
                                             {12, 12, 0},
                                             {40, 20, 1},
                                             {768, 12, 6},
                                             {11008, 172, 6},
                                             {13824, 108, 7},
                                             {14336, 28, 9}}) {
    EXPECT_EQ(hadamard_factors(size).factor, factor) << size;
    EXPECT_EQ(hadamard_factors(size).butterfly_stages, stages) << size;
  }
}

TEST(HadamardMatrixTest, OrdersWithoutAConstructionAreRefused) {
  for (const int size : {-4, 0, 3, 6, 10, 92, 116, 184, 188}) {
    EXPECT_FALSE(hadamard_supported(size)) << size;
    EXPECT_THROW(static_cast<void>(hadamard_matrix(size)), InternalError) << size;
  }
}

}  // namespace
}  // namespace guardbit::units
