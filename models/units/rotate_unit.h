#pragma once
/// The rotate unit: orthonormal Hadamard transforms of activation rows at run time.
#include "models/units/accelerator_config.h"
#include "models/units/hadamard_matrix.h"
#include "models/units/row_blocks.h"

namespace guardbit::units {

/// Each row of x (T, K), K = blocks * size * stride, is transformed along index i of element
/// (block * size + i) * stride + j:  y_i = c * sum_k H[i][k] x_k, H = hadamard_matrix(size), c = fp32(1 / sqrt(size)).
/// With size = m * 2^n, H = H_m (x) Sylvester(2^n):
///   0  x = format(x), the [rotate] format
///   1  butterflies over each run of 2^n elements (kernels::hadamard_rows), every one rounded to the format
///   2  m > 1: H_m across the runs: acc = +0, then acc = format(acc + H_m[i][k] t_k), k = 0 .. m - 1, with event
///   swamped 3  y = format(acc * c)
/// All events at stage rotate. Internal error unless hadamard_supported(size)
/// and size * stride divides K. y may be x. Test: tests/unit/rotate_unit_test.cpp.
void rotate(MatrixView<const float> x, int size, int stride, const RotateConfig& config, MatrixView<float> y,
            EventLedger& ledger, const ParallelFor& parallel_for = {});

}  // namespace guardbit::units
