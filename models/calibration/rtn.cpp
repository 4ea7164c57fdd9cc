/// Rounding to nearest as a method of its own (RTN): the linear layers' weights become codes on the grids of
/// weight_quantizer.h. Without arguments the codes and scales are those that the hardware finds when it loads the
/// weights. Where the variant's weights are floats (options.weight_bits = 0) nothing is quantized.
#include <stdexcept>

#include "models/calibration/weight_quantizer.h"

namespace guardbit::calibration {
namespace {

WeightQuantizer grid_of(const MethodArguments& arguments, const CalibrationOptions& options) {
  WeightQuantizer quantizer = quantizer_of(arguments, options);
  quantizer.per_tensor = arguments.flag("tensor");
  return quantizer;
}

}  // namespace

void check_rtn(const MethodArguments& arguments) {
  if (arguments.flag("tensor") && arguments.integer("group") != 0)
    throw std::invalid_argument("got both tensor and group; expected one of them");
}

template <class T>
void apply_rtn(transformer::Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options) {
  const WeightQuantizer quantizer = grid_of(arguments, options);
  if (options.weight_bits != 0) round_layers_to_nearest(model, quantizer, options.progress);
}

void outline_rtn(transformer::Model<float>& model, const MethodArguments& arguments,
                 const CalibrationOptions& options) {
  const WeightQuantizer quantizer = grid_of(arguments, options);
  if (options.weight_bits == 0) return;
  for (transformer::Op* const op : quantized_layers(model)) outline_codes(*op, quantizer);
}

template void apply_rtn(transformer::Model<float>&, const MethodArguments&, const CalibrationOptions&);
template void apply_rtn(transformer::Model<double>&, const MethodArguments&, const CalibrationOptions&);

}  // namespace guardbit::calibration
