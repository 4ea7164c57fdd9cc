/// SLaNC in its published form (arXiv 2410.10553; d-matrix-ai/dmx-compressor, slanc_tuning): a static scale per norm
/// from the weights of the block before it alone.
///
///   the norm stands behind   s
///   the embedding            1 (not calibrated: target_norm does not apply)
///   an attention block       || (I + W_O W_V) diag(gamma) ||_F
///   a standard MLP           mean|gamma| * ||W_up||_2 * ||W_down||_2
///   a gated MLP              || W_down W_up diag(gamma) ||_F * || W_gate diag(gamma) ||_2
///
/// gamma is the weight of the norm that feeds the block. Biases and beta are ignored, as published. Other norms (of q's
/// and k's heads, in the head of an encoder) keep s = 1.
#include <cmath>
#include <mutex>

#include "models/calibration/block_weights.h"
#include "models/calibration/linear_algebra.h"
#include "models/calibration/static_scale.h"

namespace guardbit::calibration {
namespace {

double attention_norm(const AttentionWeights& weights) {
  Matrix<double> map = product(weights.output, weights.value);
  for (std::size_t i = 0; i < map.rows(); ++i) map(i, i) += 1;
  return frobenius_norm(scale_columns(map, weights.gamma));
}

double mean_magnitude(const Matrix<double>& row) {
  double sum = 0;
  for (const double value : row.data()) sum += std::abs(value);
  return sum / static_cast<double>(row.cols());
}

double mlp_norm(const MlpWeights& weights) {
  if (!weights.gate) return mean_magnitude(weights.gamma) * spectral_norm(weights.up) * spectral_norm(weights.down);
  return frobenius_norm(scale_columns(product(weights.down, weights.up), weights.gamma)) *
         spectral_norm(scale_columns(*weights.gate, weights.gamma));
}

}  // namespace

template <class T>
void apply_slanc(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& given) {
  const CalibrationOptions options = with_target(arguments, given);
  norm_behind_embedding(model).input_scale = 1;
  const auto num_layers = static_cast<std::size_t>(model.shape.num_layers);
  std::mutex turn;  // of telling progress
  std::size_t num_done = 0;
  if (options.progress) options.progress(0, 2 * num_layers);
  numerics::run_parallel(options.parallel_for, num_layers, [&](std::size_t index) {
    const int layer = static_cast<int>(index);
    set_input_scale(norm_behind_attention(model, layer), attention_norm(attention_weights(std::as_const(model), layer)),
                    options);
    set_input_scale(norm_behind_mlp(model, layer), mlp_norm(mlp_weights(std::as_const(model), layer)), options);
    const std::lock_guard lock(turn);
    if (options.progress) options.progress(num_done += 2, 2 * num_layers);
  });
}
template void apply_slanc(Model<float>&, const MethodArguments&, const CalibrationOptions&);
template void apply_slanc(Model<double>&, const MethodArguments&, const CalibrationOptions&);

}  // namespace guardbit::calibration
