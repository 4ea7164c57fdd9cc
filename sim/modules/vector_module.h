#pragma once
/// Element-wise operations, reductions, exponentials and the sorting network. Cycles are those of timing.h, values
/// those of the command.
#include "models/units/accelerator_config.h"
#include "sim/modules/timing.h"
#include "sim/modules/unit_module.h"

namespace guardbit::sim {

class VectorModule : public ComputeModule {
 public:
  VectorModule(const sc_core::sc_module_name& name, const UnitContext& context, const units::VectorConfig& config)
      : ComputeModule(name, UnitKind::kVector, context), config_(config) {}

 protected:
  std::uint64_t cycles_of(const Work& work) const final { return vector_cycles(std::get<VectorWork>(work), config_); }

 private:
  const units::VectorConfig config_;
};

}  // namespace guardbit::sim
