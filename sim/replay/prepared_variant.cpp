#include "sim/replay/prepared_variant.h"

#include <utility>

#include "models/numerics/check.h"
#include "models/units/affine_product.h"
#include "sim/schedule/window_scheduler.h"

namespace guardbit::sim {

using numerics::Matrix;
using transformer::Op;
using transformer::OpKind;

namespace {

PreparedLinear prepare_linear(const transformer::Model<float>& model, const Op& op, const units::MatrixMode& mode,
                              numerics::EventLedger& all_events, const numerics::ParallelFor& parallel_for) {
  const numerics::Matrix<float>& weights = model.weights.at(op.weight);
  PreparedLinear linear{.mode = mode,
                        .num_outputs = weights.rows(),
                        .weights = {},
                        .narrow = {},
                        .quantized_weights = {},
                        .static_range = {}};
  numerics::EventLedger events;
  const bool reordered = op.smooth;
  if (op.codes.bits != 0) {
    linear.weights = units::weight_operand(model.quantized_weights.at(op.weight), mode, events);
  } else if (units::NarrowOperand::fits(mode) && !reordered) {
    linear.narrow.emplace(weights.view(), mode, events, parallel_for);
    linear.weights.scales = linear.narrow->scales();
  } else {
    linear.weights = units::quantize_operand(weights.view(), mode, /*is_weight=*/true, events, parallel_for);
  }
  all_events += events;
  if (mode.integer || mode.dynamic_scale) {
    const numerics::EventCounts& counts = events[numerics::Stage::kQuantizer];
    linear.quantized_weights = QuantizerCounts{.values = weights.rows() * weights.cols(),
                                               .clipped = counts[numerics::Event::kClipped],
                                               .zeroed = counts[numerics::Event::kZeroed]};
  }
  return linear;
}

void set_static_range(const units::ValueRange& range, PreparedLinear& linear) {
  linear.static_range = range;
  units::fold_static_range(range, linear.mode, linear.weights);
}

}  // namespace

const numerics::FloatSpec& PreparedVariant::storage_of(const Op& op) const {
  const std::string& format = storage_format(model, config, op);
  if (&format == &config.storage.residual) return residual;
  return &format == &config.storage.kv_cache ? kv_cache : activation;
}

PreparedVariant prepare_variant(std::string name, transformer::Model<float> model,
                                const units::AcceleratorConfig& config, std::size_t num_positions,
                                const calibration::ActivationRanges& ranges, const numerics::ParallelFor& parallel_for,
                                const std::function<void(std::size_t done, std::size_t total)>& progress) {
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
    if (progress) progress(index, variant.model.ops.size());
    if (op.kind != OpKind::kLinear) continue;
    variant.linears[index] =
        prepare_linear(variant.model, op, linear_mode(config, op), variant.weight_events, parallel_for);
    if (has_static_scale(config, op)) set_static_range(ranges.at(index), variant.linears[index]);
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
