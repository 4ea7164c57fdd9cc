/// LLaMA (Touvron et al. 2023) and its relatives under Hugging Face's tensor names: RMSNorm, rotary positions,
/// grouped-query attention, gated MLP. Mistral is the same; Qwen2 has biases on q, k and v; Qwen3 normalises every head
/// of q and k. ModelShape says which of these a model has and how its rotary pairs lie.
#include "models/transformer/op_builder.h"

namespace guardbit::transformer {
namespace {

struct LlamaBuilder : FamilyBuilder {
  std::size_t kv_width = to_size(shape.num_kv_heads * shape.head_size);

  std::string add_norm(const std::string& name, const std::string& input, const std::string& stored) const {
    return ops.norm(name, input, NormKind::kRmsNorm, tensors(stored + ".weight", 1, hidden));
  }

  Matrix<float> positions() const { return {}; }  // rotary

  /// q or k ready for the scores: normalised by heads if the model does that, and turned by position.
  std::string add_positions(const std::string& letter, const std::string& input, const std::string& stored) const {
    const std::string normed =
        shape.qk_norm ? ops.head_norm("attn." + letter + "_norm", input,
                                      tensors(stored + letter + "_norm.weight", 1, to_size(shape.head_size)))
                      : input;
    return ops.rope("attn.rope_" + letter, normed);
  }

  std::string add_attention(const std::string& input, const std::string& stored) const {
    const std::string q = add_linear("attn.q", input, stored + "q_proj", hidden, attention_width, shape.qkv_bias);
    const std::string k = add_linear("attn.k", input, stored + "k_proj", hidden, kv_width, shape.qkv_bias);
    const std::string v = add_linear("attn.v", input, stored + "v_proj", hidden, kv_width, shape.qkv_bias);
    const std::string rope_q = add_positions("q", q, stored);
    const std::string rope_k = add_positions("k", k, stored);
    return add_linear("attn.o", ops.attention(rope_q, rope_k, v), stored + "o_proj", attention_width, hidden,
                      shape.attention_output_bias);
  }

  std::string add_layer(int layer, const std::string& input) const {
    const std::string stored = "model.layers." + std::to_string(layer) + ".";
    ops.set_layer(layer);
    const std::string attn =
        add_attention(add_norm("attn_norm", input, stored + "input_layernorm"), stored + "self_attn.");
    const std::string middle = ops.residual("attn_residual", input, attn);
    const std::string normed = add_norm("mlp_norm", middle, stored + "post_attention_layernorm");
    const std::string gate =
        add_linear("mlp.gate", normed, stored + "mlp.gate_proj", hidden, intermediate, shape.mlp_bias);
    const std::string up = add_linear("mlp.up", normed, stored + "mlp.up_proj", hidden, intermediate, shape.mlp_bias);
    const std::string act = ops.gate("mlp.act", gate, up);
    const std::string down =
        add_linear("mlp.down", act, stored + "mlp.down_proj", intermediate, hidden, shape.mlp_bias);
    return ops.residual("mlp_residual", middle, down);
  }
};

}  // namespace

Model<float> build_llama(const ModelShape& shape, const TensorSource& tensors) {
  check_shape(shape);
  if (shape.head_size % 2 != 0)
    throw std::invalid_argument("model shape: head_size is " + std::to_string(shape.head_size) +
                                "; expected an even number, rotary positions work on pairs");
  return build_decoder<LlamaBuilder>(shape, tensors, {"model.embed_tokens.weight", "model.norm"});
}

}  // namespace guardbit::transformer
