#pragma once
/// Small random models for identity tests: every tensor is a function of its name and a seed, so that a test's own
/// implementation can ask for the same tensors by the checkpoint's names.
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "models/transformer/family.h"

namespace guardbit::tests {

/// Gammas around 1, biases and betas to 0.3, tables to 1, matrices to sqrt(3 / fan-in): nothing is negligible.
inline transformer::TensorSource random_tensors(std::uint64_t seed) {
  return [seed](const std::string& name, std::size_t rows, std::size_t cols) {
    std::uint64_t name_hash = 1469598103934665603u;  // FNV-1a: the same tensors with every standard library
    for (const char c : name) name_hash = (name_hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    std::mt19937_64 engine(name_hash + seed);
    const bool is_bias = name.ends_with(".bias");
    const bool is_gamma = rows == 1 && !is_bias;
    const bool is_table = name.ends_with("wte.weight") || name.ends_with("wpe.weight") ||
                          name.ends_with("embed_tokens.weight") || name.ends_with("embed_positions.weight") ||
                          name.ends_with("_embeddings.weight");
    const double range = is_bias ? 0.3 : is_gamma ? 0.5 : is_table ? 1.0 : std::sqrt(3.0 / static_cast<double>(cols));
    numerics::Matrix<float> matrix(rows, cols);
    for (float& value : matrix.data()) {
      const double unit = static_cast<double>(engine() >> 11) * 0x1p-52 - 1.0;  // uniform in [-1, 1)
      value = static_cast<float>((is_gamma ? 1.0 : 0.0) + range * unit);
    }
    return matrix;
  };
}

struct RandomModel {
  std::string label;  ///< for failure output
  transformer::ModelShape shape;
  std::uint64_t seed = 0;

  transformer::TensorSource tensors() const { return random_tensors(seed); }
  transformer::Model<float> build() const { return transformer::find_family(shape.family)->build(shape, tensors()); }
};

inline transformer::ModelShape make_shape(const std::string& family, int hidden, int heads, int kv_heads, int head_size,
                                          int intermediate) {
  transformer::ModelShape shape;
  shape.family = family;
  shape.hidden_size = hidden;
  shape.num_layers = 2;
  shape.num_heads = heads;
  shape.num_kv_heads = kv_heads;
  shape.head_size = head_size;
  shape.intermediate_size = intermediate;
  shape.vocabulary_size = 23;
  shape.context_length = 12;
  shape.activation = family == "gpt2"   ? transformer::ActivationKind::kGeluTanh
                     : family == "bert" ? transformer::ActivationKind::kGelu
                     : family == "opt"  ? transformer::ActivationKind::kRelu
                                        : transformer::ActivationKind::kSilu;
  return shape;
}

/// All decoder families, with and without grouped-query attention, biases, norms of heads and scaled positions, tied
/// and untied heads, sizes that are no powers of two.
inline std::vector<RandomModel> random_models() {
  std::vector<RandomModel> models = {
      {"gpt2", make_shape("gpt2", 32, 4, 4, 8, 64), 11},
      {"gpt2 relu, heads wider than hidden, untied", make_shape("gpt2", 24, 4, 4, 8, 48), 12},
      {"gpt2 erf gelu, odd sizes", make_shape("gpt2", 20, 3, 3, 4, 28), 13},
      {"llama", make_shape("llama", 32, 4, 4, 8, 64), 14},
      {"llama grouped-query, intermediate 172", make_shape("llama", 16, 8, 4, 4, 172), 15},
      {"llama multi-query, untied", make_shape("llama", 24, 2, 1, 12, 40), 16},
      {"opt", make_shape("opt", 32, 4, 4, 8, 64), 17},
      {"llama in halves, llama3 positions (LLaMA-3)", make_shape("llama", 32, 4, 2, 8, 40), 18},
      {"llama in halves, biases, linear positions (Qwen2)", make_shape("llama", 24, 3, 1, 8, 40), 19},
      {"llama in halves, norms of heads, all biases (Qwen3)", make_shape("llama", 16, 4, 2, 8, 24), 20},
  };
  models[1].shape.activation = transformer::ActivationKind::kRelu;
  models[1].shape.tied_head = false;
  models[2].shape.activation = transformer::ActivationKind::kGelu;
  models[5].shape.tied_head = false;
  for (std::size_t i = 7; i < models.size(); ++i) models[i].shape.rope_pairs = units::RopePairs::kHalves;
  // Of head size 8 with theta 100: wavelengths 6.3, 20, 63, 199 on both sides of 40 / 4 and 40 / 1.
  models[7].shape.rope_theta = 100;
  models[7].shape.rope_scaling = {units::RopeScalingKind::kLlama3, 8, 1, 4, 40};
  models[8].shape.rope_scaling = {units::RopeScalingKind::kLinear, 4};
  models[8].shape.qkv_bias = true;
  models[9].shape.qkv_bias = models[9].shape.attention_output_bias = models[9].shape.mlp_bias = true;
  models[9].shape.qk_norm = true;
  models[9].shape.norm_epsilon = 1e-2;  // seen in every head
  return models;
}

/// Post-norm encoders, to which some methods do not apply.
inline std::vector<RandomModel> random_encoders() {
  std::vector<RandomModel> models = {
      {"bert with head", make_shape("bert", 32, 4, 4, 8, 64), 31},
      {"bert with an untied head", make_shape("bert", 24, 3, 3, 8, 40), 32},
      {"bert without head", make_shape("bert", 32, 2, 2, 16, 48), 33},
  };
  models[1].shape.tied_head = false;
  models[2].shape.has_head = false;
  return models;
}

/// Decoders, then encoders.
inline std::vector<RandomModel> all_random_models() {
  std::vector<RandomModel> models = random_models();
  for (RandomModel& model : random_encoders()) models.push_back(std::move(model));
  return models;
}

/// A window over the whole context.
inline std::vector<int> random_tokens(const transformer::ModelShape& shape, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::vector<int> tokens(static_cast<std::size_t>(shape.context_length));
  for (int& token : tokens) token = static_cast<int>(engine() % static_cast<std::uint64_t>(shape.vocabulary_size));
  return tokens;
}

/// max |a - b| / max |b|.
template <class T>
double relative_difference(const numerics::Matrix<T>& a, const numerics::Matrix<T>& b) {
  double largest_difference = 0;
  double largest = 0;
  for (std::size_t i = 0; i < b.data().size(); ++i) {
    const double difference = std::abs(static_cast<double>(a.data().at(i)) - static_cast<double>(b.data()[i]));
    if (!(difference <= largest_difference)) largest_difference = difference;  // also when it is a NaN
    largest = std::max(largest, std::abs(static_cast<double>(b.data()[i])));
  }
  return largest_difference / largest;
}

}  // namespace guardbit::tests
