#pragma once
/// Ranges for static activation scales: what a layer's input has been on a calibration text is what it is quantized
/// for.
#include <map>

#include "models/calibration/calibration_data.h"
#include "models/calibration/method.h"
#include "models/units/value_range.h"

namespace guardbit::calibration {

/// By index of the linear layer's op.
using ActivationRanges = std::map<std::size_t, units::ValueRange>;

/// Of every linear layer but the head: the least and the largest element of its input (rotated, where it is rotated at
/// run time) over all tokens of all windows, 0 included; NaNs are ignored. `model` is as it will run, behind all
/// methods; values are its fp32 forward's. Test: tests/unit/calibration_data_test.cpp.
ActivationRanges find_activation_ranges(Model<float> model, const CalibrationData& data,
                                        const MethodProgress& progress = {});

}  // namespace guardbit::calibration
