/// BERT (Devlin et al. 2018) under Hugging Face's tensor names: an encoder. Every token sees every token; a block's
/// LayerNorm stands behind the addition of its result (post-norm), so that the residual stream is what the norms
/// deliver. Ends in the masked-language-model head or, without one, in the last layer's hidden states.
///
/// One segment: the embedding of token type 0 is added to the position table, in binary32 with one rounding.
#include "models/transformer/op_builder.h"

namespace guardbit::transformer {
namespace {

struct BertBuilder : FamilyBuilder {
  std::string add_norm(const std::string& name, const std::string& input, const std::string& stored) const {
    return add_layer_norm(name, input, stored + ".LayerNorm");
  }

  std::string add_embedding(const SharedMatrix<float>& table) const {
    constexpr std::size_t kTokenTypes = 2;
    const std::string stored = "bert.embeddings";
    Matrix<float> positions = tensors(stored + ".position_embeddings.weight", to_size(shape.context_length), hidden);
    const Matrix<float> types = tensors(stored + ".token_type_embeddings.weight", kTokenTypes, hidden);
    const std::size_t num_positions = positions.is_outline() ? 0 : positions.rows();  // an outline has no elements
    for (std::size_t t = 0; t < num_positions; ++t)
      for (std::size_t i = 0; i < hidden; ++i) positions(t, i) += types(0, i);
    return add_norm("embed_norm", ops.embed(table, std::move(positions)), stored);
  }

  std::string add_layer(int layer, const std::string& input) const {
    const std::string stored = "bert.encoder.layer." + std::to_string(layer) + ".";
    ops.set_layer(layer);
    const auto project = [&](const char* name, const char* part) {
      return add_linear(name, input, stored + "attention.self." + part, hidden, attention_width);
    };
    const std::string q = project("attn.q", "query");
    const std::string k = project("attn.k", "key");
    const std::string v = project("attn.v", "value");
    const std::string values = ops.attention(q, k, v, /*causal=*/false);
    const std::string o = add_linear("attn.o", values, stored + "attention.output.dense", attention_width, hidden);
    const std::string middle =
        add_norm("attn_norm", ops.residual("attn_residual", input, o), stored + "attention.output");
    const std::string up = add_linear("mlp.up", middle, stored + "intermediate.dense", hidden, intermediate);
    const std::string act = ops.activation("mlp.act", up);
    const std::string down = add_linear("mlp.down", act, stored + "output.dense", intermediate, hidden);
    return add_norm("mlp_norm", ops.residual("mlp_residual", middle, down), stored + "output");
  }

  void add_head(const std::string& input, SharedMatrix<float> weight) const {
    const std::string stored = "cls.predictions";
    const std::string dense =
        ops.head_linear("head.dense", input, tensors(stored + ".transform.dense.weight", hidden, hidden),
                        tensors(stored + ".transform.dense.bias", 1, hidden));
    const std::string normed = add_norm("head.norm", ops.activation("head.act", dense), stored + ".transform");
    Matrix<float> bias = tensors(stored + ".bias", 1, weight.rows());
    ops.head_linear("head", normed, std::move(weight), std::move(bias));
  }
};

}  // namespace

Model<float> build_bert(const ModelShape& shape, const TensorSource& tensors) {
  check_shape(shape);
  require_equal_heads(shape);
  Model<float> model;
  model.shape = shape;
  OpBuilder ops(model);
  const BertBuilder builder{{shape, tensors, ops}};
  const std::size_t vocabulary = to_size(shape.vocabulary_size);
  const SharedMatrix<float> table = tensors("bert.embeddings.word_embeddings.weight", vocabulary, builder.hidden);
  SharedMatrix<float> head = table;
  if (shape.has_head && !shape.tied_head) head = tensors("cls.predictions.decoder.weight", vocabulary, builder.hidden);
  std::string stream = builder.add_embedding(table);
  for (int layer = 0; layer < shape.num_layers; ++layer) stream = builder.add_layer(layer, stream);
  ops.set_layer(-1);
  if (shape.has_head) builder.add_head(stream, std::move(head));
  return model;
}

}  // namespace guardbit::transformer
