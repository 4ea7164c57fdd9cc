#include "sim/replay/replay_windows.h"

#include <algorithm>
#include <map>
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

/// One run of the machine: some tokens of a window through the whole model.
void run_pass(const transformer::Model<float>& model, const units::AcceleratorConfig& config, const Pass& pass,
              std::size_t window_tokens, ValueEngine& engine, Accelerator& machine, VariantStatistics& statistics) {
  PassSchedule schedule;
  std::vector<Command> commands = schedule_tokens(model, config, pass.tokens, window_tokens, engine, &schedule.tiles);
  for (Command& command : commands) {
    if (!command.compute) continue;
    command.compute = [compute = std::move(command.compute)] {
      throw_if_interrupted();
      compute();
    };
  }
  const std::size_t num_ops = model.ops.size();
  schedule.macs = multiply_accumulates(commands, num_ops);
  schedule.operations = count_operations(model, config, commands);
  statistics.add_pass(pass.phase, pass.tokens.size(), schedule, machine.run(std::move(commands), num_ops));
}

/// Compares a window with the fp32 forward, op by op. `reference` is either complete or empty; then it is computed on
/// the way. A tensor is dropped after the last op that reads it: of a large model not all fit twice.
void compare_window(const PreparedVariant& variant, const Trace::Window& window, const ReplayOptions& options,
                    const numerics::ParallelFor& parallel_for, transformer::Activations<float> simulated,
                    transformer::Activations<float> reference, VariantStatistics& statistics) {
  const transformer::Model<float>& model = variant.model;
  const std::span<const int> inputs = inputs_of(window, model.shape);
  std::map<std::string, std::size_t> last_reader;
  for (std::size_t op = 0; op < model.ops.size(); ++op) {
    for (const std::string& input : model.ops[op].inputs) last_reader[input] = op;
  }
  for (std::size_t index = 0; index < model.ops.size(); ++index) {
    const transformer::Op& op = model.ops[index];
    if (!reference.contains(op.output)) {
      reference[op.output] = transformer::run_reference_op(model, op, inputs, reference, parallel_for);
    }
    statistics.add_output(index, simulated.at(op.output), reference.at(op.output));
    if (options.on_output) {
      options.on_output({variant.name, index, variant.storage_of(op).format, simulated.at(op.output)});
    }
    for (const std::string& input : op.inputs) {
      if (last_reader.at(input) != index) continue;
      simulated.erase(input);
      reference.erase(input);
    }
  }
  const std::string& logits = model.ops.back().output;
  statistics.add_logits(simulated.at(logits), reference.at(logits), scored_targets_of(window, model.shape));
}

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
    const std::size_t num_tokens = inputs.size();
    for (const Pass& pass : passes_of(num_tokens, options.decode)) {
      values.begin_pass(pass.tokens);
      run_pass(variant.model, variant.config, pass, num_tokens, values, machine, statistics);
    }
    compare_window(variant, windows[index], options, parallel_for, values.take_tensors(), std::move(reference),
                   statistics);
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
