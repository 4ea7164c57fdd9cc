#include "sim/replay/replay_windows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "models/transformer/family.h"
#include "models/transformer/reference.h"
#include "sim/base/signal_guard.h"
#include "sim/replay/no_values.h"
#include "sim/replay/timeline_file.h"
#include "sim/replay/variant_statistics.h"
#include "sim/replay/window_values.h"
#include "sim/schedule/operation_counts.h"
#include "sim/schedule/scheduler.h"
#include "sim/trace/model_import.h"

namespace guardbit::sim {
namespace {

/// How far the windows of a variant are; a window's work is taken to be spread evenly over its tokens.
class WindowProgress {
 public:
  WindowProgress(const PhaseProgress& report, std::size_t num_windows, std::size_t num_ops)
      : report_(report), num_windows_(num_windows), num_ops_(num_ops) {}

  /// So much of the present window is done, 0 to 1.
  void at(double part) const {
    const double windows = static_cast<double>(window_) + part;
    report_(static_cast<std::size_t>(windows * static_cast<double>(num_ops_)), num_windows_ * num_ops_);
  }
  void finish_window() {
    ++window_;
    at(0);
  }

 private:
  const PhaseProgress& report_;
  std::size_t num_windows_;
  std::size_t num_ops_;
  std::size_t window_ = 0;
};

void begin_timeline(TimelineFile* timeline, const std::string& variant, const transformer::Model<float>& model) {
  if (timeline == nullptr) return;
  std::vector<std::string> names;
  for (const transformer::Op& op : model.ops) names.push_back(op.name);
  timeline->begin_variant(variant, std::move(names));
}

/// What a run is called in a timeline.
std::string describe(std::size_t window, const Pass& pass) {
  const std::string phase = pass.phase.empty() ? "" : pass.phase + ", ";
  return fmt::format("window {}, {}tokens {} to {}", window, phase, pass.tokens.begin, pass.tokens.end - 1);
}

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
              TimelineFile* timeline, const WindowProgress& progress, OpDone op_done = {}) {
  const std::size_t num_ops = model.ops.size();
  PassSchedule schedule;
  std::vector<Command> commands = schedule_tokens(model, config, pass.tokens, window_tokens, engine, &schedule.tiles);
  std::optional<OpProgress> ops;
  if (op_done) ops.emplace(commands, num_ops, std::move(op_done));
  double num_computed = 0;
  const auto num_commands = static_cast<double>(commands.size());
  for (Command& command : commands) {
    if (!command.compute) continue;
    command.compute = [&, compute = std::move(command.compute), op = command.op_index] {
      throw_if_interrupted();
      compute();
      if (ops) ops->command_done(op);
      const double pass_tokens = ++num_computed / num_commands * static_cast<double>(pass.tokens.size());
      progress.at((static_cast<double>(pass.tokens.begin) + pass_tokens) / static_cast<double>(window_tokens));
    };
  }
  schedule.macs = multiply_accumulates(commands, num_ops);
  schedule.operations = count_operations(model, config, commands);
  const CycleReport cycles = machine.run(std::move(commands), num_ops);
  if (timeline != nullptr) timeline->end_run(cycles, statistics.ledgers());
  statistics.add_pass(pass.phase, pass.tokens.size(), schedule, cycles);
}

/// Compares a window with the fp32 forward, op by op as they are done. `reference` is either complete or empty; then it
/// is computed on the way. A tensor is dropped after the last op that reads it: of a large model not all fit at once.
class WindowComparison {
 public:
  WindowComparison(const PreparedVariant& variant, const Trace::Window& window, const ReplayOptions& options,
                   const numerics::ParallelFor& parallel_for, WindowValues& simulated,
                   transformer::Activations<float>& reference, VariantStatistics& statistics, ValueObserver& observer)
      : variant_(variant),
        model_(variant.model),
        window_(window),
        targets_(scored_targets_of(window, variant.model.shape)),
        options_(options),
        parallel_for_(parallel_for),
        simulated_(simulated),
        reference_(reference),
        statistics_(statistics),
        observer_(observer) {
    for (std::size_t op = 0; op < model_.ops.size(); ++op) {
      for (const std::string& input : model_.ops[op].inputs) last_reader_[input] = op;
    }
  }

  void op_done(std::size_t index) {
    const transformer::Op& op = model_.ops[index];
    const bool is_last = index + 1 == model_.ops.size();
    if (!op.inputs.empty()) observer_.add_reference_input(index, reference_.at(op.inputs[0]));
    if (is_last && op.kind == transformer::OpKind::kLinear) {
      compare_last(index);
    } else {
      if (!reference_.contains(op.output)) reference_[op.output] = run_reference(op, reference_);
      compare_rows(index, 0, reference_.at(op.output).view());
    }
    const numerics::Matrix<float>& output = simulated_.tensor(op.output);
    if (options_.on_output) options_.on_output({variant_.name, index, variant_.storage_of(op).format, output});
    for (const std::string& input : op.inputs) {
      if (last_reader_.at(input) != index) continue;
      simulated_.drop_tensor(input);
      reference_.erase(input);
    }
    if (is_last) statistics_.add_logits(output, targets_);
  }

