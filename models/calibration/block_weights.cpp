#include "models/calibration/block_weights.h"

#include <algorithm>

#include "models/calibration/linear_algebra.h"

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
template <class T>
const Op& norm_feeding(const Model<T>& model, const Op& op) {
  return op_named(model, op.inputs[0]);
}

/// The norm that reads an op's output.
template <class T>
Op& norm_reading(Model<T>& model, const std::string& tensor) {
  for (Op& op : model.ops)
    if (is_stream_norm(op) && op.inputs[0] == tensor) return op;
  GUARDBIT_CHECK(false, "a norm reads " + tensor);
}

}  // namespace

template <class T>
AttentionWeights attention_weights(const Model<T>& model, int layer) {
  const Op& v = op_named(model, layer_op(layer, "attn.v"));
  return {widened(matrix_named(model, norm_feeding(model, v).weight)),
          repeat_kv_heads(widened(matrix_named(model, v.weight)), model.shape),
          widened(matrix_named(model, op_named(model, layer_op(layer, "attn.o")).weight))};
}

template <class T>
MlpWeights mlp_weights(const Model<T>& model, int layer) {
  const Op* const gate = find_op(model, layer_op(layer, "mlp.gate"));
  const Op& up = op_named(model, layer_op(layer, "mlp.up"));
  MlpWeights weights{widened(matrix_named(model, norm_feeding(model, up).weight)),
                     {},
                     widened(matrix_named(model, up.weight)),
                     widened(matrix_named(model, op_named(model, layer_op(layer, "mlp.down")).weight))};
  if (gate != nullptr) weights.gate = widened(matrix_named(model, gate->weight));
  return weights;
}

template <class T>
Op& norm_behind_attention(Model<T>& model, int layer) {
  return norm_reading(model, layer_op(layer, "attn_residual"));
}
template <class T>
Op& norm_behind_mlp(Model<T>& model, int layer) {
  return norm_reading(model, layer_op(layer, "mlp_residual"));
}
template <class T>
Op& norm_behind_embedding(Model<T>& model) {
  return norm_reading(model, "embed");
}

template AttentionWeights attention_weights(const Model<float>&, int);
template AttentionWeights attention_weights(const Model<double>&, int);
template MlpWeights mlp_weights(const Model<float>&, int);
template MlpWeights mlp_weights(const Model<double>&, int);
template Op& norm_behind_attention(Model<float>&, int);
template Op& norm_behind_attention(Model<double>&, int);
template Op& norm_behind_mlp(Model<float>&, int);
template Op& norm_behind_mlp(Model<double>&, int);
template Op& norm_behind_embedding(Model<float>&);
template Op& norm_behind_embedding(Model<double>&);

}  // namespace guardbit::calibration
