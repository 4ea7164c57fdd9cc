#pragma once
/// The methods that look at activations of a calibration text, as functions on a model. What they have in common:
/// statistics of all layers come from one forward (calibration_data.h) of the model as the methods before left it, so
/// that a rotated model's are of rotated inputs; the head is never touched. Scales are folded into Model::weights,
/// which keep the model's function; codes go to Model::quantized_weights. Progress is that of the forward over all
/// windows, which waits for each layer.
#include "models/calibration/activation_aware.h"
#include "models/calibration/gptq_rounding.h"
#include "models/calibration/method.h"

namespace guardbit::calibration {

/// SmoothQuant (smoothquant.cpp).
template <class T>
void smooth_statically(Model<T>& model, double alpha, const CalibrationData& data, const MethodProgress& progress = {});

/// AWQ (awq.cpp).
template <class T>
void scale_by_activations(Model<T>& model, const AwqOptions& options, const CalibrationData& data,
                          const MethodProgress& progress = {});

/// GPTQ (gptq.cpp).
template <class T>
void quantize_by_gptq(Model<T>& model, const GptqOptions& options, const CalibrationData& data,
                      const MethodProgress& progress = {});

}  // namespace guardbit::calibration