 private:
  numerics::Matrix<float> run_reference(const transformer::Op& op, const transformer::Activations<float>& inputs) {
    return transformer::run_reference_op(model_, op, inputs_of(window_, model_.shape), inputs, parallel_for_);
  }

  /// Logits of a large vocabulary are the largest tensor: the reference's are computed some rows at a time, which are
  /// the rows of the whole (a row of a linear layer depends on no other).
  void compare_last(std::size_t index) {
    constexpr std::size_t kRowsTogether = 128;
    const transformer::Op& op = model_.ops[index];
    const auto known = reference_.find(op.output);
    const numerics::Matrix<float>& input = reference_.at(op.inputs[0]);
    for (std::size_t begin = 0; begin < input.rows(); begin += kRowsTogether) {
      const std::size_t end = std::min(begin + kRowsTogether, input.rows());
      if (known != reference_.end()) {
        compare_rows(index, begin, known->second.view().rows_range(begin, end));
        continue;
      }
      const transformer::Activations<float> part{
          {op.inputs[0],
           numerics::Matrix<float>(end - begin, input.cols(), std::vector<float>(input.row(begin), input.row(end)))}};
      compare_rows(index, begin, run_reference(op, part).view());
    }
  }

  /// The op's output from `first_row` on.
  void compare_rows(std::size_t index, std::size_t first_row, numerics::MatrixView<const float> reference) {
    const numerics::MatrixView<const float> output = simulated_.tensor(model_.ops[index].output).view();
    statistics_.add_output(index, output.rows_range(first_row, first_row + reference.rows), reference);
    if (index + 1 != model_.ops.size()) return;
    if (options_.on_logits) {
      options_.on_logits(first_row, output.rows_range(first_row, first_row + reference.rows), reference);
    }
    // An encoder has no targets, and logits at every position or none at all.
    const std::size_t first_scored = transformer::is_causal(model_.shape) ? output.rows - targets_.size() : 0;
    const std::size_t skipped = std::min(reference.rows, first_scored - std::min(first_scored, first_row));
    statistics_.add_agreement(output.rows_range(first_row + skipped, first_row + reference.rows),
                              reference.rows_range(skipped, reference.rows));
  }

  const PreparedVariant& variant_;
  const transformer::Model<float>& model_;
  const Trace::Window& window_;
  const std::span<const int> targets_;
  const ReplayOptions& options_;
  const numerics::ParallelFor& parallel_for_;
  WindowValues& simulated_;
  transformer::Activations<float>& reference_;
  VariantStatistics& statistics_;
  ValueObserver& observer_;
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
                             Accelerator& machine, PeRequestSlot* stepped, const PhaseProgress& op_progress) {
  VariantStatistics statistics(variant.name, variant.model);
  begin_timeline(options.timeline, variant.name, variant.model);
  ValueObserver observer(variant);
  WindowProgress progress(op_progress, windows.size(), variant.model.ops.size());
  for (std::size_t index = 0; index < windows.size(); ++index) {
    throw_if_interrupted();
    const std::span<const int> inputs = inputs_of(windows[index], variant.model.shape);
    observer.begin_window(index);
    transformer::Activations<float> reference;
    if (options.open_loop) reference = transformer::run_reference(variant.model, inputs, parallel_for);
    WindowValues values(variant,
                        {.tokens = inputs,
                         .seed = options.seed + (static_cast<std::uint64_t>(index) << 32),
                         .parallel_for = parallel_for,
                         .recorded = options.open_loop ? &reference : nullptr,
                         .observer = &observer,
                         .stepped = stepped},
                        statistics.ledgers());
    WindowComparison comparison(variant, windows[index], options, parallel_for, values, reference, statistics,
                                observer);
    const std::size_t num_tokens = inputs.size();
    for (const Pass& pass : passes_of(num_tokens, options.decode)) {
      values.begin_pass(pass.tokens);
      if (options.timeline != nullptr) options.timeline->begin_run(describe(index, pass));
      OpDone op_done;  // every tensor is complete in the last pass
      if (pass.tokens.end == num_tokens) op_done = [&](std::size_t op) { comparison.op_done(op); };
      run_pass(variant.model, variant.config, pass, num_tokens, values, machine, statistics, options.timeline, progress,
               op_done);
    }
    progress.finish_window();
  }
  VariantResult result = statistics.finish(variant.config);
  observer.finish(result);
  return result;
}

VariantResult time_variant(const std::string& name, const transformer::Model<float>& model,
                           const units::AcceleratorConfig& config, std::span<const Trace::Window> windows,
                           std::size_t decode, Accelerator& machine, TimelineFile* timeline,
                           const PhaseProgress& op_progress) {
  VariantStatistics statistics(name, model);
  begin_timeline(timeline, name, model);
  WindowProgress progress(op_progress, windows.size(), model.ops.size());
  NoValues engine;
  for (std::size_t index = 0; index < windows.size(); ++index) {
    throw_if_interrupted();
    const std::size_t num_tokens = inputs_of(windows[index], model.shape).size();
    for (const Pass& pass : passes_of(num_tokens, decode)) {
      if (timeline != nullptr) timeline->begin_run(describe(index, pass));
      run_pass(model, config, pass, num_tokens, engine, machine, statistics, timeline, progress);
    }
    progress.finish_window();
  }
  return statistics.finish(config);
}

}  // namespace guardbit::sim
