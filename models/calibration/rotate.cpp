/// Rotation with randomised Hadamard matrices (QuaRot, arXiv 2404.00456; the rotation of RRS, arXiv 2409.20361):
/// outliers are spread over all channels and the model's function stays.
///
///   1  LayerNorm -> RMSNorm: the mean is removed where the residual stream is written (embeddings, o, down), so that
///   the
///      norm's own mean is 0.
///   2  gamma and beta move into the linear layers that a norm feeds: W diag(gamma), b + W beta.
///   3  Residual stream: x -> R x, R = H diag(signs) / sqrt(hidden), signs from the seed. Writers are multiplied by R,
///      readers by R^T = R^-1.
///   4  Attention output: V is rotated per head inside W_V; the unit rotates across heads before o; W_O has the inverse
///      of both.
///   5  MLP output: the unit rotates the full width before down; W_down has the inverse.
///
/// A width that no Hadamard matrix of units/hadamard_matrix.h fits is rotated in blocks of its largest supported
/// divisor; a divisor of 1 leaves it alone. Norms keep their epsilon: step 1 leaves the variance, step 3 the sum of
/// squares, which is also why SLaNC's scales stay valid. Norms of q's and k's heads (Qwen3) stand outside: q and k are
/// not rotated before them. Post-norm models are refused.
#include "models/calibration/linear_algebra.h"
#include "models/calibration/method.h"
#include "models/calibration/model_access.h"
#include "models/numerics/random_bits.h"
#include "models/transformer/rotation.h"
#include "models/units/hadamard_matrix.h"

