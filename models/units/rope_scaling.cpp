#include "models/units/rope_scaling.h"

#include <numbers>

namespace guardbit::units {

double scaled_frequency(const RopeScaling& scaling, double frequency) {
  if (scaling.kind == RopeScalingKind::kNone) return frequency;
  const double scaled = frequency / scaling.factor;
  if (scaling.kind == RopeScalingKind::kLinear) return scaled;
  const double turns = scaling.original_context * frequency / (2 * std::numbers::pi);
  if (turns < scaling.low_freq_factor) return scaled;
  if (turns > scaling.high_freq_factor) return frequency;
  const double share = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
  return (1 - share) * scaled + share * frequency;
}

}  // namespace guardbit::units
