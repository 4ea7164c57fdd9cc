#include "sim/schedule/scheduler.h"

#include <algorithm>
#include <cmath>

#include "models/numerics/check.h"
#include "models/units/quantized_weight.h"
#include "sim/schedule/window_scheduler.h"

namespace guardbit::sim {
namespace {

using transformer::Op;
using transformer::OperandClass;
using transformer::OpKind;

bool is_power_of_two(double value) {
  int exponent = 0;
  return std::frexp(value, &exponent) == 0.5;
}

}  // namespace

bool is_cached(const transformer::Model<float>& model, const std::string& tensor) {
  for (const Op& op : model.ops) {
    if ((op.kind == OpKind::kScores || op.kind == OpKind::kValues) && op.inputs[1] == tensor) return true;
  }
  return false;
}

const units::OperandConfig& operand_config(const units::AcceleratorConfig& config, OperandClass kind) {
  switch (kind) {
    case OperandClass::kLinear: return config.linear;
    case OperandClass::kAttention: return config.attention;
    case OperandClass::kHead: return config.head;
  }
  fail_check(__FILE__, __LINE__, "operand class", "unknown enumerator");
}

const units::AccumulatorConfig& accumulator_config(const units::AcceleratorConfig& config, OperandClass kind) {
  switch (kind) {
    case OperandClass::kLinear: return config.accumulator;
    case OperandClass::kAttention: return config.attention_accumulator;
    case OperandClass::kHead: return config.head_accumulator;
  }
  fail_check(__FILE__, __LINE__, "operand class", "unknown enumerator");
}

units::MatrixMode linear_groups(const units::AcceleratorConfig& config, const Op& op) {
  units::MatrixMode mode;
  const bool is_layer = op.operand_class == OperandClass::kLinear;
  mode.integer = numerics::parse_int_format(operand_config(config, op.operand_class).activation).has_value();
  mode.scaled_sums = op.codes.scaled_sums;
  if (mode.integer || mode.scaled_sums) mode.weight_group = op.codes.group;
  mode.weight_zero_points = mode.integer && op.codes.zero_points;
  if (mode.integer && is_layer) {
    mode.activation_group = static_cast<int>(config.activations.group);
    mode.activation_zero_point = config.activations.zero_point;
    mode.activation_tensor = config.activations.scale == "tensor";
  }
  return mode;
}

units::MatrixMode linear_mode(const units::AcceleratorConfig& config, const Op& op) {
  const units::MatrixMode groups = linear_groups(config, op);
  int group = std::min(groups.weight_group, groups.activation_group);
  if (group == 0) group = std::max(groups.weight_group, groups.activation_group);
  if (op.smooth) group = static_cast<int>(config.smooth.group);
  units::MatrixMode mode = units::make_matrix_mode(config.array, operand_config(config, op.operand_class),
                                                   accumulator_config(config, op.operand_class), group);
  if (!op.smooth) mode.group = 0;
  mode.weight_group = groups.weight_group;
  mode.activation_group = groups.activation_group;
  mode.weight_zero_points = groups.weight_zero_points;
  mode.activation_zero_point = groups.activation_zero_point;
  mode.activation_tensor = groups.activation_tensor;
  mode.scaled_sums = groups.scaled_sums;
  return mode;
}

bool has_static_scale(const units::AcceleratorConfig& config, const Op& op) {
  return op.kind == transformer::OpKind::kLinear && op.operand_class == OperandClass::kLinear &&
         config.activations.scale == kStaticScale && numerics::parse_int_format(config.linear.activation).has_value();
}

int stored_weight_bits(const units::MatrixMode& mode, const Op& op) {
  return op.codes.bits != 0 ? op.codes.bits : weight_bits(mode);
}

std::uint64_t weight_column_bytes(const units::MatrixMode& mode, const Op& op, std::uint64_t depth) {
  constexpr std::uint64_t kScaleBits = 32;
  constexpr std::uint64_t kSumBits = 32;
  const auto chunk = static_cast<std::uint64_t>(mode.chunk);
  const std::uint64_t groups = units::num_groups(depth, static_cast<std::size_t>(op.codes.group));
  std::uint64_t bits = depth * static_cast<std::uint64_t>(stored_weight_bits(mode, op));
  if (op.codes.group > 0) bits += groups * kScaleBits;
  if (op.codes.zero_points) bits += groups * static_cast<std::uint64_t>(op.codes.bits);
  if (mode.activation_zero_point) bits += (depth + chunk - 1) / chunk * kSumBits;
  return (bits + 7) / 8;
}

std::uint64_t accumulator_bytes(const units::MatrixMode& mode) {
  if (mode.integer) {  // int_spec.outer exists even where the configuration names none: it is what leaves the array
    return packed_bytes(1, mode.int_spec.outer.format.storage_bits());
  }
  const arith::AccumulationSpec& spec = mode.float_spec;
  return packed_bytes(1, (spec.promote_every != 0 ? spec.outer : spec.inner).format.storage_bits());
}

const std::string& storage_format(const transformer::Model<float>& model, const units::AcceleratorConfig& config,
                                  const Op& op) {
  if (op.kind == OpKind::kEmbed || op.kind == OpKind::kResidual) return config.storage.residual;
  const bool is_quantized = numerics::parse_int_format(config.storage.kv_cache).has_value();
  return is_cached(model, op.output) && !is_quantized ? config.storage.kv_cache : config.storage.activation;
}

WindowScheduler::WindowScheduler(const transformer::Model<float>& model, const units::AcceleratorConfig& config,
                                 Range tokens, std::size_t window_tokens, ValueEngine& engine)
    : model_(model),
      config_(config),
      tokens_(tokens),
      window_tokens_(window_tokens),
      engine_(engine),
      tiles_(model.ops.size()),
      kv_cache_(units::kv_cache_format(config.storage)) {
  GUARDBIT_CHECK(tokens.size() > 0 && tokens.end <= window_tokens, "a pass has tokens of the window");
  place_tensors();
}

void WindowScheduler::for_token_blocks(std::uint64_t rows_per_block, const std::function<void(Range)>& body) const {
  for (std::size_t begin = tokens_.begin; begin < tokens_.end; begin += rows_per_block) {
    body({begin, std::min<std::size_t>(begin + rows_per_block, tokens_.end)});
  }
}

void WindowScheduler::place_tensors() {
  for (const Op& op : model_.ops) {
    std::uint64_t width = 0;
    switch (op.kind) {
      case OpKind::kEmbed: width = model_.weights.at(op.weight).cols(); break;
      case OpKind::kLinear: width = model_.weights.at(op.weight).rows(); break;
      case OpKind::kValues:
        width = static_cast<std::uint64_t>(model_.shape.num_heads) * static_cast<std::uint64_t>(model_.shape.head_size);
        break;
      case OpKind::kScores:
      case OpKind::kSoftmax: continue;  // live in the scratchpad only
      case OpKind::kNorm:
      case OpKind::kRope:
      case OpKind::kActivation:
      case OpKind::kGate:
      case OpKind::kResidual: width = widths_.at(op.inputs[0]); break;
    }
    widths_[op.output] = width;
    bits_[op.output] = numerics::parse_float_format(storage_format(model_, config_, op))->storage_bits();
    builder_.place(op.output, window_tokens_ * row_bytes(op.output));
    if (op.kind == OpKind::kLinear) {
      const units::MatrixMode mode = linear_mode(config_, op);
      const std::uint64_t column_bytes = weight_column_bytes(mode, op, model_.weights.at(op.weight).cols());
      builder_.place(op.weight, width * column_bytes);
    } else if (op.kind == OpKind::kEmbed) {
      const auto table = model_.weights.at(op.weight).rows();
      const auto positions = op.bias.empty() ? 0 : model_.weights.at(op.bias).rows();
      builder_.place(op.weight, (table + positions) * row_bytes(op.output));
    }
  }
}

std::uint64_t WindowScheduler::row_width(const std::string& tensor) const { return widths_.at(tensor); }
int WindowScheduler::storage_bits(const std::string& tensor) const { return bits_.at(tensor); }
bool WindowScheduler::is_quantized(const std::string& tensor) const {
  return kv_cache_.has_value() && is_cached(model_, tensor);
}
/// One token of one head in an integer cache.
std::uint64_t WindowScheduler::group_bytes() const {
  return packed_bytes(1, kv_cache_->group_bits(model_.shape.head_size));
}
/// In DRAM.
std::uint64_t WindowScheduler::row_bytes(const std::string& tensor) const {
  if (!is_quantized(tensor)) return kept_row_bytes(tensor);
  return row_width(tensor) / static_cast<std::uint64_t>(model_.shape.head_size) * group_bytes();
}
/// In the scratchpad, where it is made.
std::uint64_t WindowScheduler::kept_row_bytes(const std::string& tensor) const {
  return packed_bytes(row_width(tensor), storage_bits(tensor));
}

Work WindowScheduler::row_work(const Op& op, std::uint64_t rows) const {
  const std::uint64_t elements = rows * row_width(op.output);
  switch (op.kind) {
    case OpKind::kNorm: {
      const std::uint64_t size = op.norm_size == 0 ? row_width(op.output) : static_cast<std::uint64_t>(op.norm_size);
      return NormWork{.rows = elements / size,
                      .hidden_size = size,
                      .layer_norm = op.norm == transformer::NormKind::kLayerNorm,
                      .scale_multiply = !is_power_of_two(op.input_scale),
                      .dynamic_scale = op.dynamic_input_scale,
                      .rsqrt_newton_steps = static_cast<std::uint32_t>(config_.norm.rsqrt.newton_steps)};
    }
    case OpKind::kActivation: {
      const bool has_exponential = op.activation != transformer::ActivationKind::kRelu;
      return VectorWork{.elements = elements, .passes = 1, .exp_passes = has_exponential ? 1U : 0U};
    }
    case OpKind::kGate: {
      const bool has_exponential = op.activation != transformer::ActivationKind::kRelu;
      return VectorWork{.elements = elements, .passes = 2, .exp_passes = has_exponential ? 1U : 0U};
    }
    case OpKind::kRope: return VectorWork{.elements = elements, .passes = 1 + quantizer_passes(op.output)};
    case OpKind::kEmbed:
    case OpKind::kResidual: return VectorWork{.elements = elements, .passes = 1};
    case OpKind::kLinear:
    case OpKind::kScores:
    case OpKind::kSoftmax:
    case OpKind::kValues: break;
  }
  fail_check(__FILE__, __LINE__, "row-local op", op.name + " is not row-local");
}

void WindowScheduler::schedule_rows(std::size_t index) {
  const Op& op = model_.ops[index];
  const std::uint64_t out_bytes = row_bytes(op.output);
  const bool is_embed = op.kind == OpKind::kEmbed;
  std::uint64_t in_bytes = is_embed ? out_bytes * (op.bias.empty() ? 1 : 2) : 0;
  for (const std::string& input : op.inputs) in_bytes += row_bytes(input);

  const std::uint64_t made_bytes = kept_row_bytes(op.output);
  const UnitKind unit = op.kind == OpKind::kNorm ? UnitKind::kNorm : UnitKind::kVector;
  const std::uint64_t block = tile_rows(op.name, tokens_.size(), in_bytes + made_bytes, config_);
  tiles_[index] = TileChoice{.rows = block,
                             .scratchpad_bytes = block * (in_bytes + made_bytes),
                             .double_buffered = fits_scratchpad(2 * block * (in_bytes + made_bytes))};
  for_token_blocks(block, [&](Range rows) {
    const std::uint64_t reserved = rows.size() * (in_bytes + made_bytes);
    Tokens loaded;
    if (is_embed) {
      loaded.push_back(
          builder_.tag(builder_.load(op.weight, 0, rows.size() * in_bytes, {}, reserved), Purpose::kWeights));
    }
    for (const std::string& input : op.inputs) {
      loaded.push_back(builder_.load(input, rows.begin * row_bytes(input), rows.size() * row_bytes(input),
                                     builder_.tokens_for(input, rows), loaded.empty() ? reserved : 0));
    }
    const TokenId done = builder_.compute(unit, row_work(op, rows.size()), loaded,
                                          [this_engine = &engine_, index, rows] { this_engine->rows(index, rows); });
    builder_.rows_ready(op.output, rows,
                        builder_.store(op.output, rows.begin * out_bytes, rows.size() * out_bytes, {done}, reserved));
  });
}

void WindowScheduler::schedule_op(std::size_t index) {
  builder_.begin_op(index);
  switch (model_.ops[index].kind) {
    case OpKind::kLinear: schedule_linear(index); break;
    case OpKind::kScores: schedule_attention(index); break;
    case OpKind::kSoftmax:
    case OpKind::kValues: break;  // part of their scores
    case OpKind::kEmbed:
    case OpKind::kNorm:
    case OpKind::kRope:
    case OpKind::kActivation:
    case OpKind::kGate:
    case OpKind::kResidual: schedule_rows(index); break;
  }
}

std::vector<Command> WindowScheduler::run() {
  std::map<std::string, MemoryNeed> most;  // by memory: the op that needs most of it
  for (std::size_t index = 0; index < model_.ops.size(); ++index) {
    try {
      schedule_op(index);
    } catch (const TileTooLarge& error) {
      for (const MemoryNeed& need : error.needs()) {
        MemoryNeed& largest = most.emplace(need.key, need).first->second;
        if (need.needed > largest.needed) largest = need;
      }
    }
  }
  if (most.empty()) return builder_.take();
  std::vector<MemoryNeed> needs;
  for (const auto& [key, need] : most) needs.push_back(need);
  throw TileTooLarge(std::move(needs));
}

std::vector<Command> schedule_tokens(const transformer::Model<float>& model, const units::AcceleratorConfig& config,
                                     Range tokens, std::size_t window_tokens, ValueEngine& engine, TileChoices* tiles) {
  WindowScheduler scheduler(model, config, tokens, window_tokens, engine);
  std::vector<Command> commands = scheduler.run();
  if (tiles != nullptr) *tiles = scheduler.tiles();
  return commands;
}

std::vector<std::uint64_t> multiply_accumulates(const std::vector<Command>& commands, std::size_t num_ops) {
  std::vector<std::uint64_t> macs(num_ops, 0);
  for (const Command& command : commands) {
    if (const auto* work = std::get_if<MatrixWork>(&command.work))
      macs[command.op_index] += work->m * work->n * work->k;
  }
  return macs;
}

}  // namespace guardbit::sim
