#include "sim/probe/product_mode.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "models/arith/presets.h"
#include "sim/base/error.h"
#include "sim/config/fields.h"
#include "sim/config/suggest.h"
#include "sim/schedule/window_scheduler.h"

namespace guardbit::sim {
namespace {

const arith::Preset& preset_of(const std::string& name) {
  if (const arith::Preset* found = arith::find_preset(name)) return *found;
  std::vector<std::string> names;
  for (const arith::Preset& preset : arith::presets()) names.emplace_back(preset.name);
  throw UserError(ExitCode::kUsage, fmt::format("--preset: got '{}'; expected one of {}{}", printable(name),
                                                fmt::join(names, ", "), did_you_mean(name, names)));
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

std::string operand_name(const LoadedAccelerator& accelerator, const std::string& key,
                         const numerics::FloatFormat& default_format, const std::string& preset) {
  if (!is_set(accelerator, key)) return numerics::name_of(default_format);
  const std::string& name = accelerator.keys.at(key);
  if (numerics::parse_float_format(name)) return name;
  throw UserError(ExitCode::kUsage,
                  fmt::format("--preset {}: got {} = {}; expected a float format", preset, key, name));
}

/// `config` with the preset's keys in place of its own.
void apply_preset(const LoadedAccelerator& accelerator, const arith::Preset& preset, units::AcceleratorConfig& config) {
  check_preset_keys(accelerator, preset);
  const std::string name(preset.name);
  config.linear.activation = operand_name(accelerator, "array.activation", preset.a, name);
  config.linear.weight = operand_name(accelerator, "array.weight", preset.b, name);
  config.array.dot_width = preset.spec.width;
  config.accumulator = units::describe_accumulator(preset.spec);
}

}  // namespace

ProductMode product_mode(const LoadedAccelerator& accelerator, const std::string& preset) {
  units::AcceleratorConfig config = accelerator.config;
  if (!preset.empty()) apply_preset(accelerator, preset_of(preset), config);
  ProductMode product;
  product.array = config.array;
  for (const Field& field : fields_of(config)) {
    if (field.key.starts_with("array.") || field.key.starts_with("accumulator.")) {
      product.keys[field.key] = value_text(field);
    }
  }
  product.mode = linear_mode(config, {});
  product.pe = pe_timing(config.array, config.linear, config.accumulator);
  return product;
}

LoadedAccelerator with_preset(const LoadedAccelerator& accelerator, const std::string& preset) {
  LoadedAccelerator result = accelerator;
  apply_preset(accelerator, preset_of(preset), result.config);
  for (const Field& field : fields_of(result.config)) {
    const bool is_of_preset = field.key.starts_with("accumulator.") || field.key == "array.dot_width" ||
                              field.key == "array.activation" || field.key == "array.weight";
    if (!is_of_preset || is_set(accelerator, field.key)) continue;
    result.keys[field.key] = value_text(field);
    result.origins[field.key] = "preset " + preset;
  }
  result.sha256 = sha256_of_keys(result.keys);
  return result;
}

}  // namespace guardbit::sim
