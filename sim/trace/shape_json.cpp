#include "sim/trace/shape_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>

#include "models/transformer/family.h"
#include "sim/base/error.h"
#include "sim/trace/trace_bundle.h"

namespace guardbit::sim {
namespace {

using transformer::ActivationKind;
using transformer::ModelShape;
using units::RopePairs;
using units::RopeScalingKind;

template <class Value>
struct Named {
  std::string_view name;
  Value value;
};
constexpr std::array kActivations = {
    Named<ActivationKind>{"gelu", ActivationKind::kGelu},
    Named<ActivationKind>{"gelu_tanh", ActivationKind::kGeluTanh},
    Named<ActivationKind>{"relu", ActivationKind::kRelu},
    Named<ActivationKind>{"silu", ActivationKind::kSilu},
};
constexpr std::array kRopePairs = {
    Named<RopePairs>{"neighbours", RopePairs::kNeighbours},
    Named<RopePairs>{"halves", RopePairs::kHalves},
};
constexpr std::array kRopeScalings = {
    Named<RopeScalingKind>{"linear", RopeScalingKind::kLinear},
    Named<RopeScalingKind>{"llama3", RopeScalingKind::kLlama3},
};

/// Switches that are false unless written.
struct Switch {
  std::string_view name;
  bool ModelShape::*member;
};
constexpr std::array kSwitches = {
    Switch{"qkv_bias", &ModelShape::qkv_bias},
    Switch{"attention_output_bias", &ModelShape::attention_output_bias},
    Switch{"mlp_bias", &ModelShape::mlp_bias},
    Switch{"qk_norm", &ModelShape::qk_norm},
};

template <class Rows>
std::string names_of(const Rows& rows) {
  std::string text;
  for (const auto& row : rows) text += (text.empty() ? "" : ", ") + std::string(row.name);
  return text;
}

template <class Value, std::size_t kCount>
Value read_named(const JsonCursor& cursor, const std::array<Named<Value>, kCount>& rows) {
  const std::string name = cursor.string();
  for (const auto& row : rows) {
    if (row.name == name) return row.value;
  }
  if (!name.empty()) cursor.expected("one of: " + names_of(rows));
  return {};
}

template <class Value, std::size_t kCount>
std::string_view name_of(Value value, const std::array<Named<Value>, kCount>& rows) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.value == value; });
  GUARDBIT_CHECK(found != rows.end(), "every enumerator has a name");
  return found->name;
}

units::RopeScaling read_rope_scaling(const JsonCursor& cursor) {
  units::RopeScaling scaling;
  scaling.kind = read_named(cursor.at("kind"), kRopeScalings);
  scaling.factor = cursor.at("factor").number_in(1, kMaxRopeFactor);
  if (scaling.kind != RopeScalingKind::kLlama3) {
    cursor.allow_only({"kind", "factor"});
    return scaling;
  }
  cursor.allow_only({"kind", "factor", "low_freq_factor", "high_freq_factor", "original_context"});
  scaling.low_freq_factor = cursor.at("low_freq_factor").number_in(kMinRopeBand, kMaxRopeFactor);
  const JsonCursor high = cursor.at("high_freq_factor");
  scaling.high_freq_factor = high.number_in(kMinRopeBand, kMaxRopeFactor);
  if (scaling.high_freq_factor <= scaling.low_freq_factor) high.expected("more than low_freq_factor");
  scaling.original_context = cursor.at("original_context").int_in(1, kMaxContextLength);
  return scaling;
}

void read_llama_options(const JsonCursor& cursor, ModelShape& shape) {
  if (const auto pairs = cursor.find("rope_pairs")) shape.rope_pairs = read_named(*pairs, kRopePairs);
  if (const auto scaling = cursor.find("rope_scaling")) shape.rope_scaling = read_rope_scaling(*scaling);
  for (const Switch& row : kSwitches) {
    if (const auto member = cursor.find(row.name)) shape.*row.member = member->boolean();
  }
}

}  // namespace

