#pragma once
/// Fast Hadamard transform. Cycles are those of timing.h, values those of the command.
#include "models/units/accelerator_config.h"
#include "sim/modules/timing.h"
#include "sim/modules/unit_module.h"

namespace guardbit::sim {

class RotateModule : public ComputeModule {
 public:
  RotateModule(const sc_core::sc_module_name& name, const UnitContext& context, const units::RotateConfig& config)
      : ComputeModule(name, UnitKind::kRotate, context), config_(config) {}

 protected:
  std::uint64_t cycles_of(const Work& work) const final { return rotate_cycles(std::get<RotateWork>(work), config_); }

 private:
  const units::RotateConfig config_;
};

}  // namespace guardbit::sim
