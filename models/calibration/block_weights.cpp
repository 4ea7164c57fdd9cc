#include "models/calibration/block_weights.h"

#include <algorithm>

namespace guardbit::calibration {

Matrix<double> repeat_kv_heads(const Matrix<double>& m, const transformer::ModelShape& shape) {
  const std::size_t head_size = static_cast<std::size_t>(shape.head_size);
  const std::size_t queries_per_kv = static_cast<std::size_t>(shape.num_heads / shape.num_kv_heads);
  Matrix<double> result(m.rows() * queries_per_kv, m.cols());
  for (std::size_t r = 0; r < result.rows(); ++r) {
    const double* const source = m.row(r / head_size / queries_per_kv * head_size + r % head_size);
    std::copy(source, source + m.cols(), result.row(r));
  }
  return result;
}

AttentionWeights attention_weights(Model<double>& model, int layer) {
  return {matrix_named(model, op_named(model, layer_op(layer, "attn_norm")).weight),
          repeat_kv_heads(matrix_named(model, op_named(model, layer_op(layer, "attn.v")).weight), model.shape),
          matrix_named(model, op_named(model, layer_op(layer, "attn.o")).weight)};
}

MlpWeights mlp_weights(Model<double>& model, int layer) {
  const Op* const gate = find_op(model, layer_op(layer, "mlp.gate"));
  return {matrix_named(model, op_named(model, layer_op(layer, "mlp_norm")).weight),
          gate == nullptr ? nullptr : &matrix_named(model, gate->weight),
          matrix_named(model, op_named(model, layer_op(layer, "mlp.up")).weight),
          matrix_named(model, op_named(model, layer_op(layer, "mlp.down")).weight)};
}

Op& norm_behind_mlp(Model<double>& model, int layer) {
  return op_named(model, layer + 1 < model.shape.num_layers ? layer_op(layer + 1, "attn_norm") : "final_norm");
}

}  // namespace guardbit::calibration
