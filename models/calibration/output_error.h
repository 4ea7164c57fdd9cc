#pragma once
/// What a change of a layer's weights does to its output, from the second moment of its inputs.
#include <vector>

#include "models/numerics/matrix.h"

namespace guardbit::calibration {

/// d_n H d_n^T for every row n of a change d (N, K) of the weights: the summed squared error of output n on inputs with
/// the second moment H (K, K). Products and sums of d H in binary32 (kernels::gemm_fp32), the rest in binary64 in
/// ascending k.
std::vector<double> row_output_errors(numerics::MatrixView<const float> change,
                                      numerics::MatrixView<const float> second_moment,
                                      const numerics::ParallelFor& parallel_for = {});

/// Their sum in the order of the rows, tr(d H d^T).
double output_error(numerics::MatrixView<const float> change, numerics::MatrixView<const float> second_moment,
                    const numerics::ParallelFor& parallel_for = {});

}  // namespace guardbit::calibration
