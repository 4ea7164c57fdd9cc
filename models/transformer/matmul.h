#pragma once
/// Matrix products of the reference forward and of calibration, in the precision of T. k ascending for every output,
/// so that a result depends neither on threads nor on the host.
#include <algorithm>

#include "models/numerics/matrix.h"

namespace guardbit::transformer {

using numerics::Matrix;
using numerics::MatrixView;

/// c = a * b; a (M, K), b (K, N), c (M, N), any strides. float: kernels::gemm_fp32 (fused multiply-add in binary32);
/// double: product and sum rounded one after the other in binary64.
void multiply(MatrixView<const float> a, MatrixView<const float> b, const numerics::ParallelFor& parallel_for,
              MatrixView<float> c);
void multiply(MatrixView<const double> a, MatrixView<const double> b, const numerics::ParallelFor& parallel_for,
              MatrixView<double> c);

/// body(begin, end) for consecutive blocks of rows, possibly on several threads.
template <class Body>
void for_row_blocks(const numerics::ParallelFor& parallel_for, std::size_t num_rows, const Body& body) {
  constexpr std::size_t kBlockRows = 64;
  numerics::run_parallel(parallel_for, (num_rows + kBlockRows - 1) / kBlockRows, [&](std::size_t block) {
    body(block * kBlockRows, std::min(num_rows, (block + 1) * kBlockRows));
  });
}

}  // namespace guardbit::transformer
