#pragma once
/// Random models of random_models.h as Hugging Face directories: config.json and safetensors, written here without the
/// project's own writers.
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/random_models.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::tests {

/// One tensor as it goes to a file: float32 values.
struct PlainTensor {
  std::vector<std::size_t> shape;
  std::vector<float> values;
};
using PlainTensors = std::map<std::string, PlainTensor>;

enum class StoredAs { kF32, kF16, kBf16 };

/// A value near by that the stored type holds: the upper bits of the significand, and no subnormal of binary16.
inline float shortened(float value, StoredAs type) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  if (type == StoredAs::kBf16) bits &= 0xFFFF0000U;
  if (type == StoredAs::kF16) bits = std::fabs(value) < 0x1p-14F ? 0 : bits & 0xFFFFE000U;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

inline std::string safetensors_bytes(const PlainTensors& tensors, StoredAs type = StoredAs::kF32) {
  __extension__ using Half = _Float16;
  nlohmann::json header;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t begin = data.size();
    for (const float value : tensor.values) {
      char bytes[4];
      std::memcpy(bytes, &value, 4);
      const Half half = static_cast<Half>(value);
      if (type == StoredAs::kF32) data.append(bytes, 4);
      if (type == StoredAs::kBf16) data.append(bytes + 2, 2);
      if (type == StoredAs::kF16) data.append(reinterpret_cast<const char*>(&half), 2);
    }
    header[name] = {{"dtype", type == StoredAs::kF32   ? "F32"
                              : type == StoredAs::kF16 ? "F16"
                                                       : "BF16"},
                    {"shape", tensor.shape},
                    {"data_offsets", {begin, data.size()}}};
  }
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + data;
}

/// The tensors that the model's builder asks for, shortened to what `type` holds.
inline PlainTensors checkpoint_tensors(const RandomModel& random, StoredAs type = StoredAs::kF32) {
  PlainTensors tensors;
  const transformer::TensorSource source = random.tensors();
  (void)transformer::find_family(random.shape.family)
      ->build(random.shape, [&](const std::string& name, std::size_t rows, std::size_t cols) {
        numerics::Matrix<float> values = source(name, rows, cols);
        for (float& value : values.data()) value = shortened(value, type);
        std::vector<std::size_t> shape = {rows, cols};
        if (rows == 1) shape = {cols};
        tensors[name] = {shape, values.data()};
        return values;
      });
  return tensors;
}

/// config.json as Hugging Face writes it for such a model.
inline nlohmann::json hugging_face_config(const transformer::ModelShape& shape, const std::string& model_type) {
  const char* const activation = shape.activation == transformer::ActivationKind::kGeluTanh ? "gelu_new"
                                 : shape.activation == transformer::ActivationKind::kGelu   ? "gelu"
                                 : shape.activation == transformer::ActivationKind::kSilu   ? "silu"
                                                                                            : "relu";
  nlohmann::json config = {{"model_type", model_type},
                           {"architectures", {"Any"}},
                           {"vocab_size", shape.vocabulary_size},
                           {"tie_word_embeddings", shape.tied_head}};
  if (model_type == "gpt2") {
    config.update({{"n_embd", shape.hidden_size},
                   {"n_layer", shape.num_layers},
                   {"n_head", shape.num_heads},
                   {"n_inner", shape.intermediate_size},
                   {"n_positions", shape.context_length},
                   {"layer_norm_epsilon", shape.norm_epsilon},
                   {"activation_function", activation}});
    return config;
  }
  config.update({{"hidden_size", shape.hidden_size},
                 {"num_hidden_layers", shape.num_layers},
                 {"num_attention_heads", shape.num_heads},
                 {"max_position_embeddings", shape.context_length}});
  if (model_type == "opt") {
    config.update({{"ffn_dim", shape.intermediate_size},
                   {"activation_function", activation},
                   {"do_layer_norm_before", true},
                   {"word_embed_proj_dim", shape.hidden_size}});
    return config;
  }
  config.update({{"intermediate_size", shape.intermediate_size}, {"hidden_act", activation}});
  if (model_type == "bert") {
    config.update({{"layer_norm_eps", shape.norm_epsilon}, {"type_vocab_size", 2}});
    return config;
  }
  config.update({{"num_key_value_heads", shape.num_kv_heads},
                 {"head_dim", shape.head_size},
                 {"rms_norm_eps", shape.norm_epsilon},
                 {"rope_theta", shape.rope_theta}});
  const units::RopeScaling& scaling = shape.rope_scaling;
  if (scaling.kind == units::RopeScalingKind::kLinear)
    config["rope_scaling"] = {{"type", "linear"}, {"factor", scaling.factor}};
  if (scaling.kind == units::RopeScalingKind::kLlama3)
    config["rope_scaling"] = {{"rope_type", "llama3"},
                              {"factor", scaling.factor},
                              {"low_freq_factor", scaling.low_freq_factor},
                              {"high_freq_factor", scaling.high_freq_factor},
                              {"original_max_position_embeddings", static_cast<int>(scaling.original_context)}};
  if (shape.attention_output_bias) config["attention_bias"] = true;
  if (shape.mlp_bias) config["mlp_bias"] = true;
  return config;
}

struct HuggingFaceModel {
  std::string model_type;
  RandomModel random;
};

/// One model of every architecture that is read.
inline std::vector<HuggingFaceModel> hugging_face_models() {
  std::vector<RandomModel> decoders = random_models();
  std::vector<RandomModel> encoders = random_encoders();
  for (RandomModel& model : decoders) {
    if (model.shape.family == "llama") model.shape.rope_pairs = units::RopePairs::kHalves;
  }
  decoders[3].shape.attention_output_bias = decoders[3].shape.qkv_bias = decoders[3].shape.mlp_bias = true;
  decoders[9].shape.mlp_bias = false;  // Qwen3 has none
  return {{"gpt2", decoders[0]},    {"opt", decoders[6]},   {"llama", decoders[3]}, {"llama", decoders[7]},
          {"mistral", decoders[5]}, {"qwen2", decoders[8]}, {"qwen3", decoders[9]}, {"bert", encoders[0]},
          {"bert", encoders[1]},    {"bert", encoders[2]}};
}

/// Writes the model into `directory`/`name` as one file.
inline std::filesystem::path write_hugging_face(const TemporaryDirectory& directory, const std::string& name,
                                                const HuggingFaceModel& model, StoredAs type = StoredAs::kF32) {
  directory.write(name + "/config.json", hugging_face_config(model.random.shape, model.model_type).dump());
  directory.write(name + "/model.safetensors", safetensors_bytes(checkpoint_tensors(model.random, type), type));
  return directory / name;
}

}  // namespace guardbit::tests
