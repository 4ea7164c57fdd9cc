#pragma once
/// Static scales of linear layers' input channels: x / s is written instead of x, and the columns of the weights that
/// read it are multiplied by s. What SmoothQuant and AWQ share; they differ in s.
#include <optional>

#include "models/calibration/calibration_data.h"

namespace guardbit::calibration {

/// What writes the inputs of a group of layers and can divide them.
///
///   the layers read         divided by s
///   a norm                  gamma and beta                                        q, k, v; gate, up
///   attention's values      rows and bias of v; heads that share a key/value head share s          o
///   a gate                  rows and bias of up: act(gate) * (up / s)                              down
///   ReLU                    rows and bias of up: relu(x / s) = relu(x) / s for s > 0               down
///
/// There is none behind any other activation (GELU, SiLU without a gate), nor where a rotation at run time stands
/// between.
struct ScalePlace {
  std::size_t writer = 0;           ///< index of the norm or linear op
  std::vector<std::size_t> source;  ///< (K): the writer's output channel behind each input channel of the layers
  std::size_t num_sources = 0;
};
template <class T>
std::optional<ScalePlace> scale_place(const Model<T>& model, const LayerGroup& group);

/// The largest value of the channels that share a source, (1, num_sources).
Matrix<double> largest_by_source(const ScalePlace& place, const Matrix<double>& by_channel);
/// Likewise their mean.
Matrix<double> mean_by_source(const ScalePlace& place, const Matrix<double>& by_channel);
/// The scale of every input channel, (1, K).
Matrix<double> by_channel(const ScalePlace& place, const Matrix<double>& by_source);

/// Divides the place by `scales` (1, num_sources; positive) and multiplies the columns of the group's layers by them:
/// the model's function stays. Each value is rounded once.
template <class T>
void fold_scales(Model<T>& model, const LayerGroup& group, const ScalePlace& place, const Matrix<double>& scales);

}  // namespace guardbit::calibration
