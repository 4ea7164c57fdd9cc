/// OPT (Zhang et al. 2022) under Hugging Face's tensor names: pre-norm blocks, LayerNorm with bias, learned positions,
/// ReLU (or another activation) MLP, every linear layer with a bias. The first two rows of the stored position table
/// stand for padding and are dropped: position t is stored row t + 2.
#include <algorithm>

#include "models/transformer/op_builder.h"

namespace guardbit::transformer {
namespace {

constexpr std::size_t kPositionOffset = 2;

struct OptBuilder {
  const ModelShape& shape;
  const TensorSource& tensors;
  OpBuilder& ops;
  std::size_t hidden = to_size(shape.hidden_size);
  std::size_t attention_width = to_size(shape.num_heads * shape.head_size);
  std::size_t intermediate = to_size(shape.intermediate_size);

  std::string add_norm(const std::string& name, const std::string& input, const std::string& stored) const {
    return ops.norm(name, input, NormKind::kLayerNorm, tensors(stored + ".weight", 1, hidden),
                    tensors(stored + ".bias", 1, hidden));
  }

  std::string add_linear(const std::string& name, const std::string& input, const std::string& stored, std::size_t in,
                         std::size_t out) const {
    return ops.linear(name, input, tensors(stored + ".weight", out, in), tensors(stored + ".bias", 1, out));
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
  Model<float> model;
  model.shape = shape;
  OpBuilder ops(model);
  const OptBuilder builder{shape, tensors, ops};
  const std::size_t vocabulary = to_size(shape.vocabulary_size);
  Matrix<float> table = tensors("model.decoder.embed_tokens.weight", vocabulary, builder.hidden);
  Matrix<float> head = shape.tied_head ? table : tensors("lm_head.weight", vocabulary, builder.hidden);
  std::string stream = ops.embed(std::move(table), builder.positions());
  for (int layer = 0; layer < shape.num_layers; ++layer) stream = builder.add_layer(layer, stream);
  ops.set_layer(-1);
  ops.head_linear("head", builder.add_norm("final_norm", stream, "model.decoder.final_layer_norm"), std::move(head));
  return model;
}

}  // namespace guardbit::transformer
