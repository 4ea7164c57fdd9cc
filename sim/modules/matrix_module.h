#pragma once
/// R x C processing elements with operand feeders and accumulator buffer. Cycles are those of timing.h, values those of
/// the command.
#include "models/units/accelerator_config.h"
#include "sim/modules/timing.h"
#include "sim/modules/unit_module.h"

namespace guardbit::sim {

class MatrixModule : public ComputeModule {
 public:
  MatrixModule(const sc_core::sc_module_name& name, const UnitContext& context, const units::ArrayConfig& config)
      : ComputeModule(name, UnitKind::kMatrix, context), config_(config) {}

 protected:
  std::uint64_t cycles_of(const Work& work) const final {
    return matrix_timing(std::get<MatrixWork>(work), config_).cycles;
  }

 private:
  const units::ArrayConfig config_;
};

}  // namespace guardbit::sim
