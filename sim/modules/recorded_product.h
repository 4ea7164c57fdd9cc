#pragma once
/// One product on the described machine with waveforms, for callers that know no SystemC.
#include <cstdint>
#include <memory>

#include "models/units/accelerator_config.h"
#include "sim/modules/pe_machine.h"
#include "sim/modules/wave_options.h"

namespace guardbit::sim {

class RecordedProduct {
 public:
  /// Elaborates the machine, which SystemC allows before anything has run in the process. `stepped`: the array PE by
  /// PE. UserError as WaveRecorder.
  RecordedProduct(const units::AcceleratorConfig& config, bool stepped, const WaveOptions& wave);
  ~RecordedProduct();
  RecordedProduct(const RecordedProduct&) = delete;
  RecordedProduct& operator=(const RecordedProduct&) = delete;

  /// The product from cycle 0 on; its cycles. Values, if there are any, are those of the stepped array's registers. The
  /// file is complete then.
  std::uint64_t run(const PeProduct& product);

 private:
  struct Machine;
  std::unique_ptr<Machine> machine_;
};

}  // namespace guardbit::sim
