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
#include "sim/modules/accelerator.h"
#include "sim/replay/build_info.h"
#include "sim/replay/no_values.h"
#include "sim/replay/prepared_variant.h"
#include "sim/replay/replay_windows.h"
#include "sim/replay/variant_statistics.h"
#include "sim/schedule/operation_counts.h"
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
    const bool is_recorded = !std::isnan(recorded);
    if (is_recorded && !(std::abs(sum - recorded) <= kTolerance * std::max(1.0, std::abs(recorded)))) {
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
  if (options.stall_seed) entries["stall_seed"] = std::to_string(*options.stall_seed);
  return entries;
}

/// The windows that the options ask for. Of a shortened one no likelihood is recorded.
std::vector<Trace::Window> windows_of(const Trace& trace, const ReplayOptions& options) {
  std::vector<Trace::Window> windows = trace.windows;
  if (options.max_windows != 0) windows.resize(std::min(options.max_windows, windows.size()));
  if (options.max_tokens == 0) return windows;
  for (Trace::Window& window : windows) {
    if (inputs_of(window, trace.shape).size() <= options.max_tokens) continue;
    window.tokens.resize(options.max_tokens + (transformer::is_causal(trace.shape) ? 1 : 0));
    window.reference_nll = std::numeric_limits<double>::quiet_NaN();
  }
  return windows;
}

calibration::CalibrationOptions calibration_options(const LoadedAccelerator& accelerator,
                                                    const ReplayOptions& options) {
  calibration::CalibrationOptions calibration = options.calibration;
  calibration.seed = options.seed;
  calibration.pow2_scales = accelerator.config.norm.scale == "pow2";
  return calibration;
}

/// What the trace, the accelerator and the options say, before anything runs.
ReplayResult describe(const Trace& trace, const LoadedAccelerator& accelerator, const ReplayOptions& options,
                      std::span<const Trace::Window> windows) {
  ReplayResult result;
  for (const Trace::Window& window : windows) result.num_tokens += inputs_of(window, trace.shape).size();
  result.provenance = provenance(trace, accelerator, options);
  result.trace_name = trace.name;
  result.num_windows = windows.size();
  result.mode = options.open_loop ? "open_loop" : "closed_loop";
  if (!options.values) result.mode = "no_values";
  result.residual_gain = options.residual_gain;
  result.channel_gain = options.channel_gain;
  result.channels = options.channels;
  result.accelerator_name = accelerator.name;
  result.accelerator_keys = accelerator.keys;
  result.clock_mhz = accelerator.config.clock.mhz;
  result.area_um2 = area_of(accelerator.config);
  result.reference_perplexity = std::numeric_limits<double>::quiet_NaN();
  return result;
}

/// Shapes and switches of a variant's model.
transformer::Model<float> outline(const Trace& trace, const std::string& variant,
                                  const calibration::CalibrationOptions& calibration) {
  transformer::Model<float> model = load_outline(trace);
  apply_to_trace(trace, [&] { calibration::outline_variant(variant, model, calibration); });
  return model;
}

/// Whether every op of every variant can be cut to fit the hardware: known from shapes, before anything long begins.
void check_schedules(const Trace& trace, const LoadedAccelerator& accelerator, const ReplayOptions& options,
                     const calibration::CalibrationOptions& calibration, std::size_t longest_window) {
  for (const std::string& variant : options.variants) {
    const transformer::Model<float> model = outline(trace, variant, calibration);
    NoValues engine;
    for (const Pass& pass : passes_of(longest_window, options.decode)) {
      const bool needs_most = pass.phase != "decode" || pass.tokens.end == longest_window;
      if (needs_most) (void)schedule_tokens(model, accelerator.config, pass.tokens, longest_window, engine);
    }
  }
}

void require_stepped_modes(const units::AcceleratorConfig& config) {
  const std::array modes = {units::make_matrix_mode(config.array, config.linear, config.accumulator),
                            units::make_matrix_mode(config.array, config.attention, config.attention_accumulator),
                            units::make_matrix_mode(config.array, config.head, config.head_accumulator)};
  require_stepped_array(config.array, modes);
}

