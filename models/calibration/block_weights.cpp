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

namespace {

/// The norm whose output the op reads.
const Op& norm_feeding(Model<double>& model, const Op& op) { return op_named(model, op.inputs[0]); }

/// The norm that reads an op's output.
Op& norm_reading(Model<double>& model, const std::string& tensor) {
  for (Op& op : model.ops)
    if (is_stream_norm(op) && op.inputs[0] == tensor) return op;
  GUARDBIT_CHECK(false, "a norm reads " + tensor);
}

}  // namespace

AttentionWeights attention_weights(Model<double>& model, int layer) {
  const Op& v = op_named(model, layer_op(layer, "attn.v"));
  return {matrix_named(model, norm_feeding(model, v).weight),
          repeat_kv_heads(matrix_named(model, v.weight), model.shape),
          matrix_named(model, op_named(model, layer_op(layer, "attn.o")).weight)};
}

MlpWeights mlp_weights(Model<double>& model, int layer) {
  const Op* const gate = find_op(model, layer_op(layer, "mlp.gate"));
  const Op& up = op_named(model, layer_op(layer, "mlp.up"));
  return {matrix_named(model, norm_feeding(model, up).weight),
          gate == nullptr ? nullptr : &matrix_named(model, gate->weight), matrix_named(model, up.weight),
          matrix_named(model, op_named(model, layer_op(layer, "mlp.down")).weight)};
}

Op& norm_behind_attention(Model<double>& model, int layer) {
  return norm_reading(model, layer_op(layer, "attn_residual"));
}
Op& norm_behind_mlp(Model<double>& model, int layer) { return norm_reading(model, layer_op(layer, "mlp_residual")); }
Op& norm_behind_embedding(Model<double>& model) { return norm_reading(model, "embed"); }

}  // namespace guardbit::calibration
