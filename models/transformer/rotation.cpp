#include "models/transformer/rotation.h"

#include <bit>
#include <cmath>

#include "models/transformer/matmul.h"

namespace guardbit::transformer {
namespace {

template <class T>
Matrix<T> sign_matrix(int size) {
  const std::size_t n = static_cast<std::size_t>(size);
  GUARDBIT_CHECK(std::has_single_bit(n), "Hadamard size");
  Matrix<T> h(n, n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) h(i, j) = std::popcount(i & j) % 2 == 0 ? T(1) : T(-1);
  return h;
}

}  // namespace

template <class T>
void rotate_rows(Matrix<T>& x, const RuntimeRotation& rotation, RotationDirection direction,
                 const numerics::ParallelFor& parallel_for) {
  if (rotation.size == 0) return;
  const std::size_t size = static_cast<std::size_t>(rotation.size);
  const std::size_t stride = static_cast<std::size_t>(rotation.stride);
  GUARDBIT_CHECK(x.cols() % (size * stride) == 0, "a rotation's blocks fill the row");
  const Matrix<T> signs = sign_matrix<T>(rotation.size);
  // One row per transformed vector. Element i of vector (row, block, j) is x(row, (block * size + i) * stride + j).
  const std::size_t num_vectors = x.rows() * x.cols() / size;
  const auto position = [&](std::size_t vector, std::size_t i) {
    return (vector / stride * size + i) * stride + vector % stride;
  };
  Matrix<T> vectors(num_vectors, size);
  for (std::size_t v = 0; v < num_vectors; ++v)
    for (std::size_t i = 0; i < size; ++i) vectors(v, i) = x.data()[position(v, i)];
  Matrix<T> rotated(num_vectors, size);
  const MatrixView<const T> h = signs.view();
  multiply(std::as_const(vectors).view(), direction == RotationDirection::kForward ? h.transposed() : h, parallel_for,
           rotated.view());
  const T scale = T(1) / std::sqrt(static_cast<T>(rotation.size));
  for (std::size_t v = 0; v < num_vectors; ++v)
    for (std::size_t i = 0; i < size; ++i) x.data()[position(v, i)] = rotated(v, i) * scale;
}

template void rotate_rows(Matrix<float>&, const RuntimeRotation&, RotationDirection, const numerics::ParallelFor&);
template void rotate_rows(Matrix<double>&, const RuntimeRotation&, RotationDirection, const numerics::ParallelFor&);

}  // namespace guardbit::transformer