/// An outline has all that the variant's time depends on.
void require_outlined_time(const std::string& variant, const calibration::CalibrationOptions& calibration) {
  if (!calibration::time_needs_weights(variant, calibration)) return;
  throw UserError(ExitCode::kUsage,
                  fmt::format("--no-values: got variant {} with norm.scale = \"exact\"; expected \"pow2\", or a replay "
                              "with values: whether such a scale costs a multiplication is in the weights",
                              variant));
}

}  // namespace

CheckedModel load_checked_model(const Trace& trace, const ReplayOptions& options,
                                const numerics::ParallelFor& parallel_for) {
  CheckedModel checked{.model = load_scaled_model(trace, options, parallel_for)};
  checked.reference_perplexity = reference_perplexity(trace, checked.model, windows_of(trace, options), parallel_for);
  return checked;
}

SharedModel share_model(const Trace& trace, const CheckedModel& checked, const std::string& variant,
                        const LoadedAccelerator& accelerator, const ReplayOptions& options) {
  SharedModel shared{.rewritten = checked.model, .reference_perplexity = checked.reference_perplexity};
  const calibration::CalibrationOptions calibration = calibration_options(accelerator, options);
  apply_to_trace(trace, [&] { calibration::apply_variant(variant, shared.rewritten, calibration); });
  return shared;
}

std::string shared_model_key(const std::string& variant, const LoadedAccelerator& accelerator,
                             const ReplayOptions& options) {
  const calibration::CalibrationOptions calibration = calibration_options(accelerator, options);
  return fmt::format("{} {} {} {} {}", variant, calibration.seed, calibration.pow2_scales, calibration.target_norm,
                     calibration.smooth_qkv);
}

ReplayResult replay(const Trace& trace, const LoadedAccelerator& accelerator, const ReplayOptions& options,
                    const numerics::ParallelFor& parallel_for, const Progress& progress, const SharedModel* shared) {
  const std::vector<Trace::Window> windows = windows_of(trace, options);
  const std::size_t num_windows = windows.size();
  std::size_t longest = 0;
  for (const Trace::Window& window : windows) longest = std::max(longest, inputs_of(window, trace.shape).size());

  check_variants(options.variants);
  if (options.decode > 0 && !transformer::is_causal(trace.shape)) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--decode: got {}; expected 0: {} is an encoder, whose tokens see later ones",
                                options.decode, trace.name));
  }
  const calibration::CalibrationOptions calibration = calibration_options(accelerator, options);
  if (options.stepped) require_stepped_modes(accelerator.config);
  check_schedules(trace, accelerator, options, calibration, longest);
  ReplayResult result = describe(trace, accelerator, options, windows);
  transformer::Model<float> model;
  if (options.values && shared != nullptr) {
    result.reference_perplexity = shared->reference_perplexity;
  } else if (options.values) {
    CheckedModel checked = load_checked_model(trace, options, parallel_for);
    model = std::move(checked.model);
    result.reference_perplexity = checked.reference_perplexity;
  }
  PeRequestSlot requests;
  PeRequestSlot* const stepped = options.stepped ? &requests : nullptr;
  Accelerator machine("accelerator", accelerator.config, {.stall_seed = options.stall_seed, .stepped = stepped});
  std::optional<WaveRecorder> recorder;
  if (options.wave) machine.record(recorder.emplace(*options.wave));
  std::size_t done = 0;
  for (const std::string& name : options.variants) {
    const auto window_done = [&] {
      if (progress) progress(++done, options.variants.size() * num_windows, name);
    };
    if (!options.values) {
      require_outlined_time(name, calibration);
      result.variants.push_back(time_variant(name, outline(trace, name, calibration), accelerator.config, windows,
                                             options.decode, machine, window_done));
      continue;
    }
    // The last variant needs the model for itself: a large one does not fit twice.
    transformer::Model<float> rewritten = &name == &options.variants.back() ? std::move(model) : model;
    if (shared != nullptr) {
      rewritten = shared->rewritten;
    } else {
      apply_to_trace(trace, [&] { calibration::apply_variant(name, rewritten, calibration); });
    }
    const PreparedVariant variant =
        prepare_variant(name, std::move(rewritten), accelerator.config, longest, parallel_for);
    result.variants.push_back(replay_variant(variant, windows, options, parallel_for, machine, stepped, window_done));
  }
  if (recorder) recorder->finish();
  return result;
}

}  // namespace guardbit::sim
