#include "sim/replay/prepared_variant.h"

#include <utility>

#include "models/numerics/check.h"
#include "sim/schedule/window_scheduler.h"

namespace guardbit::sim {

using transformer::Op;
using transformer::OpKind;

namespace {

PreparedLinear prepare_linear(const numerics::Matrix<float>& weights, const units::MatrixMode& mode, bool reordered,
                              numerics::EventLedger& events, const numerics::ParallelFor& parallel_for) {
  PreparedLinear linear{.mode = mode, .num_outputs = weights.rows(), .weights = {}, .narrow = {}};
  if (units::NarrowOperand::fits(mode) && !reordered) {
    linear.narrow.emplace(weights.view(), mode, events, parallel_for);
    linear.weights.scales = linear.narrow->scales();
  } else {
    linear.weights = units::quantize_operand(weights.view(), mode, /*is_weight=*/true, events, parallel_for);
  }
  return linear;
}

}  // namespace

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
    variant.linears[index] = prepare_linear(variant.model.weights.at(op.weight), linear_mode(config, op),
                                            /*reordered=*/op.smooth, variant.weight_events, parallel_for);
  }
  if (has_rope) {
    variant.rope = units::make_rope_table(variant.model.shape.head_size, static_cast<int>(num_positions),
                                          variant.model.shape.rope_theta, variant.model.shape.rope_pairs,
                                          variant.model.shape.rope_scaling);
  }
  return variant;
}

}  // namespace guardbit::sim
