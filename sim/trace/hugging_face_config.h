#pragma once
/// config.json of a Hugging Face directory: which model it describes. Keys that do not change the forward pass are not
/// looked at; values that would change it in ways that are not implemented are problems.
#include "models/transformer/model.h"
#include "sim/trace/strict_json.h"

namespace guardbit::sim {

/// The shape by "model_type": bert, gpt2, llama, mistral, opt, qwen2, qwen3. Reports every problem with file and JSON
/// pointer into the cursor's problems; the shape is usable only if there was none. A sliding attention window below the
/// model's context limits the context, because windows that fit in it never notice it.
/// has_head of an encoder is left for whoever sees the checkpoint's tensors.
[[nodiscard]] transformer::ModelShape read_hugging_face_shape(const JsonCursor& config);

}  // namespace guardbit::sim
