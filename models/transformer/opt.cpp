/// OPT (Zhang et al. 2022) under Hugging Face's tensor names: pre-norm blocks, LayerNorm with bias, learned positions,
/// ReLU (or another activation) MLP, every linear layer with a bias. The first two rows of the stored position table
/// stand for padding and are dropped: position t is stored row t + 2.
#include <algorithm>

#include "models/transformer/op_builder.h"

namespace guardbit::transformer {
namespace {

constexpr std::size_t kPositionOffset = 2;

struct OptBuilder : FamilyBuilder {
  std::string add_norm(const std::string& name, const std::string& input, const std::string& stored) const {
    return add_layer_norm(name, input, stored);
  }

  Matrix<float> positions() const {
    const std::size_t context = to_size(shape.context_length);
    const Matrix<float> stored = tensors("model.decoder.embed_positions.weight", context + kPositionOffset, hidden);
    if (stored.is_outline()) return Matrix<float>::outline(context, hidden);
    Matrix<float> table(context, hidden);
    std::copy(stored.row(kPositionOffset), stored.row(0) + stored.data().size(), table.row(0));
    return table;
  }

  std::string add_layer(int layer, const std::string& input) const {
    const std::string stored = "model.decoder.layers." + std::to_string(layer) + ".";
    ops.set_layer(layer);
    const std::string normed = add_norm("attn_norm", input, stored + "self_attn_layer_norm");
    const auto project = [&](const char* name, const char* part) {
      return add_linear(name, normed, stored + "self_attn." + part, hidden, attention_width);
    };
    const std::string q = project("attn.q", "q_proj");
    const std::string k = project("attn.k", "k_proj");
    const std::string v = project("attn.v", "v_proj");
    const std::string o =
        add_linear("attn.o", ops.attention(q, k, v), stored + "self_attn.out_proj", attention_width, hidden);
    const std::string middle = ops.residual("attn_residual", input, o);
    const std::string up = add_linear("mlp.up", add_norm("mlp_norm", middle, stored + "final_layer_norm"),
                                      stored + "fc1", hidden, intermediate);
    const std::string down =
        add_linear("mlp.down", ops.activation("mlp.act", up), stored + "fc2", intermediate, hidden);
    return ops.residual("mlp_residual", middle, down);
  }
};

}  // namespace

Model<float> build_opt(const ModelShape& shape, const TensorSource& tensors) {
  check_shape(shape);
  require_equal_heads(shape);
  return build_decoder<OptBuilder>(shape, tensors,
                                   {"model.decoder.embed_tokens.weight", "model.decoder.final_layer_norm"});
}

}  // namespace guardbit::transformer
