#include "sim/replay/prepared_variant.h"

#include <utility>

#include "models/numerics/check.h"
#include "models/units/affine_product.h"
#include "sim/schedule/window_scheduler.h"

namespace guardbit::sim {

using transformer::Op;
using transformer::OpKind;

const numerics::FloatSpec& PreparedVariant::storage_of(const Op& op) const {
  const std::string& format = storage_format(model, config, op);
  if (&format == &config.storage.residual) return residual;
  return &format == &config.storage.kv_cache ? kv_cache : activation;
}

PreparedVariant prepare_variant(std::string name, transformer::Model<float> model,
                                const units::AcceleratorConfig& config, std::size_t num_positions,
                                const numerics::ParallelFor& parallel_for) {
  PreparedVariant variant;
  variant.name = std::move(name);
  variant.model = std::move(model);
  variant.config = config;
  variant.residual = units::conversion_spec(config.storage.residual);
  variant.activation = units::conversion_spec(config.storage.activation);
  variant.kv_quantized = units::kv_cache_format(config.storage);
  if (!variant.kv_quantized) variant.kv_cache = units::conversion_spec(config.storage.kv_cache);
  variant.attention = units::make_matrix_mode(config.array, config.attention, config.attention_accumulator, 0);
  variant.norm.emplace(config.norm, variant.activation);
  variant.softmax.emplace(config.softmax, variant.activation);
  bool has_rope = false;
  for (std::size_t index = 0; index < variant.model.ops.size(); ++index) {
    const Op& op = variant.model.ops[index];
    if (variant.kv_quantized && is_cached(variant.model, op.output)) variant.quantized_tensors.insert(op.output);
    has_rope = has_rope || op.kind == OpKind::kRope;
    if (op.kind != OpKind::kLinear) continue;
    const units::MatrixMode mode = linear_mode(config, op);
    variant.linears[index] = {
        mode, op.codes.bits != 0
                  ? units::weight_operand(variant.model.quantized_weights.at(op.weight), mode, variant.weight_events)
                  : units::quantize_operand(variant.model.weights.at(op.weight).view(), mode, /*is_weight=*/true,
                                            variant.weight_events, parallel_for)};
  }
  variant.model.quantized_weights.clear();  // the array has its own copy
  if (has_rope) {
    variant.rope = units::make_rope_table(variant.model.shape.head_size, static_cast<int>(num_positions),
                                          variant.model.shape.rope_theta, variant.model.shape.rope_pairs,
                                          variant.model.shape.rope_scaling);
  }
  return variant;
}

}  // namespace guardbit::sim