ModelShape read_shape(const JsonCursor& cursor) {
  ModelShape shape;
  const JsonCursor family = cursor.at("family");
  shape.family = family.string();
  if (!shape.family.empty() && transformer::find_family(shape.family) == nullptr) {
    family.expected("one of: " + names_of(transformer::families()));
  }
  const bool is_llama = shape.family == "llama";
  const bool is_bert = shape.family == "bert";
  std::vector<std::string_view> keys = {"family",         "hidden_size",  "num_layers",        "num_heads",
                                        "num_kv_heads",   "head_size",    "intermediate_size", "vocabulary_size",
                                        "context_length", "norm_epsilon", "rope_theta",        "activation",
                                        "tied_head"};
  if (is_llama) {
    keys.insert(keys.end(), {"rope_pairs", "rope_scaling"});
    for (const Switch& row : kSwitches) keys.push_back(row.name);
  }
  if (is_bert) keys.push_back("has_head");
  cursor.allow_only(keys);
  shape.hidden_size = cursor.at("hidden_size").int_in(1, kMaxHiddenSize);
  shape.num_layers = cursor.at("num_layers").int_in(1, kMaxLayers);
  shape.num_heads = cursor.at("num_heads").int_in(1, kMaxHeads);
  const JsonCursor num_kv_heads = cursor.at("num_kv_heads");
  shape.num_kv_heads = num_kv_heads.int_in(1, kMaxHeads);
  if (shape.num_heads % shape.num_kv_heads != 0) num_kv_heads.expected("a divisor of num_heads");
  shape.head_size = cursor.at("head_size").int_in(1, kMaxHeadSize);
  shape.intermediate_size = cursor.at("intermediate_size").int_in(1, kMaxIntermediateSize);
  shape.vocabulary_size = cursor.at("vocabulary_size").int_in(1, kMaxVocabularySize);
  shape.context_length = cursor.at("context_length").int_in(1, kMaxContextLength);
  shape.norm_epsilon = cursor.at("norm_epsilon").number_in(0, 1);
  shape.rope_theta = cursor.at("rope_theta").number_in(1, kMaxRopeTheta);
  shape.activation = read_named(cursor.at("activation"), kActivations);
  shape.tied_head = cursor.at("tied_head").boolean();
  if (is_llama) read_llama_options(cursor, shape);
  if (const auto has_head = cursor.find("has_head"); has_head && is_bert) shape.has_head = has_head->boolean();
  return shape;
}

nlohmann::ordered_json shape_json(const ModelShape& shape) {
  nlohmann::ordered_json json = {{"family", shape.family},
                                 {"hidden_size", shape.hidden_size},
                                 {"num_layers", shape.num_layers},
                                 {"num_heads", shape.num_heads},
                                 {"num_kv_heads", shape.num_kv_heads},
                                 {"head_size", shape.head_size},
                                 {"intermediate_size", shape.intermediate_size},
                                 {"vocabulary_size", shape.vocabulary_size},
                                 {"context_length", shape.context_length},
                                 {"norm_epsilon", shape.norm_epsilon},
                                 {"rope_theta", shape.rope_theta},
                                 {"activation", name_of(shape.activation, kActivations)},
                                 {"tied_head", shape.tied_head}};
  if (shape.rope_pairs != RopePairs::kNeighbours) json["rope_pairs"] = name_of(shape.rope_pairs, kRopePairs);
  const units::RopeScaling& scaling = shape.rope_scaling;
  if (scaling.kind != RopeScalingKind::kNone) {
    json["rope_scaling"] = {{"kind", name_of(scaling.kind, kRopeScalings)}, {"factor", scaling.factor}};
  }
  if (scaling.kind == RopeScalingKind::kLlama3) {
    json["rope_scaling"]["low_freq_factor"] = scaling.low_freq_factor;
    json["rope_scaling"]["high_freq_factor"] = scaling.high_freq_factor;
    json["rope_scaling"]["original_context"] = static_cast<int>(scaling.original_context);
  }
  for (const Switch& row : kSwitches) {
    if (shape.*row.member) json[std::string(row.name)] = true;
  }
  if (!shape.has_head) json["has_head"] = false;
  return json;
}

}  // namespace guardbit::sim
