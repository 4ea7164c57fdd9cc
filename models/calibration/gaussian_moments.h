#pragma once
/// Moments of an activation function of a Gaussian variable, for predicting the power of an MLP's output.
#include "models/transformer/model.h"

namespace guardbit::calibration {

struct Moments {
  double mean = 0;         ///< E[act(sigma z)]
  double mean_square = 0;  ///< E[act(sigma z)^2]
};

/// z standard normal, sigma >= 0. ReLU in closed form: sigma / sqrt(2 pi) and sigma^2 / 2. The others by the
/// trapezoidal rule on z in [-9, 9] with step 1/64 (the normal density makes it converge faster than any power of the
/// step for smooth functions): relative error below 1e-9 for sigma <= 8, below 1e-4 for any sigma. Test:
/// tests/unit/slanc_residual_test.cpp.
Moments activation_moments(transformer::ActivationKind kind, double sigma);

}  // namespace guardbit::calibration
