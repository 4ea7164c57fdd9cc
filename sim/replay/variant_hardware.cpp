#include "sim/replay/variant_hardware.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "models/calibration/weight_quantizer.h"
#include "models/numerics/codec.h"
#include "models/units/affine_product.h"
#include "sim/config/fields.h"
#include "sim/schedule/window_scheduler.h"

namespace guardbit::sim {
namespace {

using calibration::Variant;
using units::AcceleratorConfig;
using units::OperandConfig;

constexpr int kWide = 16;

[[noreturn]] void fail(const Variant& variant, const std::string& problem) {
  throw std::invalid_argument(fmt::format("variant \"{}\": {}", variant.canonical_text(), problem));
}

int float_bits(const std::string& format) {
  const auto parsed = numerics::parse_float_format(format);
  return parsed ? parsed->storage_bits() : 0;
}

int int_bits(const std::string& format) {
  const auto parsed = numerics::parse_int_format(format);
  return parsed ? parsed->bits : 0;
}

std::string operands_text(const OperandConfig& operands) { return operands.activation + " x " + operands.weight; }

bool multiplies_16_bit_floats(const OperandConfig& operands) {
  return float_bits(operands.activation) == kWide && operands.weight == operands.activation;
}

/// Linear layers multiply 16-bit floats: as [array] does, else as [attention] or [head] does on the same array, with
/// its accumulator and its cycles.
void use_16_bit_floats(const Variant& variant, AcceleratorConfig& config) {
  if (multiplies_16_bit_floats(config.linear)) return;
  if (multiplies_16_bit_floats(config.attention)) {
    config.linear = config.attention;
    config.accumulator = config.attention_accumulator;
  } else if (multiplies_16_bit_floats(config.head)) {
    config.linear = config.head;
    config.accumulator = config.head_accumulator;
  } else {
    fail(variant,
         fmt::format("16-bit activations: the accelerator has no products of 16-bit floats: [array] "
                     "multiplies {}, [attention] {}, [head] {}",
                     operands_text(config.linear), operands_text(config.attention), operands_text(config.head)));
  }
}

/// Wider integers than the array's are multiplied digit by digit.
std::int64_t digits(int bits, int multiplier_bits) {
  return bits <= multiplier_bits ? 1 : (bits + multiplier_bits - 1) / multiplier_bits;
}

void use_integers(const Variant& variant, int activation_bits, int weight_bits, AcceleratorConfig& config) {
  const int activation_multiplier = int_bits(config.linear.activation);
  const int weight_multiplier = int_bits(config.linear.weight);
  if (activation_multiplier == 0 || weight_multiplier == 0) {
    fail(variant, fmt::format("a{}: integer activations need an array of integers; [array] multiplies {} into {}",
                              activation_bits, operands_text(config.linear), config.accumulator.format));
  }
  config.linear.activation = fmt::format("int{}", activation_bits);
  config.linear.weight = fmt::format("int{}", weight_bits);
  config.linear.cycles_per_mac *=
      digits(activation_bits, activation_multiplier) * digits(weight_bits, weight_multiplier);
}

void use_cache(const Variant& variant, int bits, units::StorageConfig& storage) {
  if (bits != kWide) {
    storage.kv_cache = fmt::format("int{}", bits);
    return;
  }
  storage.kv_cache_zero_point = false;
  if (float_bits(storage.kv_cache) == kWide) return;
  if (float_bits(storage.activation) != kWide) {
    fail(variant, fmt::format("kv16: the accelerator stores no 16-bit floats: storage.kv_cache is {}, "
                              "storage.activation {}",
                              storage.kv_cache, storage.activation));
  }
  storage.kv_cache = storage.activation;
}

/// exllama's sums: one after the other in fp16, however the accelerator adds otherwise.
void use_fp16_sums(const Variant& variant, AcceleratorConfig& config) {
  if (config.linear.activation != "fp16") {
    fail(variant,
         fmt::format("\"_fp16\" needs products of fp16; the accelerator multiplies {}", operands_text(config.linear)));
  }
  const units::BufferConfig buffer = config.accumulator.buffer;
  config.accumulator = {};
  config.accumulator.format = "fp16";
  config.accumulator.buffer = buffer;
  config.accumulator.buffer.promote_every = 0;
  if (!config.array.sums_flow_down()) config.accumulator.buffer.format.clear();
}

void use_static_scales(const Variant& variant, AcceleratorConfig& config) {
  if (int_bits(config.linear.activation) == 0) {
    fail(variant, fmt::format("static: activations are {}; expected integers", config.linear.activation));
  }
  if (config.activations.group != 0) {
    fail(variant,
         fmt::format("static: scales of {} channels; expected array.activation_group = 0", config.activations.group));
  }
  config.activations.scale = kStaticScale;
}

/// Resolves the linear layers' widths.
void apply_linear_widths(const Variant& variant, VariantHardware& hardware) {
  AcceleratorConfig& config = hardware.config;
  const calibration::VariantWidths& widths = variant.widths;
  const bool integer_array = int_bits(config.linear.activation) != 0;
  const int activation = widths.activation.value_or(integer_array ? int_bits(config.linear.activation) : kWide);
  const int weight = widths.weight.value_or(integer_array ? int_bits(config.linear.weight) : kWide);
  if (widths.activation == kWide || widths.weight == kWide) {
    if (activation != kWide) {
      fail(variant, fmt::format("w16 with activations of {} bits: the array has no products of floats and integers; "
                                "expected w16a16, or integers on both sides",
                                activation));
    }
    use_16_bit_floats(variant, config);
  } else if (widths.activation || integer_array) {
    if (weight == kWide) {
      fail(variant, fmt::format("a{} with 16-bit weights: the array has no products of floats and integers; expected "
                                "integers on both sides",
                                activation));
    }
    use_integers(variant, activation, weight, config);
    hardware.weight_bits = weight;
    return;
  }
  // Floats; a width without the other leaves the array's own.
  const bool integer_weights = widths.weight && *widths.weight != kWide;
  if (!integer_weights && !(integer_array && !widths.weight)) return;
  hardware.weight_bits = weight;
  hardware.stores_codes = true;
  if (config.linear.scale == "dynamic") {
    fail(variant, fmt::format("w{}: weights that are dequantized to {} have their scales; expected array.scale = "
                              "\"none\"",
                              weight, config.linear.weight));
  }
}

/// The largest and the smallest of two group sizes, 0: none.
struct Groups {
  std::int64_t coarse = 0;
  std::int64_t fine = 0;
};

Groups groups_of(const AcceleratorConfig& config, const transformer::Op& op) {
  const units::MatrixMode mode = linear_groups(config, op);
  const auto [fine, coarse] = std::minmax(mode.weight_group, mode.activation_group);
  return {.coarse = coarse, .fine = fine == 0 ? coarse : fine};
}

/// A static zero point is folded into 32 bits per chunk.
void check_folding(const Variant& variant, const transformer::Model<float>& model, const AcceleratorConfig& config,
                   const transformer::Op& op) {
  const std::size_t depth = model.weights.at(op.weight).cols();
  const std::size_t chunk = std::min(depth, static_cast<std::size_t>(linear_mode(config, op).chunk));
  if (chunk <= units::kLongestFoldedChunk) return;
  fail(variant, fmt::format("{}: static zero points with sums of {} channels; expected at most {} "
                            "(accumulator.buffer.promote_every)",
                            op.name, chunk, units::kLongestFoldedChunk));
}

std::string weights_text(const transformer::WeightCodes& codes) {
  return fmt::format("int{}, {}{}{}", codes.bits,
                     codes.group == 0 ? "scale by output channel" : fmt::format("scales of {} channels", codes.group),
                     codes.zero_points ? ", zero points" : "", codes.scaled_sums ? ", codes multiplied as fp16" : "");
}

}  // namespace

VariantHardware variant_hardware(const Variant& variant, const AcceleratorConfig& accelerator) {
  VariantHardware hardware{.config = accelerator};
  AcceleratorConfig& config = hardware.config;
  if (variant.widths.weight || variant.widths.activation) {
    apply_linear_widths(variant, hardware);
  } else {
    hardware.weight_bits = int_bits(config.linear.weight);
  }
  if (variant.widths.fp16_codes) {
    use_fp16_sums(variant, config);
    hardware.scaled_sums = true;
  }
  if (variant.widths.kv_cache) use_cache(variant, *variant.widths.kv_cache, config.storage);
  // Activations that are floats now have no codes to group or shift.
  if (int_bits(config.linear.activation) == 0) config.activations = {};
  if (variant.widths.static_scales) use_static_scales(variant, config);
  const std::vector<units::ConfigProblem> problems = config.cross_field_problems();
  if (!problems.empty()) fail(variant, problems.front().key + ": " + problems.front().message);
  return hardware;
}

void check_groups(const Variant& variant, const transformer::Model<float>& model, const AcceleratorConfig& config) {
  for (const transformer::Op& op : model.ops) {
    if (op.kind != transformer::OpKind::kLinear) continue;
    if (op.smooth && config.activations.scale != "token") {
      fail(variant, op.name +
                        ": runtime smoothing scales tokens; expected array.activation_scale = \"token\" and no "
                        "static scales");
    }
    if (has_static_scale(config, op) && config.activations.zero_point) check_folding(variant, model, config, op);
    const Groups groups = groups_of(config, op);
    if (groups.coarse == 0) continue;
    if (op.smooth) {
      fail(variant, fmt::format("{}: runtime smoothing reorders the channels of groups of {}; expected scales by "
                                "output channel and token",
                                op.name, groups.fine));
    }
    if (groups.coarse % groups.fine != 0) {
      fail(variant, fmt::format("{}: groups of {} and {} channels; expected one to be a multiple of the other", op.name,
                                groups.coarse, groups.fine));
    }
    const std::int64_t chunk = std::min(config.array.column_products(), groups.fine);
    if (config.array.sums_flow_down() && groups.fine % chunk != 0) {
      fail(variant, fmt::format("{}: groups of {} channels with array.dataflow = \"{}\" and columns of {} products; "
                                "expected a multiple of them",
                                op.name, groups.fine, config.array.dataflow, config.array.column_products()));
    }
  }
}

std::map<std::string, std::string> describe_hardware(const transformer::Model<float>& model,
                                                     const AcceleratorConfig& config,
                                                     const AcceleratorConfig& accelerator) {
  constexpr std::array<std::string_view, 5> kAlways = {"array.activation", "array.weight", "array.cycles_per_mac",
                                                       "accumulator.format", "storage.kv_cache"};
  AcceleratorConfig own = config;
  AcceleratorConfig described = accelerator;
  const std::vector<Field> fields = fields_of(own);
  const std::vector<Field> before = fields_of(described);
  std::map<std::string, std::string> keys;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::string text = value_text(fields[i]);
    const bool always = std::find(kAlways.begin(), kAlways.end(), fields[i].key) != kAlways.end();
    if (always || text != value_text(before[i])) keys[fields[i].key] = text;
  }
  for (const transformer::Op& op : model.ops) {
    if (op.codes.bits != 0) keys["weights"] = weights_text(op.codes);
  }
  return keys;
}

}  // namespace guardbit::sim
