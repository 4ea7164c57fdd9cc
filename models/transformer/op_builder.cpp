#include "models/transformer/op_builder.h"

#include <utility>

namespace guardbit::transformer {

Op& OpBuilder::add(const std::string& name, OpKind kind, std::vector<std::string> inputs) {
  Op op;
  op.name = layer_ < 0 ? name : "layers." + std::to_string(layer_) + "." + name;
  op.kind = kind;
  op.layer = layer_;
  op.inputs = std::move(inputs);
  op.output = op.name;
  return model_.ops.emplace_back(std::move(op));
}

void OpBuilder::set_weights(Op& op, SharedMatrix<float> weight, Matrix<float> bias) {
  op.weight = op.name + ".weight";
  model_.weights[op.weight] = std::move(weight);
  if (bias.cols() == 0) return;
  op.bias = op.name + ".bias";
  model_.weights[op.bias] = std::move(bias);
}

std::string OpBuilder::embed(SharedMatrix<float> tokens, Matrix<float> positions) {
  Op& op = add("embed", OpKind::kEmbed, {});
  op.weight = "embed.tokens";
  model_.weights[op.weight] = std::move(tokens);
  if (positions.cols() != 0) {
    op.bias = "embed.positions";
    model_.weights[op.bias] = std::move(positions);
  }
  return op.output;
}

std::string OpBuilder::norm(const std::string& name, const std::string& input, NormKind kind, Matrix<float> gamma,
                            Matrix<float> beta) {
  Op& op = add(name, OpKind::kNorm, {input});
  op.norm = kind;
  op.epsilon = model_.shape.norm_epsilon;
  set_weights(op, std::move(gamma), std::move(beta));
  return op.output;
}

std::string OpBuilder::linear(const std::string& name, const std::string& input, SharedMatrix<float> weight,
                              Matrix<float> bias) {
  Op& op = add(name, OpKind::kLinear, {input});
  set_weights(op, std::move(weight), std::move(bias));
  return op.output;
}

std::string OpBuilder::head_norm(const std::string& name, const std::string& input, Matrix<float> gamma) {
  const std::string output = norm(name, input, NormKind::kRmsNorm, std::move(gamma));
  model_.ops.back().norm_size = model_.shape.head_size;
  return output;
}

std::string OpBuilder::head_linear(const std::string& name, const std::string& input, SharedMatrix<float> weight,
                                   Matrix<float> bias) {
  const std::string output = linear(name, input, std::move(weight), std::move(bias));
  model_.ops.back().operand_class = OperandClass::kHead;
  return output;
}

std::string OpBuilder::rope(const std::string& name, const std::string& input) {
  return add(name, OpKind::kRope, {input}).output;
}

std::string OpBuilder::attention(const std::string& q, const std::string& k, const std::string& v, bool causal) {
  const auto add_part = [&](const char* name, OpKind kind, std::vector<std::string> inputs) {
    Op& op = add(name, kind, std::move(inputs));
    if (kind != OpKind::kSoftmax) op.operand_class = OperandClass::kAttention;
    op.causal = causal;
    return op.output;
  };
  const std::string scores = add_part("attn.scores", OpKind::kScores, {q, k});
  const std::string probabilities = add_part("attn.softmax", OpKind::kSoftmax, {scores});
  return add_part("attn.values", OpKind::kValues, {probabilities, v});
}

std::string OpBuilder::activation(const std::string& name, const std::string& input) {
  Op& op = add(name, OpKind::kActivation, {input});
  op.activation = model_.shape.activation;
  return op.output;
}

std::string OpBuilder::gate(const std::string& name, const std::string& gate, const std::string& up) {
  Op& op = add(name, OpKind::kGate, {gate, up});
  op.activation = model_.shape.activation;
  return op.output;
}

std::string OpBuilder::residual(const std::string& name, const std::string& stream, const std::string& branch) {
  return add(name, OpKind::kResidual, {stream, branch}).output;
}

std::string FamilyBuilder::add_layer_norm(const std::string& name, const std::string& input,
                                          const std::string& stored) const {
  return ops.norm(name, input, NormKind::kLayerNorm, tensors(stored + ".weight", 1, hidden),
                  tensors(stored + ".bias", 1, hidden));
}

std::string FamilyBuilder::add_linear(const std::string& name, const std::string& input, const std::string& stored,
                                      std::size_t in, std::size_t out, bool has_bias) const {
  return ops.linear(name, input, tensors(stored + ".weight", out, in),
                    has_bias ? tensors(stored + ".bias", 1, out) : Matrix<float>());
}

void check_shape(const ModelShape& shape) {
  const auto require = [](bool holds, const char* field, int value, const char* rule) {
    if (!holds)
      throw std::invalid_argument("model shape: " + std::string(field) + " is " + std::to_string(value) +
                                  "; expected " + rule);
  };
  const char* const positive = "a positive number";
  require(shape.hidden_size > 0, "hidden_size", shape.hidden_size, positive);
  require(shape.num_layers > 0, "num_layers", shape.num_layers, positive);
  require(shape.num_heads > 0, "num_heads", shape.num_heads, positive);
  require(shape.num_kv_heads > 0 && shape.num_heads % shape.num_kv_heads == 0, "num_kv_heads", shape.num_kv_heads,
          "a divisor of num_heads");
  require(shape.head_size > 0, "head_size", shape.head_size, positive);
  require(shape.intermediate_size > 0, "intermediate_size", shape.intermediate_size, positive);
  require(shape.vocabulary_size > 0, "vocabulary_size", shape.vocabulary_size, positive);
  require(shape.context_length > 0, "context_length", shape.context_length, positive);
  if (!(shape.norm_epsilon >= 0)) throw std::invalid_argument("model shape: norm_epsilon must be 0 or more");
}

void require_equal_heads(const ModelShape& shape) {
  if (shape.num_kv_heads == shape.num_heads) return;
  throw std::invalid_argument("model shape: num_kv_heads is " + std::to_string(shape.num_kv_heads) +
                              "; expected num_heads (" + std::to_string(shape.num_heads) + "), " + shape.family +
                              " has no grouped-query attention");
}

}  // namespace guardbit::transformer
