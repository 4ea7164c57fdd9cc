#pragma once
/// The arithmetic and the array of one product: as configured, or with a published accumulator in place of the
/// configured one.
#include <string>

#include "models/units/arithmetic.h"
#include "sim/config/accelerator.h"
#include "sim/modules/timing.h"

namespace guardbit::sim {

struct ProductMode {
  units::MatrixMode mode;
  units::ArrayConfig array;
  PeTiming pe;
  std::map<std::string, std::string> keys;  ///< [array] and [accumulator] as they apply, a preset's written out
};

/// `preset` empty: linear_mode() of [array] and [accumulator], for weights with a scale per output channel. Otherwise a
/// row of arith::presets() stands for the keys that describe it: [accumulator], array.dot_width = its width, and its
/// operand formats unless array.activation or array.weight is set. UserError kUsage for an unknown preset, and where
/// the configuration says what the preset says: a key of [accumulator], another dot_width, integer or scaled operands,
/// a dataflow that is not "os".
[[nodiscard]] ProductMode product_mode(const LoadedAccelerator& accelerator, const std::string& preset);

/// `accelerator` with those keys written out, their origin "preset NAME". UserError as product_mode().
[[nodiscard]] LoadedAccelerator with_preset(const LoadedAccelerator& accelerator, const std::string& preset);

}  // namespace guardbit::sim
