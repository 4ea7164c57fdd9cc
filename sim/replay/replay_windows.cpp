#include "sim/replay/replay_windows.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "models/transformer/reference.h"
#include "sim/base/signal_guard.h"
#include "sim/replay/no_values.h"
#include "sim/replay/variant_statistics.h"
#include "sim/replay/window_values.h"
#include "sim/schedule/operation_counts.h"
#include "sim/schedule/scheduler.h"
#include "sim/trace/model_import.h"

namespace guardbit::sim {
namespace {

/// Told after the last command that computes something for an op, in the order of the ops.
using OpDone = std::function<void(std::size_t op)>;

/// Calls op_done when all commands of an op and of those before it have computed.
class OpProgress {
 public:
  OpProgress(std::span<const Command> commands, std::size_t num_ops, OpDone op_done)
      : remaining_(num_ops), op_done_(std::move(op_done)) {
    for (const Command& command : commands) remaining_[command.op_index] += command.compute ? 1 : 0;
  }
  void command_done(std::size_t op) {
    --remaining_[op];
    for (; next_ < remaining_.size() && remaining_[next_] == 0; ++next_) op_done_(next_);
  }

 private:
  std::vector<std::uint64_t> remaining_;  // commands, by op
  std::size_t next_ = 0;                  ///< op
  OpDone op_done_;
};

/// One run of the machine: some tokens of a window through the whole model. `op_done` may be empty.
void run_pass(const transformer::Model<float>& model, const units::AcceleratorConfig& config, const Pass& pass,
              std::size_t window_tokens, ValueEngine& engine, Accelerator& machine, VariantStatistics& statistics,
              OpDone op_done = {}) {
  const std::size_t num_ops = model.ops.size();
  PassSchedule schedule;
  std::vector<Command> commands = schedule_tokens(model, config, pass.tokens, window_tokens, engine, &schedule.tiles);
  std::optional<OpProgress> progress;
  if (op_done) progress.emplace(commands, num_ops, std::move(op_done));
  for (Command& command : commands) {
    if (!command.compute) continue;
    command.compute = [compute = std::move(command.compute), op = command.op_index, &progress] {
      throw_if_interrupted();
      compute();
      if (progress) progress->command_done(op);
    };
  }
  schedule.macs = multiply_accumulates(commands, num_ops);
  schedule.operations = count_operations(model, config, commands);
  statistics.add_pass(pass.phase, pass.tokens.size(), schedule, machine.run(std::move(commands), num_ops));
}

/// Compares a window with the fp32 forward, op by op as they are done. `reference` is either complete or empty; then it
/// is computed on the way. A tensor is dropped after the last op that reads it: of a large model not all fit at once.
class WindowComparison {
 public:
  WindowComparison(const transformer::Model<float>& model, const Trace::Window& window,
                   const numerics::ParallelFor& parallel_for, WindowValues& simulated,
                   transformer::Activations<float>& reference, VariantStatistics& statistics)
      : model_(model),
        window_(window),
        parallel_for_(parallel_for),
        simulated_(simulated),
        reference_(reference),
        statistics_(statistics) {
    for (std::size_t op = 0; op < model.ops.size(); ++op) {
      for (const std::string& input : model.ops[op].inputs) last_reader_[input] = op;
    }
  }

  void op_done(std::size_t index) {
    const transformer::Op& op = model_.ops[index];
    if (!reference_.contains(op.output)) {
      reference_[op.output] =
          transformer::run_reference_op(model_, op, inputs_of(window_, model_.shape), reference_, parallel_for_);
    }
    statistics_.add_output(index, simulated_.tensor(op.output), reference_.at(op.output));
    for (const std::string& input : op.inputs) {
      if (last_reader_.at(input) != index) continue;
      simulated_.drop_tensor(input);
      reference_.erase(input);
    }
    if (index + 1 == model_.ops.size()) {
      statistics_.add_logits(simulated_.tensor(op.output), reference_.at(op.output),
                             scored_targets_of(window_, model_.shape));
    }
  }

 private:
  const transformer::Model<float>& model_;
  const Trace::Window& window_;
  const numerics::ParallelFor& parallel_for_;
  WindowValues& simulated_;
  transformer::Activations<float>& reference_;
  VariantStatistics& statistics_;
  std::map<std::string, std::size_t> last_reader_;
};

}  // namespace

std::vector<Pass> passes_of(std::size_t num_tokens, std::size_t decode) {
  if (decode == 0) return {{{0, num_tokens}, ""}};
  std::vector<Pass> passes;
  const std::size_t prefilled = num_tokens - std::min(decode, num_tokens);
  if (prefilled > 0) passes.push_back({{0, prefilled}, "prefill"});
  for (std::size_t token = prefilled; token < num_tokens; ++token) passes.push_back({{token, token + 1}, "decode"});
  return passes;
}

VariantResult replay_variant(const PreparedVariant& variant, std::span<const Trace::Window> windows,
                             const ReplayOptions& options, const numerics::ParallelFor& parallel_for,
                             Accelerator& machine, PeRequestSlot* stepped, const std::function<void()>& window_done) {
  VariantStatistics statistics(variant.name, variant.model);
  for (std::size_t index = 0; index < windows.size(); ++index) {
    throw_if_interrupted();
    const std::span<const int> inputs = inputs_of(windows[index], variant.model.shape);
    transformer::Activations<float> reference;
    if (options.open_loop) reference = transformer::run_reference(variant.model, inputs, parallel_for);
    WindowValues values(variant,
                        {.tokens = inputs,
                         .seed = options.seed + (static_cast<std::uint64_t>(index) << 32),
                         .parallel_for = parallel_for,
                         .recorded = options.open_loop ? &reference : nullptr,
                         .stepped = stepped},
                        statistics.ledgers());
    WindowComparison comparison(variant.model, windows[index], parallel_for, values, reference, statistics);
    const std::size_t num_tokens = inputs.size();
    for (const Pass& pass : passes_of(num_tokens, options.decode)) {
      values.begin_pass(pass.tokens);
      OpDone op_done;  // every tensor is complete in the last pass
      if (pass.tokens.end == num_tokens) op_done = [&](std::size_t op) { comparison.op_done(op); };
      run_pass(variant.model, variant.config, pass, num_tokens, values, machine, statistics, op_done);
    }
    window_done();
  }
  return statistics.finish(variant.config);
}

VariantResult time_variant(const std::string& name, const transformer::Model<float>& model,
                           const units::AcceleratorConfig& config, std::span<const Trace::Window> windows,
                           std::size_t decode, Accelerator& machine, const std::function<void()>& window_done) {
  VariantStatistics statistics(name, model);
  NoValues engine;
  for (const Trace::Window& window : windows) {
    throw_if_interrupted();
    const std::size_t num_tokens = inputs_of(window, model.shape).size();
    for (const Pass& pass : passes_of(num_tokens, decode)) {
      run_pass(model, config, pass, num_tokens, engine, machine, statistics);
    }
    window_done();
  }
  return statistics.finish(config);
}

}  // namespace guardbit::sim
