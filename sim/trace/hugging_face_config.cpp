#include "sim/trace/hugging_face_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "sim/trace/trace_bundle.h"

namespace guardbit::sim {
namespace {

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

/// A member that is there and not null.
std::optional<JsonCursor> find_value(const JsonCursor& config, std::string_view key) {
  auto member = config.find(key);
  if (member && member->value().kind == JsonValue::Kind::kNull) member.reset();
  return member;
}

bool boolean_or(const JsonCursor& config, std::string_view key, bool otherwise) {
  const auto member = find_value(config, key);
  return member ? member->boolean() : otherwise;
}

double number_or(const JsonCursor& config, std::string_view key, double low, double high, double otherwise) {
  const auto member = find_value(config, key);
  return member ? member->number_in(low, high) : otherwise;
}

ActivationKind read_activation(const JsonCursor& config, std::string_view key, ActivationKind otherwise) {
  const auto member = find_value(config, key);
  if (!member) return otherwise;
  const std::string name = member->string();
  std::vector<std::string_view> known;
  for (const NamedActivation& row : kActivations) {
    if (row.name == name) return row.kind;
    known.push_back(row.name);
  }
  member->expected(fmt::format("one of: {}", fmt::join(known, ", ")));
  return otherwise;
}

/// Members that may have one value only.
struct Switch {
  std::string_view key;
  bool supported;
};
void check_switches(const JsonCursor& config, std::initializer_list<Switch> switches) {
  for (const Switch& row : switches) {
    const auto member = find_value(config, row.key);
    if (!member || member->boolean() == row.supported) continue;
    member->expected(row.supported ? "true; anything else is not implemented"
                                   : "false; anything else is not implemented");
  }
}

/// The keys of one model type for what every type has.
struct SizeKeys {
  const char* hidden = "hidden_size";
  const char* layers = "num_hidden_layers";
  const char* heads = "num_attention_heads";
  const char* context = "max_position_embeddings";
};

/// Whether `value` is what the document says, and not the default for what was refused: that contradicts nothing.
bool is_accepted(const JsonCursor& cursor, int value) {
  return cursor.exists() && cursor.value().unsigned_value == static_cast<std::uint64_t>(value);
}

/// `head_size`: heads may have a size of their own, "head_dim"; without it they divide the hidden size.
ModelShape read_sizes(const JsonCursor& config, const char* family, const SizeKeys& keys = {},
                      std::optional<JsonCursor> head_size = {}) {
  ModelShape shape;
  shape.family = family;
  const JsonCursor hidden = config.at(keys.hidden);
  shape.hidden_size = hidden.int_in(1, kMaxHiddenSize);
  shape.num_layers = config.at(keys.layers).int_in(1, kMaxLayers);
  const JsonCursor heads = config.at(keys.heads);
  shape.num_heads = heads.int_in(1, kMaxHeads);
  shape.num_kv_heads = shape.num_heads;
  shape.head_size = shape.hidden_size / shape.num_heads;
  if (head_size) {
    shape.head_size = head_size->int_in(1, kMaxHeadSize);
  } else if (is_accepted(hidden, shape.hidden_size) && is_accepted(heads, shape.num_heads) &&
             (shape.head_size * shape.num_heads != shape.hidden_size || shape.head_size > kMaxHeadSize)) {
    heads.expected(
        fmt::format("a divisor of {} ({}) with heads of at most {}", keys.hidden, shape.hidden_size, kMaxHeadSize));
  }
  shape.context_length = config.at(keys.context).int_in(1, kMaxContextLength);
  shape.vocabulary_size = config.at("vocab_size").int_in(1, kMaxVocabularySize);
  return shape;
}

ModelShape read_gpt2(const JsonCursor& config) {
  ModelShape shape = read_sizes(config, "gpt2", {"n_embd", "n_layer", "n_head", "n_positions"});
  constexpr int kDefaultMlpRatio = 4;
  const auto inner = find_value(config, "n_inner");
  shape.intermediate_size = inner ? inner->int_in(1, kMaxIntermediateSize) : kDefaultMlpRatio * shape.hidden_size;
  shape.norm_epsilon = number_or(config, "layer_norm_epsilon", 0, 1, 1e-5);
  shape.tied_head = boolean_or(config, "tie_word_embeddings", true);
  shape.activation = read_activation(config, "activation_function", ActivationKind::kGeluTanh);
  check_switches(
      config,
      {{"scale_attn_weights", true}, {"scale_attn_by_inverse_layer_idx", false}, {"add_cross_attention", false}});
  return shape;
}

ModelShape read_opt(const JsonCursor& config) {
  ModelShape shape = read_sizes(config, "opt");
  shape.intermediate_size = config.at("ffn_dim").int_in(1, kMaxIntermediateSize);
  shape.tied_head = boolean_or(config, "tie_word_embeddings", true);
  shape.activation = read_activation(config, "activation_function", ActivationKind::kRelu);
  const auto projected = find_value(config, "word_embed_proj_dim");
  if (projected && projected->int_in(1, kMaxHiddenSize) != shape.hidden_size) {
    projected->expected(
        fmt::format("hidden_size ({}); projected word embeddings are not implemented", shape.hidden_size));
  }
  check_switches(config, {{"do_layer_norm_before", true},
                          {"enable_bias", true},
                          {"layer_norm_elementwise_affine", true},
                          {"_remove_final_layer_norm", false}});
  return shape;
}

ModelShape read_bert(const JsonCursor& config) {
  ModelShape shape = read_sizes(config, "bert");
  shape.intermediate_size = config.at("intermediate_size").int_in(1, kMaxIntermediateSize);
  shape.norm_epsilon = number_or(config, "layer_norm_eps", 0, 1, 1e-12);
  shape.tied_head = boolean_or(config, "tie_word_embeddings", true);
  shape.activation = read_activation(config, "hidden_act", ActivationKind::kGelu);
  const auto types = find_value(config, "type_vocab_size");
  if (types && types->int_in(1, kMaxVocabularySize) != 2) types->expected("2; other numbers are not implemented");
  const auto positions = find_value(config, "position_embedding_type");
  if (positions && positions->string() != "absolute") {
    positions->expected("\"absolute\"; relative positions are not implemented");
  }
  check_switches(config, {{"is_decoder", false}, {"add_cross_attention", false}});
  return shape;
}

/// The scaling of rotary frequencies, if `rope` asks for one.
void read_rope_scaling(const JsonCursor& rope, units::RopeScaling& scaling) {
  auto kind = find_value(rope, "rope_type");
  if (!kind) kind = rope.at("type");  // until 2024
  const std::string name = kind->string();
  if (name == "default") return;
  if (name != "linear" && name != "llama3") {
    kind->expected("one of: default, linear, llama3; other scalings are not implemented");
    return;
  }
  scaling.kind = units::RopeScalingKind::kLinear;
  scaling.factor = rope.at("factor").number_in(1, kMaxRopeFactor);
  if (name == "linear") return;
  scaling.kind = units::RopeScalingKind::kLlama3;
  scaling.low_freq_factor = rope.at("low_freq_factor").number_in(kMinRopeBand, kMaxRopeFactor);
  const JsonCursor high = rope.at("high_freq_factor");
  scaling.high_freq_factor = high.number_in(kMinRopeBand, kMaxRopeFactor);
  if (scaling.high_freq_factor <= scaling.low_freq_factor) high.expected("more than low_freq_factor");
  scaling.original_context = rope.at("original_max_position_embeddings").int_in(1, kMaxContextLength);
}

/// "rope_scaling" of older configurations, "rope_parameters" of newer ones, which also hold rope_theta.
void read_rope(const JsonCursor& config, ModelShape& shape) {
  shape.rope_pairs = units::RopePairs::kHalves;
  shape.rope_theta = number_or(config, "rope_theta", 1, kMaxRopeTheta, 10000);
  if (const auto share = find_value(config, "partial_rotary_factor"); share && share->number_in(0, 1) != 1) {
    share->expected("1; partly rotated heads are not implemented");
  }
  if (shape.head_size % 2 != 0) {
    config.at(find_value(config, "head_dim") ? "head_dim" : "num_attention_heads")
        .expected("heads of an even size; rotary positions work on pairs");
  }
  if (const auto parameters = find_value(config, "rope_parameters")) {
    shape.rope_theta = number_or(*parameters, "rope_theta", 1, kMaxRopeTheta, shape.rope_theta);
    read_rope_scaling(*parameters, shape.rope_scaling);
  } else if (const auto scaling = find_value(config, "rope_scaling")) {
    read_rope_scaling(*scaling, shape.rope_scaling);
  }
}

/// Tokens further back than the sliding window are not seen: a context that fits in it is the same model.
void limit_to_sliding_window(const JsonCursor& config, bool uses_window, ModelShape& shape) {
  if (const auto layers = find_value(config, "layer_types")) {
    for (const JsonCursor& layer : layers->items()) {
      const std::string kind = layer.string();
      if (kind != "full_attention" && kind != "sliding_attention") {
        layer.expected("\"full_attention\" or \"sliding_attention\"");
      }
      uses_window = uses_window || kind == "sliding_attention";
    }
  }
  const auto window = find_value(config, "sliding_window");
  if (window && uses_window) {
    shape.context_length = std::min(shape.context_length, window->int_in(1, kMaxContextLength));
  }
}

/// What LLaMA, Mistral, Qwen2 and Qwen3 share.
ModelShape read_llama_layout(const JsonCursor& config) {
  ModelShape shape = read_sizes(config, "llama", {}, find_value(config, "head_dim"));
  if (const auto kv_heads = find_value(config, "num_key_value_heads")) {
    shape.num_kv_heads = kv_heads->int_in(1, kMaxHeads);
    const auto heads = find_value(config, "num_attention_heads");
    if (heads && is_accepted(*heads, shape.num_heads) && shape.num_heads % shape.num_kv_heads != 0) {
      kv_heads->expected(fmt::format("a divisor of num_attention_heads ({})", shape.num_heads));
    }
  }
  shape.intermediate_size = config.at("intermediate_size").int_in(1, kMaxIntermediateSize);
  shape.norm_epsilon = number_or(config, "rms_norm_eps", 0, 1, 1e-6);
  shape.tied_head = boolean_or(config, "tie_word_embeddings", false);
  shape.activation = read_activation(config, "hidden_act", ActivationKind::kSilu);
  read_rope(config, shape);
  return shape;
}

ModelShape read_llama(const JsonCursor& config) {
  ModelShape shape = read_llama_layout(config);
  shape.qkv_bias = shape.attention_output_bias = boolean_or(config, "attention_bias", false);
  shape.mlp_bias = boolean_or(config, "mlp_bias", false);
  return shape;
}

ModelShape read_mistral(const JsonCursor& config) {
  ModelShape shape = read_llama_layout(config);
  (void)config.at("num_key_value_heads");  // its default is a number, whatever the number of heads
  limit_to_sliding_window(config, true, shape);
  return shape;
}

ModelShape read_qwen2(const JsonCursor& config) {
  ModelShape shape = read_llama_layout(config);
  (void)config.at("num_key_value_heads");
  shape.qkv_bias = true;
  limit_to_sliding_window(config, boolean_or(config, "use_sliding_window", false), shape);
  return shape;
}

ModelShape read_qwen3(const JsonCursor& config) {
  ModelShape shape = read_llama_layout(config);
  (void)config.at("num_key_value_heads");
  (void)config.at("head_dim");  // its default is 128, whatever the hidden size
  shape.qkv_bias = shape.attention_output_bias = boolean_or(config, "attention_bias", false);
  shape.qk_norm = true;
  limit_to_sliding_window(config, boolean_or(config, "use_sliding_window", false), shape);
  return shape;
}

struct Architecture {
  std::string_view model_type;
  ModelShape (*read)(const JsonCursor& config);
};
constexpr std::array kArchitectures = {
    Architecture{"bert", read_bert},       Architecture{"gpt2", read_gpt2}, Architecture{"llama", read_llama},
    Architecture{"mistral", read_mistral}, Architecture{"opt", read_opt},   Architecture{"qwen2", read_qwen2},
    Architecture{"qwen3", read_qwen3},
};

}  // namespace

ModelShape read_hugging_face_shape(const JsonCursor& config) {
  const JsonCursor model_type = config.at("model_type");
  const std::string name = model_type.string();
  std::vector<std::string_view> known;
  for (const Architecture& row : kArchitectures) {
    if (row.model_type == name) return row.read(config);
    known.push_back(row.model_type);
  }
  if (!name.empty()) model_type.expected(fmt::format("one of: {}", fmt::join(known, ", ")));
  return {};
}

}  // namespace guardbit::sim
