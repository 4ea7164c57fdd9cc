#include <array>

#include "models/transformer/family.h"

namespace guardbit::transformer {

Model<float> build_gpt2(const ModelShape& shape, const TensorSource& tensors);
Model<float> build_llama(const ModelShape& shape, const TensorSource& tensors);

namespace {

constexpr std::array kFamilies = {
    Family{"gpt2", "GPT-2: LayerNorm, learned positions, activation MLP, biases (Hugging Face names)", build_gpt2},
    Family{"llama", "LLaMA: RMSNorm, rotary positions (interleaved pairs), grouped-query attention, gated MLP",
           build_llama},
};

}  // namespace

std::span<const Family> families() { return kFamilies; }

const Family* find_family(std::string_view name) {
  for (const Family& family : kFamilies)
    if (family.name == name) return &family;
  return nullptr;
}

template <class To, class From>
Model<To> convert(const Model<From>& model) {
  Model<To> result{model.shape, model.ops, {}};
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
