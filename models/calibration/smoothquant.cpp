/// SmoothQuant (Xiao et al., arXiv 2211.10438; mit-han-lab/smoothquant, smooth_ln_fcs): activations' outlier channels
/// are divided by a static scale, the weights that read them multiplied by it.
///
///   s_j = max|X_j|^alpha / max|W_j|^(1 - alpha)      at least 1e-5, as both maxima
///
/// max|X_j| over the calibration text, max|W_j| over the columns of all layers that read channel j: q, k and v share
/// one s, gate and up another. The division is folded into what writes X (channel_scales.h says what can take it and
/// what cannot: down behind a GELU, o and down behind a rotation at run time).
///
/// Deviations: the authors smooth behind norms only; o and down are smoothed here too where it is exact. All maxima are
/// of the model as it came, before any fold. Post-norm models are refused: their norms feed the residual stream as
/// well.
#include <algorithm>
#include <cmath>
#include <vector>

#include "models/calibration/data_methods.h"
#include "models/calibration/method.h"
#include "models/calibration/model_access.h"

namespace guardbit::calibration {
namespace {

constexpr double kLeast = 1e-5;

struct Fold {
  LayerGroup group;
  ScalePlace place;
  Matrix<double> scales;
};

/// (1, K): over the rows of all the group's layers.
template <class T>
Matrix<double> column_maxima(const Model<T>& model, const LayerGroup& group) {
  Matrix<double> maxima(1, model.weights.at(model.ops[group.readers.front()].weight).cols());
  for (const std::size_t index : group.readers) {
    const Matrix<T>& weight = model.weights.at(model.ops[index].weight);
    for (std::size_t n = 0; n < weight.rows(); ++n)
      for (std::size_t k = 0; k < weight.cols(); ++k)
        maxima(0, k) = std::max(maxima(0, k), std::abs(static_cast<double>(weight(n, k))));
  }
  return maxima;
}

Matrix<double> smoothing_scales(const Matrix<double>& inputs, const Matrix<double>& weights, double alpha) {
  Matrix<double> scales(1, inputs.cols());
  for (std::size_t j = 0; j < scales.cols(); ++j)
    scales(0, j) = std::max(
        kLeast, std::pow(std::max(inputs(0, j), kLeast), alpha) / std::pow(std::max(weights(0, j), kLeast), 1 - alpha));
  return scales;
}

template <class T>
void require_norms_of_their_own(const Model<T>& model) {
  require_pre_norm(model, "smoothquant", "their norms feed the residual stream as well, which a scale would change");
}

}  // namespace

template <class T>
void smooth_statically(Model<T>& model, double alpha, const CalibrationData& data, const MethodProgress& progress) {
  require_norms_of_their_own(model);
  std::vector<Fold> folds;
  visit_layer_inputs<T>(
      model, data,
      [&](const LayerGroup& group, const LayerInputs<T>& inputs) {
        const std::optional<ScalePlace> place = scale_place(model, group);
        if (!place) return;
        folds.push_back({group, *place,
                         smoothing_scales(largest_by_source(*place, channel_magnitudes(inputs).max),
                                          largest_by_source(*place, column_maxima(model, group)), alpha)});
      },
      progress);
  for (const Fold& fold : folds) fold_scales(model, fold.group, fold.place, fold.scales);
}

template <class T>
void apply_smoothquant(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& options) {
  smooth_statically(model, arguments.number("alpha"), *options.data, options.progress);
}
void outline_smoothquant(Model<float>& model, const MethodArguments&, const CalibrationOptions&) {
  require_norms_of_their_own(model);
}

template void apply_smoothquant(Model<float>&, const MethodArguments&, const CalibrationOptions&);
template void apply_smoothquant(Model<double>&, const MethodArguments&, const CalibrationOptions&);
template void smooth_statically(Model<float>&, double, const CalibrationData&, const MethodProgress&);
template void smooth_statically(Model<double>&, double, const CalibrationData&, const MethodProgress&);

}  // namespace guardbit::calibration
