#pragma once
/// What both SLaNC forms do with a predicted norm: turn it into the static scale of a norm op.
#include "models/calibration/method.h"

namespace guardbit::calibration {

/// The smallest power of two >= value; value > 0 and finite.
double power_of_two_at_least(double value);

/// Sets norm.input_scale so that a row of length `predicted_norm` is scaled to options.target_norm, rounded up to a
/// power of two if options say so, and keeps the prediction in norm.predicted_norm. A prediction that is 0 or not
/// finite says nothing; the scale stays 1 then. Test: tests/unit/slanc_test.cpp.
void set_input_scale(transformer::Op& norm, double predicted_norm, const CalibrationOptions& options);

}  // namespace guardbit::calibration
