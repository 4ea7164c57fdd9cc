#pragma once
/// The accelerator as a variant's widths make it: formats of linear layers and KV cache in place of the described ones.
#include <map>
#include <string>

#include "models/calibration/variant.h"
#include "models/units/accelerator_config.h"

namespace guardbit::sim {

/// What a variant runs on.
struct VariantHardware {
  units::AcceleratorConfig config;
  int weight_bits = 0;        ///< of linear layers' weights in memory: 2..8; 0: floats
  bool stores_codes = false;  ///< float products of integer weights: codes in memory, floats in the array
  bool scaled_sums = false;   ///< WeightCodes::scaled_sums (w4a16_fp16)
};

/// docs/calibration.md, "Widths", has the rules. Throws std::invalid_argument, naming the variant, for widths that the
/// accelerator cannot multiply. Test: tests/unit/variant_hardware_test.cpp.
[[nodiscard]] VariantHardware variant_hardware(const calibration::Variant& variant,
                                               const units::AcceleratorConfig& accelerator);

/// Throws std::invalid_argument, naming the variant, for groups of weights or activations that cannot be summed as the
/// model's linear layers want them: not together with runtime smoothing, a multiple of one another and of a column.
void check_groups(const calibration::Variant& variant, const transformer::Model<float>& model,
                  const units::AcceleratorConfig& config);

/// Operand formats, accumulator, cycles of a product and KV cache of the variant's linear layers, every other key of
/// `config` that differs from the accelerator's, and how the weights lie in memory, by key.
[[nodiscard]] std::map<std::string, std::string> describe_hardware(const transformer::Model<float>& model,
                                                                   const units::AcceleratorConfig& config,
                                                                   const units::AcceleratorConfig& accelerator);

}  // namespace guardbit::sim
