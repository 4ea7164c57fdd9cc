#pragma once
/// Published accumulators by name: what is known of the arithmetic of real matrix units, as AccumulationSpecs.
#include <span>
#include <string_view>

#include "models/arith/accumulation_spec.h"

namespace guardbit::arith {

struct Preset {
  std::string_view name;     ///< config value
  std::string_view summary;  ///< one line for listings, deviations from the source included
  std::string_view source;
  numerics::FloatFormat a;  ///< operand formats; `spec` is that of these
  numerics::FloatFormat b;
  AccumulationSpec spec;
};

/// All rows. Test: tests/unit/presets_test.cpp.
std::span<const Preset> presets();

/// The row of that name, or nothing. Exact match.
const Preset* find_preset(std::string_view name);

/// `spec` for operands of other formats: what the alignment knows of their subnormals.
AccumulationSpec with_operands(AccumulationSpec spec, const numerics::FloatFormat& a, const numerics::FloatFormat& b);

}  // namespace guardbit::arith
