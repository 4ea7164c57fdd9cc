#pragma once
/// The matrices of one layer that both SLaNC forms look at, and the names of the norms behind its blocks.
#include "models/calibration/model_access.h"

namespace guardbit::calibration {

/// A layer's attention block seen as a linear map: every token attends to one token.
struct AttentionWeights {
  const Matrix<double>& gamma;   ///< (1, hidden), of the norm that feeds the block
  Matrix<double> value;          ///< (num_heads * head_size, hidden): W_V, each key/value head repeated for its queries
  const Matrix<double>& output;  ///< (hidden, num_heads * head_size): W_O
};

struct MlpWeights {
  const Matrix<double>& gamma;  ///< (1, hidden), of the norm that feeds the block
  const Matrix<double>* gate;   ///< (intermediate, hidden); null: not gated
  const Matrix<double>& up;     ///< (intermediate, hidden)
  const Matrix<double>& down;   ///< (hidden, intermediate)
};

AttentionWeights attention_weights(Model<double>& model, int layer);
MlpWeights mlp_weights(Model<double>& model, int layer);

/// Rows of a (num_kv_heads * head_size, n) matrix repeated head by head to (num_heads * head_size, n).
Matrix<double> repeat_kv_heads(const Matrix<double>& m, const transformer::ModelShape& shape);

/// The norm that reads the residual stream behind the attention block of `layer`.
Op& norm_behind_attention(Model<double>& model, int layer);
/// Behind the MLP: the next layer's first norm, or the final one; of a post-norm model the layer's own last.
Op& norm_behind_mlp(Model<double>& model, int layer);
/// Behind the embedding.
Op& norm_behind_embedding(Model<double>& model);

}  // namespace guardbit::calibration
