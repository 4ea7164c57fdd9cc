#pragma once
/// The searches of AWQ (Lin et al., arXiv 2306.00978; mit-han-lab/llm-awq, auto_scale and auto_clip) for one group of
/// layers, on the second moment of their inputs: tr(d H d^T) is the summed squared output error that the authors' code
/// measures by running the layers on samples.
#include "models/calibration/channel_scales.h"
#include "models/calibration/weight_quantizer.h"

namespace guardbit::calibration {

struct AwqOptions {
  WeightQuantizer quantizer{};
  int steps = 20;  ///< exponents tried: 0, 1/steps, ... (steps - 1)/steps
  bool clip = false;
};

/// s = m^alpha with m = mean |x| by source (at least 1e-4), divided by sqrt(max s * min s); alpha is the exponent with
/// the least error of round to nearest, the first of equal ones. (1, num_sources); alpha = 0 is all ones.
Matrix<double> awq_scales(const std::vector<Matrix<double>>& weights, const ScalePlace& place,
                          const Matrix<double>& mean_magnitudes, const Matrix<float>& second_moment,
                          const AwqOptions& options, const numerics::ParallelFor& parallel_for = {});

/// For every row and group of one layer's weights the factor, of 1, 0.95, ... 0.55, by which shrinking the largest
/// magnitude makes the rounded group's own output error least: (N, groups).
Matrix<float> awq_clip_factors(const Matrix<double>& weights, const Matrix<float>& second_moment,
                               const AwqOptions& options, const numerics::ParallelFor& parallel_for = {});

/// Clamps every group of `group` weights (0: a row) of (N, K) to factor * its largest magnitude.
void clip_groups(Matrix<double>& weights, std::size_t group, const Matrix<float>& factors);

}  // namespace guardbit::calibration
