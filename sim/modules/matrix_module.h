#pragma once
/// R x C processing elements with operand feeders and accumulator buffer. Tile fidelity: cycles are those of timing.h,
/// values those of the command. PE fidelity: both come from the stepped array.
#include <memory>
#include <vector>

#include "models/units/accelerator_config.h"
#include "sim/modules/pe_machine.h"
#include "sim/modules/unit_module.h"

namespace guardbit::sim {

class PeWave;

class MatrixModule : public ComputeModule {
 public:
  /// `stepped`: null for tile fidelity; else where commands leave what is to be stepped. A command that leaves nothing
  /// is stepped for its cycles alone.
  MatrixModule(const sc_core::sc_module_name& name, const UnitContext& context, const units::ArrayConfig& config,
               PeRequestSlot* stepped);
  ~MatrixModule() override;
  void record(WaveRecorder& recorder) final;

 protected:
  std::uint64_t cycles_of(const Work& work) const final;

 private:
  std::uint64_t step(const MatrixWork& work) const;

  const units::ArrayConfig config_;
  PeRequestSlot* const stepped_;
  std::unique_ptr<PeArray> array_;
  std::vector<std::unique_ptr<PeWave>> waves_;  ///< one a recorder
};

}  // namespace guardbit::sim
