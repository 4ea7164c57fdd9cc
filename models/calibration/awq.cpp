/// AWQ (Lin et al., arXiv 2306.00978; mit-han-lab/llm-awq): input channels that matter are scaled up before weights are
/// rounded, by a power of their mean magnitude that is searched on the rounding's output error; optionally the largest
/// weights are clipped, as far as that lowers the error (activation_aware.h). Scales are folded as SmoothQuant's.
///
/// Deviations from the authors' code: the error is that of the linear layers that share the scale, summed, where the
/// code runs the attention block for q, k and v; heads that share a key/value head share o's scales, where the code
/// leaves such an o alone; clipping compares all tokens, not 512 samples; and all searches see the inputs and weights
/// of the model as it came. As in the code, q and k are never clipped. Post-norm models are refused as by SmoothQuant.
#include <optional>
#include <vector>

#include "models/calibration/data_methods.h"
#include "models/calibration/linear_algebra.h"
#include "models/calibration/method.h"
#include "models/calibration/model_access.h"

namespace guardbit::calibration {
namespace {

/// What the searches of one group found.
struct Finding {
  LayerGroup group;
  std::optional<ScalePlace> place;
  Matrix<double> scales;                    ///< where there is a place
  std::vector<Matrix<float>> clip_factors;  ///< by reader; empty: not clipped
};

/// H of x / s.
Matrix<float> scaled_moment(const Matrix<double>& moment, const Matrix<double>& scales) {
  Matrix<float> result(moment.rows(), moment.cols());
  for (std::size_t i = 0; i < moment.rows(); ++i)
    for (std::size_t j = 0; j < moment.cols(); ++j)
      result(i, j) = static_cast<float>(moment(i, j) / (scales(0, i) * scales(0, j)));
  return result;
}

bool is_clipped(const Op& op) { return !op.name.ends_with(".attn.q") && !op.name.ends_with(".attn.k"); }

template <class T>
Finding search(const Model<T>& model, const LayerGroup& group, const LayerInputs<T>& inputs, const AwqOptions& options,
               const numerics::ParallelFor& parallel_for) {
  Finding finding{group, scale_place(model, group), {}, {}};
  const Matrix<double> moment = second_moment(inputs, parallel_for);
  std::vector<Matrix<double>> weights;
  for (const std::size_t index : group.readers)
    weights.push_back(converted<double>(model.weights.at(model.ops[index].weight).get()));
  Matrix<double> scales(1, moment.cols(), 1.0);
  if (finding.place) {
    finding.scales = awq_scales(weights, *finding.place, channel_magnitudes(inputs).mean, converted<float>(moment),
                                options, parallel_for);
    scales = by_channel(*finding.place, finding.scales);
  }
  if (!options.clip) return finding;
  const Matrix<float> scaled = scaled_moment(moment, scales);
  for (std::size_t i = 0; i < weights.size(); ++i)
    finding.clip_factors.push_back(
        is_clipped(model.ops[group.readers[i]])
            ? awq_clip_factors(scale_columns(weights[i], scales), scaled, options, parallel_for)
            : Matrix<float>());
  return finding;
}

template <class T>
void require_norms_of_their_own(const Model<T>& model) {
  require_pre_norm(model, "awq", "their norms feed the residual stream as well, which a scale would change");
}

/// Its `clip` is the search on outputs, not the quantizer's on weights.
WeightQuantizer grid_of(const MethodArguments& arguments, const CalibrationOptions& options) {
  WeightQuantizer quantizer = quantizer_of(arguments, options);
  quantizer.clip = false;
  return quantizer;
}

}  // namespace

template <class T>
void scale_by_activations(Model<T>& model, const AwqOptions& options, const CalibrationData& data,
                          const MethodProgress& progress) {
  require_norms_of_their_own(model);
  std::vector<Finding> findings;
  visit_layer_inputs<T>(
      model, data,
      [&](const LayerGroup& group, const LayerInputs<T>& inputs) {
        findings.push_back(search(model, group, inputs, options, data.parallel_for));
      },
      progress);
  for (const Finding& finding : findings)
    if (finding.place) fold_scales(model, finding.group, *finding.place, finding.scales);
  for (const Finding& finding : findings)
    for (std::size_t i = 0; i < finding.group.readers.size(); ++i) {
      const std::string& name = model.ops[finding.group.readers[i]].weight;
      Matrix<double> weights = converted<double>(model.weights.at(name).get());
      // Factors are relative to the largest weight of a group, so that a row which another fold divided keeps them.
      if (options.clip && finding.clip_factors[i].rows() > 0)
        clip_groups(weights, options.quantizer.group, finding.clip_factors[i]);
      store_codes(model, model.ops[finding.group.readers[i]], round_to_nearest(weights, options.quantizer));
    }
}

template <class T>
void apply_awq(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options) {
  require_norms_of_their_own(model);
  if (options.weight_bits == 0) return;
  scale_by_activations(
      model,
      {.quantizer = grid_of(arguments, options), .steps = arguments.integer("grid"), .clip = arguments.flag("clip")},
      *options.data, options.progress);
}
void outline_awq(Model<float>& model, const MethodArguments& arguments, const CalibrationOptions& options) {
  require_norms_of_their_own(model);
  if (options.weight_bits == 0) return;
  for (Op* const op : quantized_layers(model)) outline_codes(*op, grid_of(arguments, options));
}

template void apply_awq(Model<float>&, const MethodArguments&, const CalibrationOptions&);
template void apply_awq(Model<double>&, const MethodArguments&, const CalibrationOptions&);
template void scale_by_activations(Model<float>&, const AwqOptions&, const CalibrationData&, const MethodProgress&);
template void scale_by_activations(Model<double>&, const AwqOptions&, const CalibrationData&, const MethodProgress&);

}  // namespace guardbit::calibration
