#pragma once
/// Model families: from a shape and a checkpoint's named tensors to a Model. Adding a family = one .cpp and one row in
/// family_registry.cpp.
#include <functional>
#include <span>
#include <stdexcept>
#include <string_view>

#include "models/transformer/model.h"

namespace guardbit::transformer {

/// Source of checkpoint tensors by their own names, as float: shape as stored, vectors as (1, n).
/// Outlines (Matrix::outline) give a model of outlines. Throws (the source's own error type) if the tensor is missing
/// or has another shape than expected (rows, cols).
using TensorSource = std::function<Matrix<float>(const std::string& name, std::size_t rows, std::size_t cols)>;

struct Family {
  std::string_view name;
  std::string_view summary;  ///< one line, for `guardbit list` and errors
  Model<float> (*build)(const ModelShape& shape, const TensorSource& tensors);
};

/// All families, sorted by name: "gpt2" (Hugging Face names transformer.h.N...., Conv1D (in, out) layout, transposed
/// here to (out, in), c_attn split into q, k, v) and "llama" (Hugging Face names model.layers.N.self_attn.q_proj.weight
/// ..., (out, in); rotary pairs interleaved as in llama2.c).
///
/// Op names, both families, N = layer: "embed"; "layers.N.attn_norm", "layers.N.attn.q|k|v",
/// "layers.N.attn.rope_q|rope_k" (llama), "layers.N.attn.scores|softmax|values|o", "layers.N.attn_residual",
/// "layers.N.mlp_norm", "layers.N.mlp.gate" (llama), "layers.N.mlp.up", "layers.N.mlp.act" (kActivation or kGate),
/// "layers.N.mlp.down", "layers.N.mlp_residual"; "final_norm"; "head". An op's output tensor has the op's name. Weight
/// keys: op name +
/// ".weight" / ".bias"; embed: "embed.tokens", "embed.positions". The head always has a weight of its own key
/// "head.weight" (a copy of the table when tied), so that rewriting one leaves the other alone.
std::span<const Family> families();
const Family* find_family(std::string_view name);

template <class To, class From>
Model<To> convert(const Model<From>& model);

}  // namespace guardbit::transformer