namespace guardbit::calibration {
namespace {

using transformer::RotationDirection;
using transformer::RuntimeRotation;

template <class T>
void require_rotatable(const Model<T>& model) {
  require_pre_norm(model, "rotation", "their residual stream passes through the norms, whose gamma no layer can take");
}

RuntimeRotation rotation_of(int width, int stride) {
  for (int size = width; size > 1; --size)
    if (width % size == 0 && units::hadamard_supported(size)) return {size, stride};
  return {};
}

void rotate_rows_forward(Matrix<double>& m, const RuntimeRotation& rotation) {
  transformer::rotate_rows(m, rotation, RotationDirection::kForward);
}

/// Applies `change` to the vectors that a linear layer adds to the stream: its weight's columns and its bias.
template <class Change>
void change_outputs(Model<double>& model, const Op& op, const Change& change) {
  Matrix<double>& weight = matrix_named(model, op.weight);
  Matrix<double> columns = transpose(weight);
  change(columns);
  weight = transpose(columns);
  if (!op.bias.empty()) change(matrix_named(model, op.bias));
}

/// Applies `change` to every row vector that is added to the residual stream.
template <class Change>
void change_stream_writers(Model<double>& model, const Change& change) {
  const Op& embed = op_named(model, "embed");
  change(matrix_named(model, embed.weight));
  if (!embed.bias.empty()) change(matrix_named(model, embed.bias));
  for (const Op* const op : layers_writing_the_stream(model)) change_outputs(model, *op, change);
}

void remove_row_means(Matrix<double>& m) {
  for (std::size_t r = 0; r < m.rows(); ++r) {
    double mean = 0;
    for (std::size_t c = 0; c < m.cols(); ++c) mean += m(r, c) / static_cast<double>(m.cols());
    for (std::size_t c = 0; c < m.cols(); ++c) m(r, c) -= mean;
  }
}

/// Step 1. All norms of a model are of one kind.
void convert_to_rms_norm(Model<double>& model) {
  bool has_layer_norm = false;
  for (Op& op : model.ops) {
    if (!is_stream_norm(op) || op.norm != transformer::NormKind::kLayerNorm) continue;
    has_layer_norm = true;
    op.norm = transformer::NormKind::kRmsNorm;
  }
  if (has_layer_norm) change_stream_writers(model, remove_row_means);
}

/// Step 2 for one layer that reads the norm.
void fuse_norm_into(Model<double>& model, const Op& norm, Op& layer) {
  Matrix<double>& weight = matrix_named(model, layer.weight);
  if (!norm.bias.empty()) {
    const Matrix<double> shift = transpose(product(weight, transpose(matrix_named(model, norm.bias))));
    if (layer.bias.empty()) {
      layer.bias = layer.name + ".bias";
      model.weights[layer.bias] = shift;
    } else {
      Matrix<double>& bias = matrix_named(model, layer.bias);
      for (std::size_t i = 0; i < bias.cols(); ++i) bias(0, i) += shift(0, i);
    }
  }
  weight = scale_columns(weight, matrix_named(model, norm.weight));
}

void fuse_norms(Model<double>& model) {
  for (Op& norm : model.ops) {
    if (!is_stream_norm(norm)) continue;
    for (Op* const layer : layers_fed_by(model, norm)) fuse_norm_into(model, norm, *layer);
    Matrix<double>& gamma = matrix_named(model, norm.weight);
    gamma = Matrix<double>(1, gamma.cols(), 1.0);
    if (!norm.bias.empty()) model.weights.erase(norm.bias);
    norm.bias.clear();
  }
}

/// R's signs: bit 0 of philox(channel, seed).
Matrix<double> random_signs(std::size_t num_channels, std::uint64_t seed) {
  constexpr std::uint32_t kPurpose = 0x726f74;  // keeps other users of the seed apart
  Matrix<double> signs(1, num_channels);
  for (std::size_t i = 0; i < num_channels; ++i) {
    const auto words = numerics::philox4x32({static_cast<std::uint32_t>(i), 0, 0, kPurpose},
                                            {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
    signs(0, i) = words[0] % 2 == 0 ? 1 : -1;
  }
  return signs;
}

/// Step 3. Rows of readers are multiplied by R too: (W R^T)'s row is R times W's row.
void rotate_stream(Model<double>& model, std::uint64_t seed) {
  const RuntimeRotation rotation = rotation_of(model.shape.hidden_size, 1);
  const Matrix<double> signs = random_signs(static_cast<std::size_t>(model.shape.hidden_size), seed);
  const auto apply_r = [&](Matrix<double>& rows) {
    rows = scale_columns(rows, signs);
    rotate_rows_forward(rows, rotation);
  };
  change_stream_writers(model, apply_r);
  for (const Op& norm : model.ops) {
    if (!is_stream_norm(norm)) continue;
    for (Op* const layer : layers_fed_by(model, norm)) apply_r(matrix_named(model, layer->weight));
  }
}

/// The rotations that the unit does, of steps 4 and 5.
template <class T>
void set_runtime_rotations(Model<T>& model, int layer) {
  op_named(model, layer_op(layer, "attn.o")).rotation = rotation_of(model.shape.num_heads, model.shape.head_size);
  op_named(model, layer_op(layer, "mlp.down")).rotation = rotation_of(model.shape.intermediate_size, 1);
}

/// Steps 4 and 5.
void rotate_block_outputs(Model<double>& model, int layer) {
  const RuntimeRotation within_head = rotation_of(model.shape.head_size, 1);
  set_runtime_rotations(model, layer);
  change_outputs(model, op_named(model, layer_op(layer, "attn.v")),
                 [&](Matrix<double>& rows) { rotate_rows_forward(rows, within_head); });
  const Op& o = op_named(model, layer_op(layer, "attn.o"));
  rotate_rows_forward(matrix_named(model, o.weight), within_head);
  rotate_rows_forward(matrix_named(model, o.weight), o.rotation);

  const Op& down = op_named(model, layer_op(layer, "mlp.down"));
  rotate_rows_forward(matrix_named(model, down.weight), down.rotation);
}

}  // namespace

void apply_rotate(Model<double>& model, const MethodArguments&, const CalibrationOptions& options) {
  require_rotatable(model);
  convert_to_rms_norm(model);
  fuse_norms(model);
  rotate_stream(model, options.seed);
  for (int layer = 0; layer < model.shape.num_layers; ++layer) rotate_block_outputs(model, layer);
}

void outline_rotate(Model<float>& model, const MethodArguments&, const CalibrationOptions&) {
  require_rotatable(model);
  for (Op& norm : model.ops) {
    if (!is_stream_norm(norm)) continue;
    norm.norm = transformer::NormKind::kRmsNorm;
    for (Op* const layer : layers_fed_by(model, norm)) {
      if (norm.bias.empty() || !layer->bias.empty()) continue;
      layer->bias = layer->name + ".bias";
      model.weights[layer->bias] = Matrix<float>::outline(1, matrix_named(model, layer->weight).rows());
    }
    norm.bias.clear();
  }
  for (int layer = 0; layer < model.shape.num_layers; ++layer) set_runtime_rotations(model, layer);
}

}  // namespace guardbit::calibration
