#include "models/calibration/static_scale.h"

#include <cmath>

namespace guardbit::calibration {

double power_of_two_at_least(double value) {
  int exponent = 0;
  const double fraction = std::frexp(value, &exponent);  // in [0.5, 1)
  return std::ldexp(1.0, fraction == 0.5 ? exponent - 1 : exponent);
}

void set_input_scale(transformer::Op& norm, double predicted_norm, const CalibrationOptions& options) {
  const double scale = predicted_norm / options.target_norm;
  if (!(scale > 0) || !std::isfinite(scale)) {
    norm.input_scale = 1;
    norm.predicted_norm = 0;
    return;
  }
  norm.predicted_norm = predicted_norm;
  norm.input_scale = options.pow2_scales ? power_of_two_at_least(scale) : scale;
}

}  // namespace guardbit::calibration
