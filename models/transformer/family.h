#pragma once
/// Model families: from a shape and a checkpoint's named tensors to a Model. Adding a family = one .cpp and one row in
/// family_registry.cpp.
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
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
  bool causal = true;  ///< false: an encoder, whose tokens see each other; it predicts no next token
  /// Checkpoints of the inner model lack this beginning of their tensors' names.
  std::string_view optional_prefix;
  /// Parts of names of tensors that checkpoints hold and the forward pass does not use.
  std::span<const std::string_view> unused_tensors;
  std::string_view head_weight;  ///< may be stored although the head is tied to the token embedding
};

/// All families, sorted by name, tensors under Hugging Face's names: "bert" (bert.encoder.layer.N....), "gpt2"
/// (transformer.h.N...., Conv1D (in, out) layout, transposed here to (out, in), c_attn split into q, k, v), "llama"
/// (model.layers.N.self_attn.q_proj.weight ..., (out, in)) and "opt" (model.decoder.layers.N....).
///
/// Op names, N = layer: "embed"; "layers.N.attn_norm", "layers.N.attn.q|k|v", "layers.N.attn.q_norm|k_norm" (llama with
/// qk_norm), "layers.N.attn.rope_q|rope_k" (llama), "layers.N.attn.scores|softmax|values|o", "layers.N.attn_residual",
/// "layers.N.mlp_norm", "layers.N.mlp.gate" (llama), "layers.N.mlp.up", "layers.N.mlp.act" (kActivation or kGate),
/// "layers.N.mlp.down", "layers.N.mlp_residual"; "final_norm"; "head". bert has "embed_norm" behind "embed", its
/// attn_norm and mlp_norm stand behind the residual additions, and instead of final_norm "head.dense", "head.act",
/// "head.norm". An op's output tensor has the op's name. Weight keys: op name + ".weight" / ".bias"; embed:
/// "embed.tokens", "embed.positions". The head always has a weight of its own key "head.weight" (a copy of the table
/// when tied, which shares its elements), so that rewriting one leaves the other alone.
std::span<const Family> families();
const Family* find_family(std::string_view name);
/// False for an encoder; the shape's family exists.
bool is_causal(const ModelShape& shape);

template <class To, class From>
Model<To> convert(const Model<From>& model);

}  // namespace guardbit::transformer
