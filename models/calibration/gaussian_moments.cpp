#include "models/calibration/gaussian_moments.h"

#include <cmath>
#include <numbers>

#include "models/transformer/reference.h"

namespace guardbit::calibration {

Moments activation_moments(transformer::ActivationKind kind, double sigma) {
  constexpr double kInvSqrtTwoPi = std::numbers::inv_sqrtpi_v<double> / std::numbers::sqrt2_v<double>;
  if (kind == transformer::ActivationKind::kRelu) return {sigma * kInvSqrtTwoPi, sigma * sigma / 2};
  constexpr double kStep = 1.0 / 64;
  constexpr int kHalfPoints = 9 * 64;
  Moments moments;
  for (int point = -kHalfPoints; point <= kHalfPoints; ++point) {
    const double z = point * kStep;
    const double weight = kStep * kInvSqrtTwoPi * std::exp(-z * z / 2);
    const double value = transformer::activate(kind, sigma * z);
    moments.mean += weight * value;
    moments.mean_square += weight * value * value;
  }
  return moments;
}

}  // namespace guardbit::calibration
