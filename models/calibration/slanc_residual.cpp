/// SLaNC with the residual stream's power added up block by block: s^2 = s_r^2 + s_y^2, where s_r is the scale of the
/// norm before. Normalised inputs are taken as isotropic, E[x x^T] = I, and activations' inputs as Gaussian.
///
///   first norm      s^2 = mean over all (token, position) pairs of ||token row + position row||^2
///   attention       s_y^2 = ||W_O W_V diag(gamma)||_F^2 + ||b_O + W_O (b_V + W_V beta)||^2
///   standard MLP    s_y^2 = sum_j ||d_j||^2 Var_j + ||W_down m||^2 + ||b_down||^2
///                   m_j, Var_j: mean and variance of act(sigma_j z), sigma_j = ||u_j o gamma||
///   gated MLP       s_y^2 = sum_j ||d_j||^2 sigma_u,j^2 E[act(sigma_g,j z)^2] + ||b_down||^2
///
/// u_j, g_j rows of W_up and W_gate, d_j columns of W_down. Attention's constant part counts in full because a row of
/// probabilities sums to 1; its linear part supposes that a token attends to one token, the largest power. The MLPs'
/// beta and inner biases are ignored. For ReLU the standard form is (1/2 - 1/2pi) sum ||d_j||^2 sigma_j^2 +
/// ||W_down sigma||^2 / 2pi.
#include <cmath>

#include "models/calibration/block_weights.h"
#include "models/calibration/gaussian_moments.h"
#include "models/calibration/linear_algebra.h"
#include "models/calibration/static_scale.h"

namespace guardbit::calibration {
namespace {

/// (1, cols): the mean of the rows.
template <class T>
Matrix<double> mean_row(const Matrix<T>& m) {
  Matrix<double> mean(1, m.cols());
  for (std::size_t r = 0; r < m.rows(); ++r)
    for (std::size_t c = 0; c < m.cols(); ++c)
      mean(0, c) += static_cast<double>(m(r, c)) / static_cast<double>(m.rows());
  return mean;
}

template <class T>
double embedding_power(const Model<T>& model) {
  const Op& embed = op_named(model, "embed");
  const Matrix<T>& tokens = matrix_named(model, embed.weight);
  double power = sum_of_squares(tokens) / static_cast<double>(tokens.rows());
  if (embed.bias.empty()) return power;
  const Matrix<T>& positions = matrix_named(model, embed.bias);
  power += sum_of_squares(positions) / static_cast<double>(positions.rows());
  const Matrix<double> mean_token = mean_row(tokens);
  const Matrix<double> mean_position = mean_row(positions);
  for (std::size_t c = 0; c < tokens.cols(); ++c) power += 2 * mean_token(0, c) * mean_position(0, c);
  return power;
}

/// A linear layer's bias as a column; zeros if it has none.
template <class T>
Matrix<double> bias_column(const Model<T>& model, const Op& op) {
  if (op.bias.empty()) return Matrix<double>(matrix_named(model, op.weight).rows(), 1);
  return transpose(widened(matrix_named(model, op.bias)));
}

void add_to(Matrix<double>& sum, const Matrix<double>& addend) {
  for (std::size_t i = 0; i < sum.data().size(); ++i) sum.data()[i] += addend.data()[i];
}

template <class T>
double attention_power(const Model<T>& model, int layer) {
  const AttentionWeights weights = attention_weights(model, layer);
  const double linear_power = sum_of_squares(scale_columns(product(weights.output, weights.value), weights.gamma));

  Matrix<double> value_constant =
      repeat_kv_heads(bias_column(model, op_named(model, layer_op(layer, "attn.v"))), model.shape);
  const Op& norm = op_named(model, layer_op(layer, "attn_norm"));
  if (!norm.bias.empty()) add_to(value_constant, product(weights.value, bias_column(model, norm)));
  Matrix<double> constant = product(weights.output, value_constant);
  add_to(constant, bias_column(model, op_named(model, layer_op(layer, "attn.o"))));
  return linear_power + sum_of_squares(constant);
}

/// Sum of squares of each row, (rows, 1).
Matrix<double> row_powers(const Matrix<double>& m) {
  Matrix<double> powers(m.rows(), 1);
  for (std::size_t r = 0; r < m.rows(); ++r)
    for (std::size_t c = 0; c < m.cols(); ++c) powers(r, 0) += m(r, c) * m(r, c);
  return powers;
}

template <class T>
double mlp_power(const Model<T>& model, int layer) {
  const MlpWeights weights = mlp_weights(model, layer);
  const transformer::ActivationKind activation = op_named(model, layer_op(layer, "mlp.act")).activation;
  const Matrix<double> up_powers = row_powers(scale_columns(weights.up, weights.gamma));  // sigma_u,j^2
  const Matrix<double> down_powers = row_powers(transpose(weights.down));                 // ||d_j||^2
  double power = sum_of_squares(bias_column(model, op_named(model, layer_op(layer, "mlp.down"))));
  if (weights.gate) {
    const Matrix<double> gate_powers = row_powers(scale_columns(*weights.gate, weights.gamma));
    for (std::size_t j = 0; j < up_powers.rows(); ++j)
      power += down_powers(j, 0) * up_powers(j, 0) *
               activation_moments(activation, std::sqrt(gate_powers(j, 0))).mean_square;
    return power;
  }
  Matrix<double> means(up_powers.rows(), 1);
  for (std::size_t j = 0; j < up_powers.rows(); ++j) {
    const Moments moments = activation_moments(activation, std::sqrt(up_powers(j, 0)));
    means(j, 0) = moments.mean;
    power += down_powers(j, 0) * (moments.mean_square - moments.mean * moments.mean);
  }
  return power + sum_of_squares(product(weights.down, means));
}

template <class T>
void require_stream(const Model<T>& model) {
  require_pre_norm(model, "slanc_residual", "no residual stream adds up behind their norms (slanc applies)");
}

}  // namespace

void outline_slanc_residual(Model<float>& model, const MethodArguments&, const CalibrationOptions&) {
  require_stream(model);
}

template <class T>
void apply_slanc_residual(Model<T>& model, const MethodArguments& arguments, const CalibrationOptions& given) {
  const CalibrationOptions options = with_target(arguments, given);
  require_stream(model);
  const Model<T>& weights = model;
  const std::size_t num_norms = 2 * static_cast<std::size_t>(model.shape.num_layers);
  if (options.progress) options.progress(0, num_norms);
  double stream_power = embedding_power(weights);
  set_input_scale(op_named(model, layer_op(0, "attn_norm")), std::sqrt(stream_power), options);
  for (int layer = 0; layer < model.shape.num_layers; ++layer) {
    stream_power += attention_power(weights, layer);
    set_input_scale(op_named(model, layer_op(layer, "mlp_norm")), std::sqrt(stream_power), options);
    stream_power += mlp_power(weights, layer);
    set_input_scale(norm_behind_mlp(model, layer), std::sqrt(stream_power), options);
    if (options.progress) options.progress(2 * static_cast<std::size_t>(layer) + 2, num_norms);
  }
}
template void apply_slanc_residual(Model<float>&, const MethodArguments&, const CalibrationOptions&);
template void apply_slanc_residual(Model<double>&, const MethodArguments&, const CalibrationOptions&);

}  // namespace guardbit::calibration
