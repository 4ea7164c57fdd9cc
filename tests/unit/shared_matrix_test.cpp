// Copies that share their elements until one is edited.
#include "models/numerics/shared_matrix.h"

#include <gtest/gtest.h>

namespace guardbit::numerics {
namespace {

TEST(SharedMatrixTest, CopiesShareUntilOneIsEdited) {
  SharedMatrix<float> first = Matrix<float>(2, 3, 1.0F);
  SharedMatrix<float> second = first;
  EXPECT_TRUE(first.shares_with(second));
  EXPECT_EQ(first.data().data(), second.data().data());
  second.edit()(1, 2) = 5;
  EXPECT_FALSE(first.shares_with(second));
  EXPECT_EQ(first(1, 2), 1);
  EXPECT_EQ(second(1, 2), 5);
  EXPECT_FALSE(first == second);
  first.edit()(1, 2) = 5;
  EXPECT_TRUE(first == second);
}

TEST(SharedMatrixTest, TheOnlyOwnerEditsInPlace) {
  SharedMatrix<double> matrix = Matrix<double>(1, 2);
  const double* const elements = matrix.data().data();
  SharedMatrix<double> copy = matrix;
  copy = Matrix<double>(1, 1);
  matrix.edit()(0, 1) = 3;
  EXPECT_EQ(matrix.data().data(), elements);
}

TEST(SharedMatrixTest, ReadsAsAMatrix) {
  const SharedMatrix<float> empty;
  EXPECT_EQ(empty.rows(), 0U);
  const SharedMatrix<float> outline = Matrix<float>::outline(4, 7);
  EXPECT_TRUE(outline.is_outline());
  EXPECT_EQ(outline.cols(), 7U);
  const SharedMatrix<float> matrix = Matrix<float>(1, 2, {3, 4});
  const Matrix<float>& same = matrix;
  EXPECT_EQ(same.row(0), matrix.row(0));
  EXPECT_EQ(matrix.view()(0, 1), 4);
}

}  // namespace
}  // namespace guardbit::numerics
