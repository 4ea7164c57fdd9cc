#include "models/transformer/rotation.h"

#include <cmath>
#include <span>

#include "models/transformer/matmul.h"
#include "models/units/hadamard_matrix.h"

namespace guardbit::transformer {
namespace {

/// H = H_m (x) Sylvester(2^n) of units/hadamard_matrix.h, applied to one vector at a time.
template <class T>
class Hadamard {
 public:
  Hadamard(int size, RotationDirection direction)
      : run_elems_(std::size_t{1} << units::hadamard_factors(size).butterfly_stages),
        signs_(units::hadamard_matrix(units::hadamard_factors(size).factor)),
        transposed_(direction == RotationDirection::kInverse),
        scale_(T(1) / std::sqrt(static_cast<T>(size))) {}

  /// x in place; `scratch` has its size.
  void apply(std::span<T> x, std::span<T> scratch) const {
    for (std::size_t half = 1; half < run_elems_; half *= 2)
      for (std::size_t begin = 0; begin < x.size(); begin += 2 * half)
        for (std::size_t i = begin; i < begin + half; ++i) {
          const T sum = x[i] + x[i + half];
          x[i + half] = x[i] - x[i + half];
          x[i] = sum;
        }
    const std::size_t num_runs = signs_.rows();
    for (std::size_t a = 0; a < num_runs; ++a)
      for (std::size_t b = 0; b < run_elems_; ++b) {
        T sum = 0;
        for (std::size_t c = 0; c < num_runs; ++c)
          sum += static_cast<T>(transposed_ ? signs_(c, a) : signs_(a, c)) * x[c * run_elems_ + b];
        scratch[a * run_elems_ + b] = sum * scale_;
      }
    std::copy(scratch.begin(), scratch.end(), x.begin());
  }

 private:
  std::size_t run_elems_;  // 2^n
  Matrix<float> signs_;    // H_m
  bool transposed_;        // Sylvester's part is symmetric
  T scale_;
};

}  // namespace

template <class T>
void rotate_rows(Matrix<T>& x, const RuntimeRotation& rotation, RotationDirection direction,
                 const numerics::ParallelFor& parallel_for) {
  if (rotation.size == 0) return;
  const std::size_t size = static_cast<std::size_t>(rotation.size);
  const std::size_t stride = static_cast<std::size_t>(rotation.stride);
  GUARDBIT_CHECK(x.cols() % (size * stride) == 0, "a rotation's blocks fill the row");
  const Hadamard<T> hadamard(rotation.size, direction);
  for_row_blocks(parallel_for, x.rows(), [&](std::size_t begin, std::size_t end) {
    std::vector<T> vector(size);
    std::vector<T> scratch(size);
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t block = 0; block < x.cols(); block += size * stride)
        for (std::size_t j = 0; j < stride; ++j) {
          T* const first = x.row(r) + block + j;
          for (std::size_t i = 0; i < size; ++i) vector[i] = first[i * stride];
          hadamard.apply(vector, scratch);
          for (std::size_t i = 0; i < size; ++i) first[i * stride] = vector[i];
        }
  });
}

template void rotate_rows(Matrix<float>&, const RuntimeRotation&, RotationDirection, const numerics::ParallelFor&);
template void rotate_rows(Matrix<double>&, const RuntimeRotation&, RotationDirection, const numerics::ParallelFor&);

}  // namespace guardbit::transformer
