/// Hugging Face directories: config.json says what the model is, model.safetensors holds it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "sim/base/atomic_file.h"
#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/trace/import_formats.h"
#include "sim/trace/safetensors.h"
#include "sim/trace/strict_json.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using transformer::ActivationKind;
using transformer::ModelShape;

struct NamedActivation {
  std::string_view name;
  ActivationKind kind;
};
/// Names of transformers.activations.ACT2FN.
constexpr std::array kActivations = {
    NamedActivation{"gelu_new", ActivationKind::kGeluTanh},
    NamedActivation{"gelu_pytorch_tanh", ActivationKind::kGeluTanh},
    NamedActivation{"gelu", ActivationKind::kGelu},
    NamedActivation{"relu", ActivationKind::kRelu},
    NamedActivation{"silu", ActivationKind::kSilu},
    NamedActivation{"swish", ActivationKind::kSilu},
};

ActivationKind read_activation(const JsonCursor& config) {
  const auto member = config.find("activation_function");
  if (!member) return ActivationKind::kGeluTanh;  // GPT2Config's default, "gelu_new"
  const std::string name = member->string();
  std::vector<std::string_view> known;
  for (const NamedActivation& row : kActivations) {
    if (row.name == name) return row.kind;
    known.push_back(row.name);
  }
  member->expected(fmt::format("one of: {}", fmt::join(known, ", ")));
  return {};
}

/// Members that change the forward pass in ways this model family does not have.
void check_switches(const JsonCursor& config) {
  struct Switch {
    std::string_view key;
    bool supported;
  };
  constexpr std::array kSwitches = {Switch{"scale_attn_weights", true},
                                    Switch{"scale_attn_by_inverse_layer_idx", false},
                                    Switch{"add_cross_attention", false}};
  for (const Switch& row : kSwitches) {
    if (const auto member = config.find(row.key); member && member->boolean() != row.supported) {
      member->expected(row.supported ? "true; anything else is not implemented"
                                     : "false; anything else is not implemented");
    }
  }
}

ModelShape read_gpt2_shape(const JsonCursor& config) {
  ModelShape shape;
  shape.family = "gpt2";
  shape.hidden_size = config.at("n_embd").int_in(1, kMaxHiddenSize);
  shape.num_layers = config.at("n_layer").int_in(1, kMaxLayers);
  const JsonCursor num_heads = config.at("n_head");
  shape.num_heads = num_heads.int_in(1, kMaxHeads);
  shape.num_kv_heads = shape.num_heads;
  shape.head_size = shape.hidden_size / shape.num_heads;
  if (shape.head_size * shape.num_heads != shape.hidden_size || shape.head_size > kMaxHeadSize) {
    num_heads.expected(
        fmt::format("a divisor of n_embd ({}) with heads of at most {}", shape.hidden_size, kMaxHeadSize));
  }
  shape.context_length = config.at("n_positions").int_in(1, kMaxContextLength);
  shape.vocabulary_size = config.at("vocab_size").int_in(1, kMaxVocabularySize);
  constexpr int kDefaultMlpRatio = 4;
  const auto inner = config.find("n_inner");
  shape.intermediate_size = inner && inner->value().kind != JsonValue::Kind::kNull
                                ? inner->int_in(1, kMaxIntermediateSize)
                                : kDefaultMlpRatio * shape.hidden_size;
  const auto epsilon = config.find("layer_norm_epsilon");
  shape.norm_epsilon = epsilon ? epsilon->number_in(0, 1) : 1e-5;  // GPT2Config's default
  const auto tied = config.find("tie_word_embeddings");
  shape.tied_head = !tied || tied->boolean();
  shape.activation = read_activation(config);
  check_switches(config);
  return shape;
}

/// Refuses a checkpoint with layers that n_layer leaves out: it would silently become another model.
void check_layers(const SafetensorsFile& weights, const ModelShape& shape) {
  constexpr std::string_view kPrefix = "transformer.h.";
  for (const auto& [name, info] : weights.tensors()) {
    const std::size_t begin = name.find(kPrefix);
    if (begin == std::string::npos) continue;
    const int layer = std::atoi(name.c_str() + begin + kPrefix.size());
    if (layer < shape.num_layers) continue;
    throw UserError(ExitCode::kMalformedInput,
                    fmt::format("{}: got tensor {}; expected layers 0..{}, by n_layer in config.json",
                                weights.path().string(), name, shape.num_layers - 1));
  }
}

void copy_bytes(const fs::path& from, const fs::path& to) {
  constexpr std::uint64_t kPieceBytes = 1 << 20;
  const InputFile input(from);
  AtomicFile output(to);
  std::vector<char> piece(static_cast<std::size_t>(std::min(kPieceBytes, input.size())));
  for (std::uint64_t offset = 0; offset < input.size();) {
    const auto num_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), input.size() - offset));
    input.read_at(offset, piece.data(), num_bytes);
    output.write(piece.data(), num_bytes);
    offset += num_bytes;
  }
  output.commit();
}

}  // namespace

ImportedModel import_hugging_face(const fs::path& directory) {
  const fs::path config_file = directory / "config.json";
  const JsonValue root = parse_json(read_file(config_file), config_file);
  JsonProblems problems(config_file);
  const JsonCursor config(root, problems);
  const JsonCursor model_type = config.at("model_type");
  if (model_type.string() != "gpt2") {
    model_type.expected("\"gpt2\" (LLaMA models are read from llama2.c checkpoint files)");
    problems.throw_if_any();
  }
  ImportedModel imported;
  imported.shape = read_gpt2_shape(config);
  problems.throw_if_any();
  imported.name = fs::absolute(config_file).lexically_normal().parent_path().filename().string();
  const fs::path weights = directory / "model.safetensors";
  check_layers(SafetensorsFile(weights), imported.shape);  // reported before anything is written
  imported.sources = {config_file, weights};
  imported.write_weights = [weights](const fs::path& file) { copy_bytes(weights, file); };
  return imported;
}

}  // namespace guardbit::sim
