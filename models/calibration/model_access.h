#pragma once
/// How methods find their way in a Model: ops by the names of transformer/family.h, and who reads a tensor.
#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/transformer/model.h"

namespace guardbit::calibration {

using numerics::Matrix;
using transformer::Model;
using transformer::Op;
using transformer::OpKind;

/// "layers.<layer>.<local>".
inline std::string layer_op(int layer, const std::string& local) {
  return "layers." + std::to_string(layer) + "." + local;
}

/// Null if there is none; of a const model a const Op.
template <class ModelType>
auto* find_op(ModelType& model, std::string_view name) {
  const auto found = std::find_if(model.ops.begin(), model.ops.end(), [name](const Op& op) { return op.name == name; });
  return found == model.ops.end() ? nullptr : &*found;
}

template <class ModelType>
auto& op_named(ModelType& model, std::string_view name) {
  auto* const op = find_op(model, name);
  GUARDBIT_CHECK(op != nullptr, "a model of every family has an op " + std::string(name));
  return *op;
}

/// For reading. Of a model that is not const: to be edited, and no longer shared with the model's copies.
template <class T>
const Matrix<T>& matrix_named(const Model<T>& model, const std::string& name) {
  const auto found = model.weights.find(name);
  GUARDBIT_CHECK(found != model.weights.end(), "the model has " + name);
  return found->second;
}
template <class T>
Matrix<T>& matrix_named(Model<T>& model, const std::string& name) {
  (void)matrix_named(std::as_const(model), name);
  return model.weights.at(name).edit();
}

/// Whether the op normalises the residual stream (and not the heads of q or k, which no method touches).
inline bool is_stream_norm(const Op& op) { return op.kind == OpKind::kNorm && op.norm_size == 0; }

/// Whether norms stand in the residual stream (post-norm encoders), not beside it.
template <class T>
bool is_post_norm(const Model<T>& model) {
  for (const Op& op : model.ops) {
    if (op.kind != OpKind::kResidual) continue;
    for (const Op& norm : model.ops)
      if (is_stream_norm(norm) && norm.output == op.inputs[0]) return true;
  }
  return false;
}

/// Throws std::invalid_argument "<what> does not apply to post-norm models (<family>): <why>" for such a model.
template <class T>
void require_pre_norm(const Model<T>& model, const std::string& what, const std::string& why) {
  if (is_post_norm(model))
    throw std::invalid_argument(what + " does not apply to post-norm models (" + model.shape.family + "): " + why);
}

/// The linear layers that read a norm's output; in a pre-norm model no other kind of op does.
template <class T>
std::vector<Op*> layers_fed_by(Model<T>& model, const Op& norm) {
  std::vector<Op*> layers;
  for (Op& op : model.ops)
    for (const std::string& input : op.inputs)
      if (input == norm.output) {
        GUARDBIT_CHECK(op.kind == OpKind::kLinear, op.name + " reads a norm and is no linear layer");
        layers.push_back(&op);
      }
  return layers;
}

/// The linear layers whose results are added to the residual stream: o and down of every layer.
template <class T>
std::vector<Op*> layers_writing_the_stream(Model<T>& model) {
  std::vector<Op*> layers;
  for (int layer = 0; layer < model.shape.num_layers; ++layer)
    for (const char* const local : {"attn.o", "mlp.down"}) layers.push_back(&op_named(model, layer_op(layer, local)));
  return layers;
}

}  // namespace guardbit::calibration
