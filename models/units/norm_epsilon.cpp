#include "models/units/norm_epsilon.h"

#include "models/numerics/codec.h"
#include "models/units/arithmetic.h"

namespace guardbit::units {

bool epsilon_vanishes(const NormConfig& config, double epsilon) {
  numerics::EventSet ignored;
  return epsilon != 0 && numerics::round_carrier(epsilon, conversion_spec(config.arithmetic), ignored) == 0;
}

}  // namespace guardbit::units
