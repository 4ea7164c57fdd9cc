#pragma once
/// GPTQ (Frantar et al., arXiv 2210.17323): rounding a layer's weights one input channel after the other, so that the
/// channels not yet rounded take up the error that is already there.
///
/// With H = sum x x^T + lambda I, lambda = damp * mean(diag), and the columns of W in the order of rounding:
///
///   1  H = R R^T, R upper triangular (a Cholesky factorisation from the last column on)
///   2  for k = 0 .. K - 1:  u = w_k + sum over j < k of (w_j - q_j) R_jk / R_kk,   q_k = round(u) on the grid
///
/// tr((W - Q) H (W - Q)^T) = ||(W - Q) R||_F^2, whose column k is R_kk (u - q_k): step 2 makes each as small as it can
/// be. It is the paper's update with the Cholesky factor U of H^-1 = U^T U, since U = R^-1 (QuIP, arXiv 2307.13304,
/// theorem 6), without inverting anything. The paper's factor 2 of H cancels out.
///
/// Deviations from the authors' code (IST-DASLab/gptq): a channel that is always zero keeps its rounded weight, where
/// the code stores 0; grids of groups always come from columns that hold all corrections so far, where the code reads
/// columns that lack those of the current block.
#include <vector>

#include "models/calibration/weight_quantizer.h"

namespace guardbit::calibration {

using numerics::Matrix;

struct GptqOptions {
  WeightQuantizer quantizer{};
  /// Columns in the order of falling H_kk (equal ones: ascending) instead of ascending. Groups keep their original
  /// channels, with grids from the original weights ("static groups"): hardware reads channels in order.
  bool act_order = false;
  double damp = 0.01;  ///< > 0
  int block = 128;     ///< columns that one product corrects; changes speed, no bit. Groups are blocks of their own.
};

/// Step 1 of one or several layers that share their inputs.
struct GptqFactor {
  std::vector<std::size_t> order;  ///< order[step]: the column rounded there
  Matrix<double> factor;           ///< (K, K) lower triangular: (k, j) = R_jk
};

/// second_moment (K, K): symmetric; its scale does not matter. All zeros are taken as the identity. Throws
/// std::invalid_argument if it is not positive definite with this damping (damp too small for binary64) or not finite.
GptqFactor factor_second_moment(Matrix<double> second_moment, const GptqOptions& options,
                                const numerics::ParallelFor& parallel_for = {});

/// Step 2. weights (N, K). All in binary64 in ascending order of the columns, scales in binary32. Grids are
/// fit_grid()s: of a row or the matrix from the original weights, of a group from its columns as they are when it
/// begins. Rows do not depend on one another, results not on block and threads. Test:
/// tests/unit/gptq_rounding_test.cpp, among others against the paper's update and a NumPy implementation.
units::QuantizedWeight round_by_gptq(const Matrix<double>& weights, const GptqFactor& factor,
                                     const GptqOptions& options, const numerics::ParallelFor& parallel_for = {});

}  // namespace guardbit::calibration
