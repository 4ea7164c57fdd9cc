#include "models/calibration/activation_ranges.h"

namespace guardbit::calibration {

ActivationRanges find_activation_ranges(Model<float> model, const CalibrationData& data,
                                        const MethodProgress& progress) {
  ActivationRanges ranges;
  const auto visit = [&](const LayerGroup& group, const LayerInputs<float>& inputs) {
    units::ValueRange range;
    for (const Matrix<float>& x : inputs)
      for (const float value : x.data()) range.add(value);
    for (const std::size_t index : group.readers) ranges[index] = range;
  };
  visit_layer_inputs<float>(model, data, visit, progress);
  return ranges;
}

}  // namespace guardbit::calibration
