#pragma once
/// LayerNorm and RMSNorm. Cycles are those of timing.h, values those of the command.
#include "models/units/accelerator_config.h"
#include "sim/modules/timing.h"
#include "sim/modules/unit_module.h"

namespace guardbit::sim {

class NormModule : public ComputeModule {
 public:
  NormModule(const sc_core::sc_module_name& name, const UnitContext& context, const units::NormConfig& config)
      : ComputeModule(name, UnitKind::kNorm, context), config_(config) {}

 protected:
  std::uint64_t cycles_of(const Work& work) const final { return norm_cycles(std::get<NormWork>(work), config_); }

 private:
  const units::NormConfig config_;
};

}  // namespace guardbit::sim
