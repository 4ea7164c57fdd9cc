#include <array>

#include "models/transformer/family.h"

namespace guardbit::transformer {

Model<float> build_bert(const ModelShape& shape, const TensorSource& tensors);
Model<float> build_gpt2(const ModelShape& shape, const TensorSource& tensors);
Model<float> build_llama(const ModelShape& shape, const TensorSource& tensors);
Model<float> build_opt(const ModelShape& shape, const TensorSource& tensors);

namespace {

constexpr std::array<std::string_view, 5> kBertUnused = {"bert.pooler.", "cls.seq_relationship.",
                                                         "embeddings.position_ids", "cls.predictions.decoder.bias",
                                                         "embeddings.token_type_ids"};
constexpr std::array<std::string_view, 2> kGpt2Unused = {".attn.bias", ".attn.masked_bias"};
constexpr std::array<std::string_view, 1> kLlamaUnused = {".rotary_emb.inv_freq"};

constexpr std::array kFamilies = {
    Family{"bert", "BERT encoder: post-norm LayerNorm, learned positions, activation MLP, biases, no causal mask",
           build_bert, /*causal=*/false, "bert.", kBertUnused, "cls.predictions.decoder.weight"},
    Family{"gpt2", "GPT-2: LayerNorm, learned positions, activation MLP, biases", build_gpt2, /*causal=*/true,
           "transformer.", kGpt2Unused, "lm_head.weight"},
    Family{"llama", "LLaMA, Mistral, Qwen2, Qwen3: RMSNorm, rotary positions, grouped-query attention, gated MLP",
           build_llama, /*causal=*/true, "model.", kLlamaUnused, "lm_head.weight"},
    Family{"opt",
           "OPT: LayerNorm, learned positions, ReLU MLP, biases",
           build_opt,
           /*causal=*/true,
           "model.",
           {},
           "lm_head.weight"},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family* find_family(std::string_view name) {
  for (const Family& family : kFamilies)
    if (family.name == name) return &family;
  return nullptr;
}

bool is_causal(const ModelShape& shape) {
  const Family* const family = find_family(shape.family);
  GUARDBIT_CHECK(family != nullptr, "a model's family is in the registry");
  return family->causal;
}

template <class To, class From>
Model<To> convert(const Model<From>& model) {
  Model<To> result{model.shape, model.ops, {}, model.quantized_weights};
  for (const auto& [name, matrix] : model.weights) {
    std::vector<To> data(matrix.data().begin(), matrix.data().end());
    result.weights.emplace(name, Matrix<To>(matrix.rows(), matrix.cols(), std::move(data)));
  }
  return result;
}

template Model<float> convert<float, float>(const Model<float>&);
template Model<double> convert<double, float>(const Model<float>&);
template Model<float> convert<float, double>(const Model<double>&);
template Model<double> convert<double, double>(const Model<double>&);

}  // namespace guardbit::transformer
