#pragma once
/// Orthonormal Hadamard transforms of matrix rows in the precision of T: the reference forward's runtime rotation and
/// calibration's offline one, which therefore use the same matrix as the rotate unit (units/hadamard_matrix.h).
#include "models/transformer/model.h"

namespace guardbit::transformer {

enum class RotationDirection {
  kForward,  ///< y = H x / sqrt(size): what hardware does to an activation
  kInverse,  ///< y = H^T x / sqrt(size)
};

/// Transforms every row of x in place, along the index that `rotation` names; nothing if its size is 0. The row length
/// is a multiple of size * stride and hadamard_supported(size); anything else is an internal error.
/// Test: tests/unit/rotation_test.cpp.
template <class T>
void rotate_rows(Matrix<T>& x, const RuntimeRotation& rotation, RotationDirection direction,
                 const numerics::ParallelFor& parallel_for = {});

}  // namespace guardbit::transformer
