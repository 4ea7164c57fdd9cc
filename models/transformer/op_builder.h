#pragma once
/// What the families' builders share: ops by kind with the naming rules of family.h, and shape rules. Which ops a
/// family has, and under which names its tensors are stored, is the family's own file's business.
#include <string>
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
  std::string embed(Matrix<float> tokens, Matrix<float> positions);  ///< positions: (context, hidden), or empty: none
  std::string norm(const std::string& name, const std::string& input, NormKind kind, Matrix<float> gamma,
                   Matrix<float> beta = {});
  /// RMSNorm of every head of q or k by itself; gamma (1, head_size).
  std::string head_norm(const std::string& name, const std::string& input, Matrix<float> gamma);
  std::string linear(const std::string& name, const std::string& input, Matrix<float> weight, Matrix<float> bias = {});
  /// A linear layer that computes as the head does (16-bit on most hardware).
  std::string head_linear(const std::string& name, const std::string& input, Matrix<float> weight,
                          Matrix<float> bias = {});
  std::string rope(const std::string& name, const std::string& input);
  /// attn.scores, attn.softmax, attn.values of the layer; result (tokens, num_heads * head_size).
  std::string attention(const std::string& q, const std::string& k, const std::string& v, bool causal = true);
  std::string activation(const std::string& name, const std::string& input);
  std::string gate(const std::string& name, const std::string& gate, const std::string& up);
  std::string residual(const std::string& name, const std::string& stream, const std::string& branch);

 private:
  Op& add(const std::string& name, OpKind kind, std::vector<std::string> inputs);
  void set_weights(Op& op, Matrix<float> weight, Matrix<float> bias);

  Model<float>& model_;
  int layer_ = -1;
};

/// Every rule of ModelShape that all families share: positive sizes, kv heads dividing heads.
/// Throws std::invalid_argument naming the field, its value and the rule.
void check_shape(const ModelShape& shape);
/// For families without grouped-query attention. Throws std::invalid_argument as check_shape.
void require_equal_heads(const ModelShape& shape);

inline std::size_t to_size(int value) { return static_cast<std::size_t>(value); }

}  // namespace guardbit::transformer
