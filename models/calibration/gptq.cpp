/// GPTQ on a model (gptq_rounding.h has the arithmetic). Layers are quantized in the order of the forward, each group
/// that shares its inputs (q, k, v; o; gate, up; down) with the second moment of what reaches it through the quantized
/// layers before: the authors' "true sequential" order. Stopping the one forward before each group costs no second
/// pass, and one second moment at a time lies in memory. Activations stay unquantized meanwhile, as in the authors'
/// code and in QuaRot's and RRS's.
///
/// The codes go to Model::quantized_weights; the weights stay what they were. Runtime smoothing (rs, rrs) behind it
/// changes how inputs are quantized, not the weights' problem: y = sum of s_g * (x / s_g) w.
#include <map>
#include <utility>

#include "models/calibration/data_methods.h"
#include "models/calibration/linear_algebra.h"
#include "models/calibration/method.h"
#include "models/calibration/model_access.h"

namespace guardbit::calibration {
template <class T>
void quantize_by_gptq(Model<T>& model, const GptqOptions& options, const CalibrationData& data,
                      const MethodProgress& progress) {
  std::map<std::string, Matrix<T>> originals;
  visit_layer_inputs<T>(
      model, data,
      [&](const LayerGroup& group, const LayerInputs<T>& inputs) {
        const GptqFactor factor =
            factor_second_moment(second_moment(inputs, data.parallel_for), options, data.parallel_for);
        for (const std::size_t index : group.readers) {
          const std::string& name = model.ops[index].weight;
          Matrix<T>& weight = matrix_named(model, name);
          units::QuantizedWeight quantized =
              round_by_gptq(converted<double>(weight), factor, options, data.parallel_for);
          originals[name] = std::exchange(weight, converted<T>(dequantize(quantized)));
          store_codes(model, model.ops[index], std::move(quantized));
        }
      },
      progress);
  for (auto& [name, weight] : originals) model.weights[name] = std::move(weight);
}

template <class T>
void apply_gptq(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options) {
  if (options.weight_bits == 0) return;
  quantize_by_gptq(model,
                   {.quantizer = quantizer_of(arguments, options),
                    .act_order = arguments.flag("act_order"),
                    .damp = arguments.number("damp"),
                    .block = arguments.integer("block")},
                   *options.data, options.progress);
}

void outline_gptq(Model<float>& model, const MethodArguments& arguments, const CalibrationOptions& options) {
  if (options.weight_bits == 0) return;
  for (Op* const op : quantized_layers(model)) outline_codes(*op, quantizer_of(arguments, options));
}

template void apply_gptq(Model<float>&, const MethodArguments&, const CalibrationOptions&);
template void apply_gptq(Model<double>&, const MethodArguments&, const CalibrationOptions&);
template void quantize_by_gptq(Model<float>&, const GptqOptions&, const CalibrationData&, const MethodProgress&);
template void quantize_by_gptq(Model<double>&, const GptqOptions&, const CalibrationData&, const MethodProgress&);

}  // namespace guardbit::calibration
