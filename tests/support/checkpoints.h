#pragma once
/// The checkpoints of ../shared as models, read by a reader of the tests' own (sim/trace's is another one), and their
/// expected fp64 results.
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "models/transformer/family.h"
#include "tests/support/shared_data.h"

namespace guardbit::tests {

inline constexpr const char* kKjvFolder = "models/kjv-gpt2";
inline constexpr const char* kStoriesFolder = "models/stories260k";

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot open " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

using TensorMap = std::map<std::string, numerics::Matrix<float>>;

inline transformer::TensorSource source_of(std::shared_ptr<const TensorMap> tensors) {
  return [tensors](const std::string& name, std::size_t rows, std::size_t cols) {
    const auto found = tensors->find(name);
    if (found == tensors->end()) throw std::runtime_error("no tensor " + name);
    if (found->second.rows() != rows || found->second.cols() != cols)
      throw std::runtime_error("tensor " + name + " has another shape");
    return found->second;
  };
}

/// Every tensor of an fp16 safetensors file, converted by the compiler's half-precision type.
inline TensorMap read_safetensors_fp16(const std::filesystem::path& path) {
  __extension__ using Half = _Float16;
  const std::string bytes = read_bytes(path);
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  const nlohmann::json header = nlohmann::json::parse(bytes.substr(sizeof header_bytes, header_bytes));
  TensorMap tensors;
  for (const auto& [name, entry] : header.items()) {
    if (entry.at("dtype") != "F16") throw std::runtime_error(name + " is not F16");
    const std::vector<std::size_t> shape = entry.at("shape");
    numerics::Matrix<float> matrix(shape.size() == 2 ? shape[0] : 1, shape.back());
    const std::size_t begin = sizeof header_bytes + header_bytes + entry.at("data_offsets").at(0).get<std::size_t>();
    for (std::size_t i = 0; i < matrix.data().size(); ++i) {
      Half half;
      std::memcpy(&half, bytes.data() + begin + i * sizeof half, sizeof half);
      matrix.data()[i] = static_cast<float>(half);
    }
    tensors.emplace(name, std::move(matrix));
  }
  return tensors;
}

inline transformer::Model<float> load_kjv_gpt2() {
  transformer::ModelShape shape;
  shape.family = "gpt2";
  shape.hidden_size = 256;
  shape.num_layers = 4;
  shape.num_heads = shape.num_kv_heads = 4;
  shape.head_size = 64;
  shape.intermediate_size = 1024;
  shape.vocabulary_size = 256;
  shape.context_length = 256;
  const auto path = shared_path(kKjvFolder) / "model.safetensors";
  return transformer::find_family("gpt2")->build(
      shape, source_of(std::make_shared<const TensorMap>(read_safetensors_fp16(path))));
}

/// stories260K in llama2.c's layout (../shared/README.md), under Hugging Face's names.
inline transformer::Model<float> load_stories260k() {
  const std::string bytes = read_bytes(shared_path(kStoriesFolder) / "stories260K.bin");
  std::array<std::int32_t, 7> sizes{};
  std::memcpy(sizes.data(), bytes.data(), sizeof sizes);
  transformer::ModelShape shape;
  shape.family = "llama";
  shape.hidden_size = sizes[0];
  shape.intermediate_size = sizes[1];
  shape.num_layers = sizes[2];
  shape.num_heads = sizes[3];
  shape.num_kv_heads = sizes[4];
  shape.vocabulary_size = sizes[5];
  shape.context_length = sizes[6];
  shape.head_size = shape.hidden_size / shape.num_heads;
  shape.activation = transformer::ActivationKind::kSilu;

  auto tensors = std::make_shared<TensorMap>();
  std::size_t offset = sizeof sizes;
  const auto take = [&](const std::string& name, int rows, int cols) {
    numerics::Matrix<float> matrix(static_cast<std::size_t>(rows), static_cast<std::size_t>(cols));
    std::memcpy(matrix.data().data(), bytes.data() + offset, matrix.data().size() * sizeof(float));
    offset += matrix.data().size() * sizeof(float);
    tensors->emplace(name, std::move(matrix));
  };
  const auto take_layers = [&](const std::string& name, int rows, int cols) {
    for (int layer = 0; layer < shape.num_layers; ++layer)
      take("model.layers." + std::to_string(layer) + "." + name + ".weight", rows, cols);
  };
  const int hidden = shape.hidden_size;
  const int kv_width = shape.num_kv_heads * shape.head_size;
  take("model.embed_tokens.weight", shape.vocabulary_size, hidden);
  take_layers("input_layernorm", 1, hidden);
  take_layers("self_attn.q_proj", hidden, hidden);
  take_layers("self_attn.k_proj", kv_width, hidden);
  take_layers("self_attn.v_proj", kv_width, hidden);
  take_layers("self_attn.o_proj", hidden, hidden);
  take_layers("post_attention_layernorm", 1, hidden);
  take_layers("mlp.gate_proj", shape.intermediate_size, hidden);
  take_layers("mlp.down_proj", hidden, shape.intermediate_size);
  take_layers("mlp.up_proj", shape.intermediate_size, hidden);
  take("model.norm.weight", 1, hidden);
  return transformer::find_family("llama")->build(shape, source_of(tensors));
}

/// One window of a reference_fp64.json. The last token is a target only.
struct ReferenceWindow {
  std::vector<int> tokens;
  double nll_sum = 0;
  int top1_last = 0;
  std::vector<double> logits_last_first8;
};

inline std::vector<ReferenceWindow> load_reference(const std::string& folder, const std::string& list) {
  const nlohmann::json file = nlohmann::json::parse(read_bytes(shared_path(folder) / "reference_fp64.json"));
  std::vector<ReferenceWindow> windows;
  for (const auto& entry : file.at(list))
    windows.push_back({entry.at("tokens"), entry.at("nll_sum"), entry.at("top1_last"), entry.at("logits_last_first8")});
  return windows;
}

}  // namespace guardbit::tests
