#include "sim/modules/recorded_product.h"

#include <utility>
#include <vector>

#include "sim/modules/accelerator.h"
#include "sim/modules/wave_recorder.h"

namespace guardbit::sim {

struct RecordedProduct::Machine {
  Machine(const units::AcceleratorConfig& config, bool stepped, const WaveOptions& wave)
      : accelerator("accelerator", config, {.stepped = stepped ? &request : nullptr}), recorder(wave) {
    accelerator.record(recorder);
  }
  PeRequestSlot request;
  Accelerator accelerator;
  WaveRecorder recorder;
};

RecordedProduct::RecordedProduct(const units::AcceleratorConfig& config, bool stepped, const WaveOptions& wave)
    : machine_(std::make_unique<Machine>(config, stepped, wave)) {}
RecordedProduct::~RecordedProduct() = default;

std::uint64_t RecordedProduct::run(const PeProduct& product) {
  numerics::EventLedger uncounted;
  Command command;
  command.unit = UnitKind::kMatrix;
  command.purpose = Purpose::kProduct;
  command.work = product.work;
  command.signals = 1;
  command.compute = [&] {
    if (product.values) machine_->request = {*product.values, {}, &uncounted};
  };
  std::vector<Command> commands;
  commands.push_back(std::move(command));
  const CycleReport report = machine_->accelerator.run(std::move(commands), 1);
  machine_->recorder.finish();
  return report.total;
}

}  // namespace guardbit::sim
