#pragma once
/// Whether a norm's epsilon survives the unit's arithmetic format.
#include "models/units/accelerator_config.h"

namespace guardbit::units {

/// True if the register of an epsilon that is not zero holds zero (NormUnit, without an input scale): a row without
/// variance is then divided by zero. Test: tests/unit/norm_unit_test.cpp.
[[nodiscard]] bool epsilon_vanishes(const NormConfig& config, double epsilon);

}  // namespace guardbit::units
