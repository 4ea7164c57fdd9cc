/// GPT-2 (Radford et al. 2019) under Hugging Face's tensor names: pre-norm blocks, LayerNorm with bias, learned
/// positions, one activation MLP, every linear layer with a bias.
#include <algorithm>

#include "models/transformer/op_builder.h"

namespace guardbit::transformer {
namespace {

/// Columns [begin, begin + count) of a Conv1D weight (in, out), transposed to (count, in).
Matrix<float> conv1d_columns(const Matrix<float>& stored, std::size_t begin, std::size_t count) {
  if (stored.is_outline()) return Matrix<float>::outline(count, stored.rows());
  constexpr std::size_t kTile = 16;  // a cache line of either matrix at a time
  Matrix<float> weight(count, stored.rows());
  for (std::size_t first = 0; first < stored.rows(); first += kTile) {
    const std::size_t last = std::min(first + kTile, stored.rows());
    for (std::size_t out = 0; out < count; ++out)
      for (std::size_t in = first; in < last; ++in) weight(out, in) = stored(in, begin + out);
  }
  return weight;
}

Matrix<float> columns(const Matrix<float>& row, std::size_t begin, std::size_t count) {
  if (row.is_outline()) return Matrix<float>::outline(1, count);
  Matrix<float> part(1, count);
  for (std::size_t i = 0; i < count; ++i) part(0, i) = row(0, begin + i);
  return part;
}

struct Gpt2Builder : FamilyBuilder {
  std::string add_norm(const std::string& name, const std::string& input, const std::string& stored) const {
    return add_layer_norm(name, input, stored);
  }

  Matrix<float> positions() const { return tensors("transformer.wpe.weight", to_size(shape.context_length), hidden); }

  std::string add_conv1d(const std::string& name, const std::string& input, const std::string& stored, std::size_t in,
                         std::size_t out) const {
    return ops.linear(name, input, conv1d_columns(tensors(stored + ".weight", in, out), 0, out),
                      tensors(stored + ".bias", 1, out));
  }

  std::string add_attention(const std::string& input, const std::string& stored) const {
    const Matrix<float> weight = tensors(stored + "attn.c_attn.weight", hidden, 3 * attention_width);
    const Matrix<float> bias = tensors(stored + "attn.c_attn.bias", 1, 3 * attention_width);
    const auto part = [&](const std::string& name, std::size_t index) {
      return ops.linear(name, input, conv1d_columns(weight, index * attention_width, attention_width),
                        columns(bias, index * attention_width, attention_width));
    };
    const std::string q = part("attn.q", 0);
    const std::string k = part("attn.k", 1);
    const std::string v = part("attn.v", 2);
    return add_conv1d("attn.o", ops.attention(q, k, v), stored + "attn.c_proj", attention_width, hidden);
  }

  std::string add_layer(int layer, const std::string& input) const {
    const std::string stored = "transformer.h." + std::to_string(layer) + ".";
    ops.set_layer(layer);
    const std::string attn = add_attention(add_norm("attn_norm", input, stored + "ln_1"), stored);
    const std::string middle = ops.residual("attn_residual", input, attn);
    const std::string normed = add_norm("mlp_norm", middle, stored + "ln_2");
    const std::string up = add_conv1d("mlp.up", normed, stored + "mlp.c_fc", hidden, intermediate);
    const std::string act = ops.activation("mlp.act", up);
    const std::string down = add_conv1d("mlp.down", act, stored + "mlp.c_proj", intermediate, hidden);
    return ops.residual("mlp_residual", middle, down);
  }
};

}  // namespace

Model<float> build_gpt2(const ModelShape& shape, const TensorSource& tensors) {
  check_shape(shape);
  require_equal_heads(shape);
  return build_decoder<Gpt2Builder>(shape, tensors, {"transformer.wte.weight", "transformer.ln_f"});
}

}  // namespace guardbit::transformer
