#include "sim/replay/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "models/kernels/vector_target.h"
#include "models/transformer/family.h"
#include "models/transformer/reference.h"
#include "sim/base/error.h"
#include "sim/base/signal_guard.h"
#include "sim/modules/accelerator.h"
#include "sim/replay/build_info.h"
#include "sim/replay/prepared_variant.h"
#include "sim/replay/variant_statistics.h"
#include "sim/replay/window_values.h"
#include "sim/schedule/scheduler.h"
#include "sim/trace/model_import.h"

namespace guardbit::sim {
namespace {

/// A rewrite that the model may not allow.
template <class Rewrite>
void apply_to_trace(const Trace& trace, const Rewrite& rewrite) {
  try {
    rewrite();
  } catch (const std::invalid_argument& error) {
    throw UserError(ExitCode::kUsage, fmt::format("{}: {}", trace.directory.string(), error.what()));
  }
}

/// The model of the trace at the asked range.
transformer::Model<float> load_scaled_model(const Trace& trace, const ReplayOptions& options,
                                            const numerics::ParallelFor& parallel_for) {
  transformer::Model<float> model = load_model(trace);
  verify_trace(trace, model, parallel_for);
  if (options.residual_gain != 1) {
    apply_to_trace(trace, [&] { calibration::apply_residual_gain(model, options.residual_gain); });
  }
  if (options.channels > model.shape.hidden_size) {
    throw UserError(ExitCode::kUsage, fmt::format("--channels: got {}; expected 0..{}, the model's hidden size",
                                                  options.channels, model.shape.hidden_size));
  }
  if (options.channels > 0) {
    apply_to_trace(
        trace, [&] { calibration::apply_channel_gain(model, options.channel_gain, options.channels, options.seed); });
  }
  return model;
}

void check_variants(const std::vector<std::string>& variants) {
  try {
    for (const std::string& variant : variants) calibration::check_variant(variant);
  } catch (const std::invalid_argument& error) {
    throw UserError(ExitCode::kUsage, std::string("--variants: ") + error.what());
  }
}

/// One run of the machine: some tokens of a window through the whole model.
void run_pass(const PreparedVariant& variant, Range tokens, std::size_t window_tokens, const std::string& phase,
              WindowValues& values, Accelerator& machine, VariantStatistics& statistics) {
  values.begin_pass(tokens);
  std::vector<Command> commands = schedule_tokens(variant.model, variant.config, tokens, window_tokens, values);
  for (Command& command : commands) {
    if (!command.compute) continue;
    command.compute = [compute = std::move(command.compute)] {
      throw_if_interrupted();
      compute();
    };
  }
  const std::size_t num_ops = variant.model.ops.size();
  const std::vector<std::uint64_t> macs = multiply_accumulates(commands, num_ops);
  statistics.add_pass(phase, tokens.size(), machine.run(std::move(commands), num_ops), macs);
}

/// All windows of one variant.
VariantResult replay_variant(const PreparedVariant& variant, std::span<const Trace::Window> windows,
                             const ReplayOptions& options, const numerics::ParallelFor& parallel_for,
                             Accelerator& machine, PeRequestSlot* stepped, const std::function<void()>& window_done) {
  VariantStatistics statistics(variant.name, variant.model);
  for (std::size_t index = 0; index < windows.size(); ++index) {
    throw_if_interrupted();
    const std::span<const int> inputs = inputs_of(windows[index], variant.model.shape);
    const auto reference = transformer::run_reference(variant.model, inputs, parallel_for);
    WindowValues values(variant,
                        {.tokens = inputs,
                         .seed = options.seed + (static_cast<std::uint64_t>(index) << 32),
                         .parallel_for = parallel_for,
                         .recorded = options.open_loop ? &reference : nullptr,
                         .stepped = stepped},
                        statistics.ledgers());
    const std::size_t num_tokens = inputs.size();
    const std::size_t prefilled = num_tokens - std::min(options.decode, num_tokens);
    if (prefilled > 0) {
      run_pass(variant, {0, prefilled}, num_tokens, options.decode == 0 ? "" : "prefill", values, machine, statistics);
    }
    for (std::size_t token = prefilled; token < num_tokens; ++token) {
      run_pass(variant, {token, token + 1}, num_tokens, "decode", values, machine, statistics);
    }
    statistics.add_window(values.tensors(), reference, scored_targets_of(windows[index], variant.model.shape));
    window_done();
  }
  const units::ArrayConfig& array = variant.config.array;
  return statistics.finish(static_cast<double>(array.rows * array.cols * array.dot_width));
}

/// The fp32 forward's perplexity; NaN for an encoder, which predicts no next token. Each window's likelihood must be
/// the recorded one: gains leave the function alone, so another value means that tokens, weights or record were
/// altered.
double reference_perplexity(const Trace& trace, const transformer::Model<float>& model,
                            std::span<const Trace::Window> windows, const numerics::ParallelFor& parallel_for) {
  constexpr double kTolerance = 1e-4;  // fp32 sums in another order differ by far less
  if (!transformer::is_causal(model.shape)) return std::numeric_limits<double>::quiet_NaN();
  double likelihood = 0;
  std::uint64_t num_tokens = 0;
  for (std::size_t index = 0; index < windows.size(); ++index) {
    double sum = 0;
    transformer::visit_reference<float>(
        model, inputs_of(windows[index], model.shape),
        [&](const transformer::Op& op, const numerics::Matrix<float>& output) {
          if (&op == &model.ops.back()) sum = scored_nll(windows[index], model.shape, output);
        },
        parallel_for);
    const double recorded = windows[index].reference_nll;
    if (!(std::abs(sum - recorded) <= kTolerance * std::max(1.0, std::abs(recorded)))) {
      throw UserError(
          ExitCode::kMalformedInput,
          fmt::format("{}: /windows/{}/reference_nll: got {}; expected {:.6g}, what the weights and tokens give",
                      (trace.directory / kTraceFile).string(), index, recorded, sum));
    }
    likelihood += sum;
    num_tokens += scored_targets_of(windows[index], model.shape).size();
  }
  return perplexity(likelihood, num_tokens);
}

std::map<std::string, std::string> provenance(const Trace& trace, const LoadedAccelerator& accelerator,
                                              const ReplayOptions& options) {
  std::map<std::string, std::string> entries = build_provenance();
  entries["vector_target"] = kernels::vector_target();
  entries["accelerator_sha256"] = accelerator.sha256;
  entries["trace_sha256"] = trace.sha256;
  entries["seed"] = std::to_string(options.seed);
  entries["fidelity"] = options.stepped ? "pe" : "tile";
  return entries;
}

}  // namespace

ReplayResult replay(const Trace& trace, const LoadedAccelerator& accelerator, const ReplayOptions& options,
                    const numerics::ParallelFor& parallel_for, const Progress& progress) {
  const std::size_t num_windows =
      options.max_windows == 0 ? trace.windows.size() : std::min(options.max_windows, trace.windows.size());
  const std::span<const Trace::Window> windows = std::span(trace.windows).first(num_windows);
  std::size_t longest = 0;
  ReplayResult result;
  for (const Trace::Window& window : windows) {
    const std::size_t num_inputs = inputs_of(window, trace.shape).size();
    longest = std::max(longest, num_inputs);
    result.num_tokens += num_inputs;
  }

  check_variants(options.variants);
  if (options.decode > 0 && !transformer::is_causal(trace.shape)) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--decode: got {}; expected 0: {} is an encoder, whose tokens see later ones",
                                options.decode, trace.name));
  }
  const transformer::Model<float> model = load_scaled_model(trace, options, parallel_for);
  calibration::CalibrationOptions calibration = options.calibration;
  calibration.seed = options.seed;
  calibration.pow2_scales = accelerator.config.norm.scale == "pow2";

  result.provenance = provenance(trace, accelerator, options);
  result.trace_name = trace.name;
  result.num_windows = num_windows;
  result.mode = options.open_loop ? "open_loop" : "closed_loop";
  result.residual_gain = options.residual_gain;
  result.channel_gain = options.channel_gain;
  result.channels = options.channels;
  result.accelerator_name = accelerator.name;
  result.accelerator_keys = accelerator.keys;
  result.clock_mhz = accelerator.config.clock.mhz;
  result.reference_perplexity = reference_perplexity(trace, model, windows, parallel_for);

  PeRequestSlot requests;
  PeRequestSlot* const stepped = options.stepped ? &requests : nullptr;
  if (options.stepped) {
    const units::AcceleratorConfig& config = accelerator.config;
    const std::array modes = {units::make_matrix_mode(config.array, config.linear, config.accumulator),
                              units::make_matrix_mode(config.array, config.attention, config.attention_accumulator),
                              units::make_matrix_mode(config.array, config.head, config.head_accumulator)};
    require_stepped_array(config.array, modes);
  }
  Accelerator machine("accelerator", accelerator.config, {.stepped = stepped});
  std::size_t done = 0;
  for (const std::string& name : options.variants) {
    transformer::Model<float> rewritten = model;
    apply_to_trace(trace, [&] { calibration::apply_variant(name, rewritten, calibration); });
    const PreparedVariant variant =
        prepare_variant(name, std::move(rewritten), accelerator.config, longest, parallel_for);
    result.variants.push_back(replay_variant(variant, windows, options, parallel_for, machine, stepped, [&] {
      if (progress) progress(++done, options.variants.size() * num_windows, name);
    }));
  }
  return result;
}

}  // namespace guardbit::sim
