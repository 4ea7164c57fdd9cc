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
#include <algorithm>
#include <initializer_list>
#include <utility>
#include <vector>

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

/// Rows in binary64, `block_rows` of them at a time, rounded once when they are put back: a large table does not fit in
/// memory twice. change(rows, index of the first).
template <class T, class Change>
void change_rows(Matrix<T>& m, std::size_t block_rows, const numerics::ParallelFor& parallel_for,
                 const Change& change) {
  numerics::run_parallel(parallel_for, (m.rows() + block_rows - 1) / block_rows, [&](std::size_t block) {
    const std::size_t begin = block * block_rows;
    const std::size_t end = std::min(m.rows(), begin + block_rows);
    Matrix<double> rows(end - begin, m.cols(), std::vector<double>(m.row(begin), m.row(end)));
    change(rows, begin);
    std::copy(rows.data().begin(), rows.data().end(), m.row(begin));
  });
}

void remove_row_means(Matrix<double>& m) {
  for (std::size_t r = 0; r < m.rows(); ++r) {
    double mean = 0;
    for (std::size_t c = 0; c < m.cols(); ++c) mean += m(r, c) / static_cast<double>(m.cols());
    for (std::size_t c = 0; c < m.cols(); ++c) m(r, c) -= mean;
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

/// The rotations that the unit does, of steps 4 and 5.
template <class T>
void set_runtime_rotations(Model<T>& model, int layer) {
  op_named(model, layer_op(layer, "attn.o")).rotation = rotation_of(model.shape.num_heads, model.shape.head_size);
  op_named(model, layer_op(layer, "mlp.down")).rotation = rotation_of(model.shape.intermediate_size, 1);
}

/// The steps matrix by matrix. Of a matrix they are done in ascending order, so that it is rounded once.
template <class T>
class Rotation {
 public:
  Rotation(Model<T>& model, const CalibrationOptions& options)
      : model_(model),
        parallel_for_(options.parallel_for),
        stream_(rotation_of(model.shape.hidden_size, 1)),
        within_head_(rotation_of(model.shape.head_size, 1)),
        signs_(random_signs(static_cast<std::size_t>(model.shape.hidden_size), options.seed)) {}

  void run() {
    convert_to_rms_norm();
    const Op& embed = op_named(model_, "embed");
    for (const std::string& table : {embed.weight, embed.bias}) {
      if (table.empty()) continue;
      change_rows(matrix_named(model_, table), kBlockRows, parallel_for_,
                  [&](Matrix<double>& rows, std::size_t) { move_into_stream(rows); });
    }
    for (Op& norm : model_.ops)
      if (is_stream_norm(norm)) empty_into_readers(norm);
    for (int layer = 0; layer < model_.shape.num_layers; ++layer) {
      set_runtime_rotations(model_, layer);
      const Op& o = op_named(model_, layer_op(layer, "attn.o"));
      rotate_writer(o, {within_head_, o.rotation});
      const Op& down = op_named(model_, layer_op(layer, "mlp.down"));
      rotate_writer(down, {down.rotation});
    }
  }

 private:
  static constexpr std::size_t kBlockRows = 64;

  /// Of step 1, the norms. All norms of a model are of one kind.
  void convert_to_rms_norm() {
    for (Op& op : model_.ops) {
      if (!is_stream_norm(op) || op.norm != transformer::NormKind::kLayerNorm) continue;
      has_layer_norm_ = true;
      op.norm = transformer::NormKind::kRmsNorm;
    }
  }

  /// Step 3. (W R^T)'s row is R times W's row.
  void apply_r(Matrix<double>& rows) const {
    rows = scale_columns(rows, signs_);
    rotate_rows_forward(rows, stream_);
  }

  /// Steps 1 and 3 of row vectors that are added to the residual stream.
  void move_into_stream(Matrix<double>& rows) const {
    if (has_layer_norm_) remove_row_means(rows);
    apply_r(rows);
  }

  /// Steps 1, 3, and then 4 or 5: the rotations of the layer's inputs.
  void rotate_writer(const Op& op, std::initializer_list<RuntimeRotation> of_inputs) {
    Matrix<double> columns = transpose(widened(matrix_named(std::as_const(model_), op.weight)));
    move_into_stream(columns);
    Matrix<double> rows = transpose(columns);
    for (const RuntimeRotation& rotation : of_inputs) rotate_rows_forward(rows, rotation);
    store(op.weight, rows);
    if (op.bias.empty()) return;
    Matrix<double> bias = widened(matrix_named(std::as_const(model_), op.bias));
    move_into_stream(bias);
    store(op.bias, bias);
  }

  /// Steps 2 and 3 of the layers that read the norm, and step 4 of v.
  void empty_into_readers(Op& norm) {
    for (Op* const layer : layers_fed_by(model_, norm)) rotate_reader(norm, *layer);
    Matrix<T>& gamma = matrix_named(model_, norm.weight);
    gamma = Matrix<T>(1, gamma.cols(), T(1));
    if (!norm.bias.empty()) model_.weights.erase(norm.bias);
    norm.bias.clear();
  }

  void rotate_reader(const Op& norm, Op& layer) {
    const Matrix<double> gamma = widened(matrix_named(std::as_const(model_), norm.weight));
    const bool has_beta = !norm.bias.empty();
    const Matrix<double> beta =
        has_beta ? transpose(widened(matrix_named(std::as_const(model_), norm.bias))) : Matrix<double>{};
    Matrix<T>& weight = matrix_named(model_, layer.weight);
    const bool is_v = layer.name.ends_with(".attn.v");
    Matrix<double> shift(1, weight.rows());  // W beta
    // A rotation of v's outputs needs all of its rows.
    change_rows(weight, is_v ? weight.rows() : kBlockRows, parallel_for_, [&](Matrix<double>& rows, std::size_t first) {
      if (has_beta) {
        const Matrix<double> part = product(rows, beta);
        std::copy(part.data().begin(), part.data().end(), shift.row(0) + first);
      }
      rows = scale_columns(rows, gamma);
      apply_r(rows);
      if (!is_v) return;
      Matrix<double> columns = transpose(rows);
      rotate_rows_forward(columns, within_head_);
      rows = transpose(columns);
    });
    change_bias(layer, has_beta, shift, is_v);
  }

  void change_bias(Op& layer, bool has_shift, const Matrix<double>& shift, bool is_v) {
    if (layer.bias.empty() && !has_shift) return;
    Matrix<double> bias = shift;
    if (!layer.bias.empty()) {
      bias = widened(matrix_named(std::as_const(model_), layer.bias));
      for (std::size_t i = 0; has_shift && i < bias.cols(); ++i) bias(0, i) += shift(0, i);
    }
    if (is_v) rotate_rows_forward(bias, within_head_);
    if (layer.bias.empty()) layer.bias = layer.name + ".bias";
    store(layer.bias, bias);
  }

  void store(const std::string& name, const Matrix<double>& values) {
    model_.weights[name] =
        Matrix<T>(values.rows(), values.cols(), std::vector<T>(values.data().begin(), values.data().end()));
  }

  Model<T>& model_;
  const numerics::ParallelFor& parallel_for_;
  const RuntimeRotation stream_;
  const RuntimeRotation within_head_;
  const Matrix<double> signs_;
  bool has_layer_norm_ = false;
};

}  // namespace

template <class T>
void apply_rotate(Model<T>& model, const MethodArguments&, const CalibrationOptions& options) {
  require_rotatable(model);
  Rotation<T>(model, options).run();
}
template void apply_rotate(Model<float>&, const MethodArguments&, const CalibrationOptions&);
template void apply_rotate(Model<double>&, const MethodArguments&, const CalibrationOptions&);

void outline_rotate(Model<float>& model, const MethodArguments&, const CalibrationOptions&) {
  require_rotatable(model);
  for (Op& norm : model.ops) {
    if (!is_stream_norm(norm)) continue;
    norm.norm = transformer::NormKind::kRmsNorm;
    for (Op* const layer : layers_fed_by(model, norm)) {
      if (norm.bias.empty() || !layer->bias.empty()) continue;
      layer->bias = layer->name + ".bias";
      model.weights[layer->bias] = Matrix<float>::outline(1, matrix_named(std::as_const(model), layer->weight).rows());
    }
    norm.bias.clear();
  }
  for (int layer = 0; layer < model.shape.num_layers; ++layer) set_runtime_rotations(model, layer);
}

}  // namespace guardbit::calibration
