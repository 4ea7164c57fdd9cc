#pragma once
/// What the families' builders share: ops by kind with the naming rules of family.h, and shape rules. Which ops a
/// family has, and under which names its tensors are stored, is the family's own file's business.
#include <string>
#include <utility>
#include <vector>

#include "models/transformer/family.h"

namespace guardbit::transformer {

/// Appends ops to a model whose shape is set. Every op's output tensor has the op's name.
class OpBuilder {
 public:
  explicit OpBuilder(Model<float>& model) : model_(model) {}

  /// Ops added from now on belong to `layer` and are named "layers.<layer>.<local name>"; -1: outside the layers.
  void set_layer(int layer) { layer_ = layer; }

  /// Each returns the name of the op's output. Weights are moved in under "<op>.weight" / "<op>.bias".
  std::string embed(SharedMatrix<float> tokens,
                    Matrix<float> positions);  ///< positions: (context, hidden), or empty: none
  std::string norm(const std::string& name, const std::string& input, NormKind kind, Matrix<float> gamma,
                   Matrix<float> beta = {});
  /// RMSNorm of every head of q or k by itself; gamma (1, head_size).
  std::string head_norm(const std::string& name, const std::string& input, Matrix<float> gamma);
  std::string linear(const std::string& name, const std::string& input, SharedMatrix<float> weight,
                     Matrix<float> bias = {});
  /// A linear layer that computes as the head does (16-bit on most hardware).
  std::string head_linear(const std::string& name, const std::string& input, SharedMatrix<float> weight,
                          Matrix<float> bias = {});
  std::string rope(const std::string& name, const std::string& input);
  /// attn.scores, attn.softmax, attn.values of the layer; result (tokens, num_heads * head_size).
  std::string attention(const std::string& q, const std::string& k, const std::string& v, bool causal = true);
  std::string activation(const std::string& name, const std::string& input);
  std::string gate(const std::string& name, const std::string& gate, const std::string& up);
  std::string residual(const std::string& name, const std::string& stream, const std::string& branch);

 private:
  Op& add(const std::string& name, OpKind kind, std::vector<std::string> inputs);
  void set_weights(Op& op, SharedMatrix<float> weight, Matrix<float> bias);

  Model<float>& model_;
  int layer_ = -1;
};

/// Every rule of ModelShape that all families share: positive sizes, kv heads dividing heads.
/// Throws std::invalid_argument naming the field, its value and the rule.
void check_shape(const ModelShape& shape);
/// For families without grouped-query attention. Throws std::invalid_argument as check_shape.
void require_equal_heads(const ModelShape& shape);

inline std::size_t to_size(int value) { return static_cast<std::size_t>(value); }

/// What every family's builder has at hand.
struct FamilyBuilder {
  const ModelShape& shape;
  const TensorSource& tensors;
  OpBuilder& ops;
  std::size_t hidden = to_size(shape.hidden_size);
  std::size_t attention_width = to_size(shape.num_heads * shape.head_size);
  std::size_t intermediate = to_size(shape.intermediate_size);

  /// LayerNorm stored as <stored>.weight and <stored>.bias.
  std::string add_layer_norm(const std::string& name, const std::string& input, const std::string& stored) const;
  /// Linear layer stored as <stored>.weight (out, in) and, with a bias, <stored>.bias.
  std::string add_linear(const std::string& name, const std::string& input, const std::string& stored, std::size_t in,
                         std::size_t out, bool has_bias = true) const;
};

/// Names under which a decoder stores what lies outside its layers; an untied head is "lm_head.weight" in all.
struct DecoderNames {
  std::string token_embedding;
  std::string final_norm;
};

/// A pre-norm decoder: embedding, layers, final norm, head. Builder is a FamilyBuilder with positions() (the table, or
/// empty), add_layer(layer, input) and add_norm(name, input, stored).
template <class Builder>
Model<float> build_decoder(const ModelShape& shape, const TensorSource& tensors, const DecoderNames& names) {
  Model<float> model;
  model.shape = shape;
  OpBuilder ops(model);
  const Builder builder{{shape, tensors, ops}};
  const std::size_t vocabulary = to_size(shape.vocabulary_size);
  const SharedMatrix<float> table = tensors(names.token_embedding, vocabulary, builder.hidden);
  SharedMatrix<float> head = table;
  if (!shape.tied_head) head = tensors("lm_head.weight", vocabulary, builder.hidden);
  std::string stream = ops.embed(table, builder.positions());
  for (int layer = 0; layer < shape.num_layers; ++layer) stream = builder.add_layer(layer, stream);
  ops.set_layer(-1);
  ops.head_linear("head", builder.add_norm("final_norm", stream, names.final_norm), std::move(head));
  return model;
}

}  // namespace guardbit::transformer
