#pragma once
/// The matrices of one layer that both SLaNC forms look at, and the names of the norms behind its blocks.
#include <optional>

#include "models/calibration/model_access.h"

namespace guardbit::calibration {

/// A layer's attention block seen as a linear map: every token attends to one token.
struct AttentionWeights {
  Matrix<double> gamma;   ///< (1, hidden), of the norm that feeds the block
  Matrix<double> value;   ///< (num_heads * head_size, hidden): W_V, each key/value head repeated for its queries
  Matrix<double> output;  ///< (hidden, num_heads * head_size): W_O
};

struct MlpWeights {
  Matrix<double> gamma;                ///< (1, hidden), of the norm that feeds the block
  std::optional<Matrix<double>> gate;  ///< (intermediate, hidden), if it is gated
  Matrix<double> up;                   ///< (intermediate, hidden)
  Matrix<double> down;                 ///< (hidden, intermediate)
};

/// Copies in binary64: of one layer, as a large model does not fit in memory a second time.
template <class T>
AttentionWeights attention_weights(const Model<T>& model, int layer);
template <class T>
MlpWeights mlp_weights(const Model<T>& model, int layer);

/// Rows of a (num_kv_heads * head_size, n) matrix repeated head by head to (num_heads * head_size, n).
Matrix<double> repeat_kv_heads(const Matrix<double>& m, const transformer::ModelShape& shape);

/// The norm that reads the residual stream behind the attention block of `layer`.
template <class T>
Op& norm_behind_attention(Model<T>& model, int layer);
/// Behind the MLP: the next layer's first norm, or the final one; of a post-norm model the layer's own last.
template <class T>
Op& norm_behind_mlp(Model<T>& model, int layer);
/// Behind the embedding.
template <class T>
Op& norm_behind_embedding(Model<T>& model);

}  // namespace guardbit::calibration
