#pragma once
/// What a norm op asks of the norm unit.
#include <string>

#include "models/numerics/matrix.h"
#include "models/transformer/model.h"
#include "models/units/norm_unit.h"

namespace guardbit::sim {

/// Consecutive rows as the rows that the norm normalises: themselves, or their heads.
template <class T>
numerics::MatrixView<T> norm_rows(numerics::MatrixView<T> rows, const transformer::Op& op) {
  if (op.norm_size == 0) return rows;
  const auto size = static_cast<std::size_t>(op.norm_size);
  return {rows.data, rows.rows * (rows.cols / size), size, size, 1};
}

/// Spans into the model's weights.
inline units::NormParameters norm_parameters(const transformer::Model<float>& model, const transformer::Op& op) {
  const auto vector = [&model](const std::string& key) {
    return key.empty() ? std::span<const float>{} : std::span<const float>(model.weights.at(key).data());
  };
  return {.layer_norm = op.norm == transformer::NormKind::kLayerNorm,
          .gamma = vector(op.weight),
          .beta = vector(op.bias),
          .epsilon = op.epsilon,
          .input_scale = op.input_scale,
          .dynamic_scale = op.dynamic_input_scale};
}

}  // namespace guardbit::sim
