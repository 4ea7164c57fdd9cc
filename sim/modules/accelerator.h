#pragma once
/// The machine: sequencer, token board, scratchpad, two DMA engines, DRAM, matrix, norm, vector and rotate unit, wired
/// from one configuration. It takes commands and gives back where the cycles went; what the commands mean is the
/// scheduler's, the values they compute are models/units'. docs/timing.md describes every rule.
///
/// SystemC allows one elaboration per process: create one Accelerator per process and run() it as often as wanted.
/// Time is event driven: one cycle is one nanosecond of simulated time, and nothing happens in cycles without events.
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <systemc>
#include <tlm>
#include <vector>

#include "models/units/accelerator_config.h"
#include "sim/modules/command.h"
#include "sim/modules/dma_module.h"
#include "sim/modules/dram_module.h"
#include "sim/modules/matrix_module.h"
#include "sim/modules/norm_module.h"
#include "sim/modules/rotate_module.h"
#include "sim/modules/run_state.h"
#include "sim/modules/scratchpad.h"
#include "sim/modules/sequencer.h"
#include "sim/modules/token_board.h"
#include "sim/modules/vector_module.h"
#include "sim/stats/result.h"

namespace guardbit::sim {

struct AcceleratorOptions {
  /// Transfers take no time and do not touch the DRAM (`--no-memory`); bytes, space and tokens count as always.
  bool unlimited_memory = false;
  /// Test mode: delays every command issue, token arrival and DMA request at random. Values and event counts are
  /// independent of it; see docs/timing.md for what is guaranteed of the cycles.
  std::optional<std::uint64_t> stall_seed = std::nullopt;
  /// PE fidelity (matrix_module.h); outlives the machine. Null: tile fidelity.
  PeRequestSlot* stepped = nullptr;
  /// The memory behind the DMA engines, called with each engine's socket (0: load, 1: store) during elaboration to bind
  /// it to another TLM-2.0 target. Empty: the built-in DramModule.
  std::function<void(std::size_t engine_index, tlm::tlm_initiator_socket<>& socket)> bind_memory = nullptr;
};

class Accelerator : public sc_core::sc_module {
 public:
  /// `config` has been validated. Elaborates the whole machine.
  Accelerator(const sc_core::sc_module_name& name, const units::AcceleratorConfig& config,
              AcceleratorOptions options = {});

  /// Adds every signal of the machine to a recorder that lives as long as runs are recorded; before the first run().
  void record(WaveRecorder& recorder);
  /// Tells the recorder, which lives as long as runs follow, of every command and stall from the next run on.
  void record(TimelineRecorder& recorder) { state_.timeline = &recorder; }

  /// Runs a program to its end and reports its cycles, relative to the start of the run. At the start all units are
  /// idle, the scratchpad is empty, no token is available and every DRAM row is closed, so that a run does not depend
  /// on earlier ones. Op indices are below `num_ops`. Throws what a command's compute() or the source throws (the
  /// program stops there; the machine can run the next one) and InternalError, naming units and what they wait for, if
  /// the program cannot go on.
  CycleReport run(CommandSource& source, std::size_t num_ops);
  CycleReport run(std::vector<Command> commands, std::size_t num_ops);

 private:
  UnitContext context_of(const AcceleratorOptions& options);
  void start_run(CommandSource& source, std::size_t num_ops);
  CycleReport finish_run();
  std::string describe_deadlock() const;

  const units::AcceleratorConfig config_;
  RunState state_;
  TokenBoard tokens_;
  Scratchpad scratchpad_;
  Scratchpad accumulators_;
  Sequencer sequencer_;
  DmaModule load_;
  MatrixModule matrix_;
  NormModule norm_;
  VectorModule vector_;
  RotateModule rotate_;
  DmaModule store_;
  std::unique_ptr<DramModule> dram_;
  std::array<UnitModule*, kNumUnits> units_;  // by UnitKind
};

}  // namespace guardbit::sim
