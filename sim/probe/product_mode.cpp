#include "sim/probe/product_mode.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "models/arith/presets.h"
#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

const arith::Preset& preset_of(const std::string& name) {
  if (const arith::Preset* found = arith::find_preset(name)) return *found;
  std::vector<std::string_view> names;
  for (const arith::Preset& preset : arith::presets()) names.push_back(preset.name);
  throw UserError(ExitCode::kUsage,
                  fmt::format("--preset: got '{}'; expected one of {}", name, fmt::join(names, ", ")));
}

bool is_set(const LoadedAccelerator& accelerator, const std::string& key) {
  return accelerator.origins.at(key) != "default";
}

void check_preset_keys(const LoadedAccelerator& accelerator, const arith::Preset& preset) {
  const auto contradicts = [&](const std::string& key, const std::string& expected) {
    throw UserError(ExitCode::kUsage, fmt::format("--preset {}: got {} = {} ({}); expected {}", preset.name, key,
                                                  accelerator.keys.at(key), accelerator.origins.at(key), expected));
  };
  for (const auto& [key, value] : accelerator.keys) {
    if (key.starts_with("accumulator.") && is_set(accelerator, key)) {
      contradicts(key, "no key of [accumulator], which the preset replaces");
    }
  }
  const units::AcceleratorConfig& config = accelerator.config;
  if (is_set(accelerator, "array.dot_width") && config.array.dot_width != preset.spec.width) {
    contradicts("array.dot_width", fmt::format("{}, the preset's width", preset.spec.width));
  }
  if (config.array.dataflow != "os") contradicts("array.dataflow", "os: the preset says where sums are promoted");
  if (config.linear.scale != "none") contradicts("array.scale", "none");
}

numerics::FloatFormat operand_format(const LoadedAccelerator& accelerator, const std::string& key,
                                     const numerics::FloatFormat& default_format, const std::string& preset) {
  if (!is_set(accelerator, key)) return default_format;
  const auto format = numerics::parse_float_format(accelerator.keys.at(key));
  if (format) return *format;
  throw UserError(ExitCode::kUsage, fmt::format("--preset {}: got {} = {}; expected a float format", preset, key,
                                                accelerator.keys.at(key)));
}

void apply_preset(const LoadedAccelerator& accelerator, const arith::Preset& preset, ProductMode& product) {
  check_preset_keys(accelerator, preset);
  const std::string name(preset.name);
  units::MatrixMode& mode = product.mode;
  mode = units::MatrixMode{};
  mode.activation = operand_format(accelerator, "array.activation", preset.a, name);
  mode.weight = operand_format(accelerator, "array.weight", preset.b, name);
  mode.float_spec = arith::with_operands(preset.spec, mode.activation, mode.weight);
  mode.chunk = mode.float_spec.promote_every;
  product.array.dot_width = preset.spec.width;
  units::AccumulatorConfig accumulator;
  accumulator.format = numerics::name_of(preset.spec.inner.format);
  accumulator.interleave = preset.spec.interleave;
  if (preset.spec.width > 1) accumulator.reduce = "tree";
  product.pe = pe_timing(product.array, accelerator.config.linear, accumulator);
  std::erase_if(product.keys, [](const auto& entry) { return entry.first.starts_with("accumulator."); });
  product.keys["array.activation"] = numerics::name_of(mode.activation);
  product.keys["array.weight"] = numerics::name_of(mode.weight);
  product.keys["array.dot_width"] = std::to_string(product.array.dot_width);
}

}  // namespace

ProductMode product_mode(const LoadedAccelerator& accelerator, const std::string& preset) {
  const units::AcceleratorConfig& config = accelerator.config;
  ProductMode product;
  product.array = config.array;
  for (const auto& [key, value] : accelerator.keys) {
    if (key.starts_with("array.") || key.starts_with("accumulator.")) product.keys[key] = value;
  }
  if (!preset.empty()) {
    apply_preset(accelerator, preset_of(preset), product);
    return product;
  }
  product.mode = units::make_matrix_mode(config.array, config.linear, config.accumulator);
  product.pe = pe_timing(config.array, config.linear, config.accumulator);
  return product;
}

}  // namespace guardbit::sim
