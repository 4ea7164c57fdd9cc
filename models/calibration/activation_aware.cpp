#include "models/calibration/activation_aware.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "models/calibration/linear_algebra.h"
#include "models/calibration/output_error.h"

namespace guardbit::calibration {
namespace {

constexpr double kLeastMagnitude = 1e-4;
constexpr int kShrinkSteps = 20;    // of the whole magnitude ...
constexpr int kLargestShrink = 10;  // ... of which fewer than so many are taken off

Matrix<double> normalized_powers(const Matrix<double>& magnitudes, double exponent) {
  Matrix<double> scales = magnitudes;
  for (double& value : scales.data()) value = std::pow(std::max(value, kLeastMagnitude), exponent);
  const auto [least, largest] = std::minmax_element(scales.data().begin(), scales.data().end());
  const double middle = std::sqrt(*least * *largest);
  for (double& value : scales.data()) value /= middle;
  return scales;
}

/// Channels of one grid.
std::size_t width_of(std::size_t group, std::size_t num_channels) { return group == 0 ? num_channels : group; }

/// Q(W s) / s - W.
Matrix<float> scaled_change(const Matrix<double>& weights, const Matrix<double>& scales,
                            const WeightQuantizer& quantizer) {
  const Matrix<double> rounded = dequantize(round_to_nearest(scale_columns(weights, scales), quantizer));
  Matrix<float> change(weights.rows(), weights.cols());
  for (std::size_t n = 0; n < weights.rows(); ++n)
    for (std::size_t k = 0; k < weights.cols(); ++k)
      change(n, k) = static_cast<float>(rounded(n, k) / scales(0, k) - weights(n, k));
  return change;
}

}  // namespace

Matrix<double> awq_scales(const std::vector<Matrix<double>>& weights, const ScalePlace& place,
                          const Matrix<double>& mean_magnitudes, const Matrix<float>& second_moment,
                          const AwqOptions& options, const numerics::ParallelFor& parallel_for) {
  const Matrix<double> magnitudes = mean_by_source(place, mean_magnitudes);
  Matrix<double> best;
  double least = std::numeric_limits<double>::infinity();
  for (int step = 0; step < options.steps; ++step) {
    const Matrix<double> scales = normalized_powers(magnitudes, static_cast<double>(step) / options.steps);
    double error = 0;
    for (const Matrix<double>& layer : weights)
      error += output_error(scaled_change(layer, by_channel(place, scales), options.quantizer).view(),
                            second_moment.view(), parallel_for);
    if (step > 0 && !(error < least)) continue;
    least = error;
    best = scales;
  }
  return best;
}

Matrix<float> awq_clip_factors(const Matrix<double>& weights, const Matrix<float>& second_moment,
                               const AwqOptions& options, const numerics::ParallelFor& parallel_for) {
  const std::size_t size = width_of(options.quantizer.group, weights.cols());
  Matrix<float> best(weights.rows(), units::num_groups(weights.cols(), options.quantizer.group), 1.0F);
  Matrix<double> least(best.rows(), best.cols(), std::numeric_limits<double>::infinity());
  for (int step = 0; step < kLargestShrink; ++step) {
    const auto factor = static_cast<float>(kShrinkSteps - step) / kShrinkSteps;
    Matrix<double> clipped = weights;
    clip_groups(clipped, options.quantizer.group, Matrix<float>(best.rows(), best.cols(), factor));
    const Matrix<double> rounded = dequantize(round_to_nearest(clipped, options.quantizer));
    Matrix<float> change(weights.rows(), weights.cols());
    for (std::size_t i = 0; i < change.data().size(); ++i)
      change.data()[i] = static_cast<float>(rounded.data()[i] - weights.data()[i]);
    for (std::size_t group = 0; group < best.cols(); ++group) {
      const std::size_t begin = group * size;
      const std::size_t end = std::min(begin + size, weights.cols());
      const std::vector<double> errors =
          row_output_errors(change.view().cols_range(begin, end),
                            second_moment.view().rows_range(begin, end).cols_range(begin, end), parallel_for);
      for (std::size_t n = 0; n < best.rows(); ++n) {
        if (!(errors[n] < least(n, group))) continue;
        least(n, group) = errors[n];
        best(n, group) = factor;
      }
    }
  }
  return best;
}

void clip_groups(Matrix<double>& weights, std::size_t group_channels, const Matrix<float>& factors) {
  const std::size_t size = width_of(group_channels, weights.cols());
  for (std::size_t n = 0; n < weights.rows(); ++n)
    for (std::size_t begin = 0; begin < weights.cols(); begin += size) {
      const std::span<double> group(weights.row(n) + begin, std::min(size, weights.cols() - begin));
      double limit = 0;
      for (const double value : group) limit = std::max(limit, std::abs(value));
      limit *= static_cast<double>(factors(n, begin / size));
      for (double& value : group) value = std::clamp(value, -limit, limit);
    }
}

}  // namespace guardbit::calibration
