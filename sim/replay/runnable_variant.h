#pragma once
/// A variant with the hardware and the options that it runs with: what its widths ask of model and accelerator.
#include <string>

#include "sim/replay/variant_hardware.h"

namespace guardbit::sim {

class RunnableVariant {
 public:
  RunnableVariant(calibration::Variant variant, VariantHardware hardware, calibration::CalibrationOptions options);

  std::string name() const { return variant_.canonical_text(); }
  const units::AcceleratorConfig& config() const { return hardware_.config; }
  /// Whether one of its methods looks at activations of a calibration text.
  bool needs_calibration_text() const;
  bool time_needs_weights() const { return calibration::time_needs_weights(variant_, options_); }

  /// The variant's methods (`data` for those that look at activations, null: none does), then codes for weights that no
  /// method quantized where the array multiplies floats.
  /// `progress`: told the method, from any thread, one call at a time; may be empty.
  void apply(transformer::Model<float>& model, const calibration::CalibrationData* data = nullptr,
             const calibration::VariantProgress& progress = {}) const;
  /// What apply() reads beside the model and the calibration text: equal keys, equal results.
  std::string model_key() const;
  /// Ops and shapes of apply()'s result.
  void outline(transformer::Model<float>& model) const;
  /// Throws std::invalid_argument, naming the variant, for groups that cannot be summed (check_groups).
  void check(const transformer::Model<float>& outlined) const { check_groups(variant_, outlined, config()); }

 private:
  bool rounds_weights() const;
  void set_scaled_sums(transformer::Model<float>& model) const;

  calibration::Variant variant_;
  VariantHardware hardware_;
  calibration::CalibrationOptions options_;
};

}  // namespace guardbit::sim
