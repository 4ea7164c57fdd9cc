#include "sim/modules/accelerator.h"

#include <limits>
#include <string>

#include "models/numerics/check.h"
#include "sim/modules/cycle_time.h"
#include "sim/modules/start_systemc.h"

namespace guardbit::sim {

namespace {

/// A program in memory; compute functions and vectors are moved out as it is issued.
class VectorSource : public CommandSource {
 public:
  explicit VectorSource(std::vector<Command> commands) : commands_(std::move(commands)) {}
  bool next(Command& command) override {
    if (next_ == commands_.size()) return false;
    command = std::move(commands_[next_++]);
    return true;
  }

 private:
  std::vector<Command> commands_;
  std::size_t next_ = 0;
};

/// [accumulator_buffer] bytes = 0: whatever is asked for.
std::uint64_t accumulator_capacity(const units::AcceleratorConfig& config) {
  const auto bytes = static_cast<std::uint64_t>(config.accumulator_buffer.bytes);
  return bytes != 0 ? bytes : std::numeric_limits<std::uint64_t>::max();
}

}  // namespace

Accelerator::Accelerator(const sc_core::sc_module_name& name, const units::AcceleratorConfig& config,
                         AcceleratorOptions options)
    : sc_core::sc_module(name),
      config_(config),
      tokens_("tokens", state_),
      scratchpad_("scratchpad", static_cast<std::uint64_t>(config.scratchpad.bytes), state_),
      accumulators_("accumulators", accumulator_capacity(config), state_),
      sequencer_("sequencer", context_of(options)),
      load_("load", UnitKind::kLoad, context_of(options), config, {.unlimited = options.unlimited_memory}),
      matrix_("matrix", context_of(options), config.array, options.stepped),
      norm_("norm", context_of(options), config.norm),
      vector_("vector", context_of(options), config.vector),
      rotate_("rotate", context_of(options), config.rotate),
      store_("store", UnitKind::kStore, context_of(options), config,
             {.unlimited = options.unlimited_memory, .second_half = !options.bind_memory}),
      units_{&load_, &matrix_, &norm_, &vector_, &rotate_, &store_} {
  sequencer_.connect(units_);
  if (options.bind_memory) {
    options.bind_memory(0, load_.socket);
    options.bind_memory(1, store_.socket);
  } else {
    dram_ = std::make_unique<DramModule>("dram", config.dram);
    load_.socket.bind(dram_->load_port);
    store_.socket.bind(dram_->store_port);
  }
}

UnitContext Accelerator::context_of(const AcceleratorOptions& options) {
  return {state_, tokens_, scratchpad_, accumulators_, config_, options.stall_seed};
}

void Accelerator::record(WaveRecorder& recorder) {
  constexpr int kCountBits = 64;
  const std::string prefix = std::string(name()) + ".";
  for (UnitModule* unit : units_) unit->record(recorder);
  recorder.add(prefix + "scratchpad.used_bytes", scratchpad_.used_bytes(), kCountBits);
  recorder.add(prefix + "accumulators.used_bytes", accumulators_.used_bytes(), kCountBits);
  recorder.add(prefix + "tokens.available", tokens_.num_available(), kCountBits);
  recorder.add(prefix + "sequencer.issued", state_.num_issued, kCountBits);
  recorder.check_selection();
}

CycleReport Accelerator::run(std::vector<Command> commands, std::size_t num_ops) {
  VectorSource source(std::move(commands));
  return run(source, num_ops);
}

CycleReport Accelerator::run(CommandSource& source, std::size_t num_ops) {
  // The first call elaborates: processes run up to their first wait, so that start() finds the sequencer waiting.
  if (!sc_core::sc_is_running()) start_systemc(sc_core::SC_ZERO_TIME);
  start_run(source, num_ops);
  start_systemc();
  if (!state_.error() && !state_.all_done()) {
    const std::string problem = describe_deadlock();
    state_.abort(std::make_exception_ptr(InternalError(problem)));
    start_systemc();  // every process discards what it has and returns to its start
  }
  if (state_.error()) std::rethrow_exception(state_.error());
  return finish_run();
}

void Accelerator::start_run(CommandSource& source, std::size_t num_ops) {
  state_.reset(now_cycle(), num_ops);
  tokens_.reset();
  scratchpad_.reset();
  accumulators_.reset();
  if (dram_) dram_->reset();
  for (UnitModule* unit : units_) unit->begin_run();
  sequencer_.start(source);
}

CycleReport Accelerator::finish_run() {
  CycleReport& report = state_.report;
  report.total = state_.end_cycle - state_.start_cycle;
  for (std::size_t unit = 0; unit < kNumUnits; ++unit) report.units[unit] = units_[unit]->finish_run(state_.end_cycle);
  for (CycleReport::OpCycles& op : report.ops) op.start = std::min(op.start, op.end);  // ops without commands: 0
  report.scratchpad_peak_bytes = scratchpad_.peak_bytes();
  report.accumulator_peak_bytes = accumulators_.peak_bytes();
  return std::move(report);
}

std::string Accelerator::describe_deadlock() const {
  std::string text = "the program cannot go on after " + std::to_string(now_cycle() - state_.start_cycle) +
                     " cycles, " + std::to_string(state_.num_issued - state_.num_finished) + " commands unfinished";
  for (const UnitModule* unit : units_) {
    if (const std::string wait = unit->describe_wait(); !wait.empty()) text += "; " + wait;
  }
  if (const std::string wait = sequencer_.describe_wait(); !wait.empty()) text += "; " + wait;
  return text;
}

}  // namespace guardbit::sim
