#include "sim/replay/runnable_variant.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "models/calibration/weight_quantizer.h"

namespace guardbit::sim {

using transformer::Model;
using transformer::Op;

RunnableVariant::RunnableVariant(calibration::Variant variant, VariantHardware hardware,
                                 calibration::CalibrationOptions options)
    : variant_(std::move(variant)), hardware_(std::move(hardware)), options_(options) {
  options_.weight_bits = hardware_.weight_bits;
}

bool RunnableVariant::rounds_weights() const {
  return hardware_.stores_codes && variant_.part_with(calibration::kQuantizesWeights) == nullptr;
}

void RunnableVariant::set_scaled_sums(Model<float>& model) const {
  if (!hardware_.scaled_sums) return;
  for (Op* const op : calibration::quantized_layers(model)) op->codes.scaled_sums = true;
}

bool RunnableVariant::needs_calibration_text() const {
  return std::any_of(variant_.parts.begin(), variant_.parts.end(),
                     [](const calibration::VariantPart& part) { return part.method->needs_activations; });
}

void RunnableVariant::apply(Model<float>& model, const calibration::CalibrationData* data,
                            const calibration::VariantProgress& progress) const {
  calibration::CalibrationOptions options = options_;
  options.data = data;
  calibration::apply_variant(variant_, model, options, progress);
  if (rounds_weights()) calibration::round_layers_to_nearest(model, {.bits = hardware_.weight_bits});
  set_scaled_sums(model);
}

std::string RunnableVariant::model_key() const {
  return fmt::format("{} {} {} {} {} {} {} {}", name(), options_.seed, options_.pow2_scales, options_.target_norm,
                     options_.smooth_qkv, hardware_.weight_bits, hardware_.stores_codes, hardware_.scaled_sums);
}

void RunnableVariant::outline(Model<float>& model) const {
  calibration::outline_variant(variant_, model, options_);
  if (rounds_weights()) {
    for (Op* const op : calibration::quantized_layers(model)) {
      calibration::outline_codes(*op, {.bits = hardware_.weight_bits});
    }
  }
  set_scaled_sums(model);
}

}  // namespace guardbit::sim
