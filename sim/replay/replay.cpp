#include "sim/replay/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "models/kernels/vector_target.h"
#include "models/transformer/family.h"
#include "models/transformer/reference.h"
#include "sim/base/error.h"
#include "sim/modules/accelerator.h"
#include "sim/replay/build_info.h"
#include "sim/replay/no_values.h"
#include "sim/replay/prepared_variant.h"
#include "sim/replay/replay_inputs.h"
#include "sim/replay/replay_windows.h"
#include "sim/replay/scaled_model.h"
#include "sim/replay/shared_model.h"
#include "sim/replay/timeline_file.h"
#include "sim/replay/variant_statistics.h"
#include "sim/schedule/operation_counts.h"
#include "sim/schedule/scheduler.h"
#include "sim/trace/model_import.h"

namespace guardbit::sim {
namespace {

std::map<std::string, std::string> provenance(const Trace& trace, const LoadedAccelerator& accelerator,
                                              const ReplayOptions& options) {
  std::map<std::string, std::string> entries = build_provenance();
  entries["vector_target"] = kernels::vector_target();
  entries["accelerator_sha256"] = accelerator.sha256;
  entries["trace_sha256"] = trace.sha256;
  entries["trace_origin"] = trace.origin;
  entries["seed"] = std::to_string(options.seed);
  entries["fidelity"] = options.stepped ? "pe" : "tile";
  if (options.stall_seed) entries["stall_seed"] = std::to_string(*options.stall_seed);
  return entries;
}

/// Windows, stride and targets of the perplexity.
PerplexityBasis basis_of(const Trace& trace, std::span<const Trace::Window> windows) {
  PerplexityBasis basis;
  for (const Trace::Window& window : windows) {
    basis.context = std::max<std::uint64_t>(basis.context, inputs_of(window, trace.shape).size());
    basis.scored_tokens += scored_targets_of(window, trace.shape).size();
  }
  // The windows behind the first leave out what the one before has predicted.
  const std::size_t overlap = windows.size() > 1 ? windows[1].num_unscored : 0;
  const bool regular = std::all_of(windows.begin() + (windows.empty() ? 0 : 1), windows.end(),
                                   [overlap](const Trace::Window& window) { return window.num_unscored == overlap; });
  if (regular && basis.scored_tokens > 0 && overlap <= basis.context) basis.stride = basis.context - overlap;
  return basis;
}

/// Shapes and switches of a variant's model.
transformer::Model<float> outline(const Trace& trace, const RunnableVariant& variant) {
  transformer::Model<float> model = load_outline(trace);
  apply_to_trace(trace, [&] { variant.outline(model); });
  return model;
}

/// What the trace, the accelerator and the options say, before anything runs.
ReplayResult describe(const Trace& trace, const LoadedAccelerator& accelerator, const ReplayOptions& options,
                      const std::vector<RunnableVariant>& variants, std::span<const Trace::Window> windows) {
  ReplayResult result;
  for (const Trace::Window& window : windows) result.num_tokens += inputs_of(window, trace.shape).size();
  result.provenance = provenance(trace, accelerator, options);
  result.trace_name = trace.name;
  result.num_windows = windows.size();
  result.basis = basis_of(trace, windows);
  result.mode = options.open_loop ? "open_loop" : "closed_loop";
  if (!options.values) result.mode = "no_values";
  result.residual_gain = options.residual_gain;
  result.channel_gain = options.channel_gain;
  result.channels = options.channels;
  result.accelerator_name = accelerator.name;
  result.accelerator_keys = accelerator.keys;
  result.clock_mhz = accelerator.config.clock.mhz;
  result.area_um2 = area_of(accelerator.config);
  for (const RunnableVariant& variant : variants) {
    for (const auto& [part, um2] : operand_area_of(outline(trace, variant), variant.config())) {
      double& most = result.area_um2[part];  // of what the variants need
      most = std::max(most, um2);
    }
  }
  result.reference_perplexity = std::numeric_limits<double>::quiet_NaN();
  return result;
}

/// What is known from shapes, before anything long begins: whether every op of every variant can be cut to fit the
/// hardware and its groups can be summed.
void check_schedules(const Trace& trace, const std::vector<RunnableVariant>& variants, const ReplayOptions& options,
                     std::size_t longest_window) {
  for (const RunnableVariant& variant : variants) {
    const transformer::Model<float> model = outline(trace, variant);
    of_variants_option([&] { variant.check(model); });
    NoValues engine;
    for (const Pass& pass : passes_of(longest_window, options.decode)) {
      const bool needs_most = pass.phase != "decode" || pass.tokens.end == longest_window;
      if (needs_most) (void)schedule_tokens(model, variant.config(), pass.tokens, longest_window, engine);
    }
  }
}

/// An outline has all that the variant's time depends on.
void require_outlined_time(const RunnableVariant& variant) {
  if (!variant.time_needs_weights()) return;
  throw UserError(ExitCode::kUsage,
                  fmt::format("--no-values: got variant {} with norm.scale = \"exact\"; expected \"pow2\", or a replay "
                              "with values: whether such a scale costs a multiplication is in the weights",
                              variant.name()));
}

}  // namespace

ReplayResult replay(const Trace& trace, const LoadedAccelerator& accelerator, const ReplayOptions& options,
                    const numerics::ParallelFor& parallel_for, const Progress& progress, const SharedModel* shared) {
  const std::vector<Trace::Window> windows = windows_of(trace, options);
  std::size_t longest = 0;
  for (const Trace::Window& window : windows) longest = std::max(longest, inputs_of(window, trace.shape).size());

  const std::vector<RunnableVariant> variants =
      runnable_variants(options.variants, accelerator.config, options, parallel_for);
  if (options.decode > 0 && !transformer::is_causal(trace.shape)) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--decode: got {}; expected 0: {} is an encoder, whose tokens see later ones",
                                options.decode, trace.name));
  }
  if (options.stepped) require_stepped_array(accelerator.config.array);
  check_schedules(trace, variants, options, longest);
  ReplayResult result = describe(trace, accelerator, options, variants, windows);
  const std::optional<CalibrationText> text = calibration_text_of(trace, options, variants, parallel_for);
  if (text) add_provenance(*text, result.provenance);
  transformer::Model<float> model;
  if (options.values && shared != nullptr) {
    result.reference_perplexity = shared->reference_perplexity;
  } else if (options.values) {
    CheckedModel checked = load_checked_model(trace, options, parallel_for, progress);
    model = std::move(checked.model);
    result.reference_perplexity = checked.reference_perplexity;
  }
  PeRequestSlot requests;
  PeRequestSlot* const stepped = options.stepped ? &requests : nullptr;
  Accelerator machine("accelerator", accelerator.config, {.stall_seed = options.stall_seed, .stepped = stepped});
  std::optional<WaveRecorder> recorder;
  if (options.wave) machine.record(recorder.emplace(*options.wave));
  if (options.timeline != nullptr) machine.record(options.timeline->recorder());
  for (const RunnableVariant& variant : variants) {
    const std::string name = variant.name();
    const auto in_phase = [&](const char* phase) {
      return [&progress, what = name + ": " + phase](std::size_t done, std::size_t total) {
        if (progress) progress(done, total, what);
      };
    };
    if (!options.values) {
      require_outlined_time(variant);
      const transformer::Model<float> outlined = outline(trace, variant);
      result.variants.push_back(time_variant(name, outlined, variant.config(), windows, options.decode, machine,
                                             options.timeline, in_phase("simulate")));
      result.variants.back().ran_with = describe_hardware(outlined, variant.config(), accelerator.config);
      continue;
    }
    // Variants share the weights that they leave alone; the last one need not leave any.
    transformer::Model<float> rewritten = &variant == &variants.back() ? std::move(model) : model;
    calibration::ActivationRanges ranges;
    if (shared != nullptr) {
      rewritten = shared->rewritten;
      ranges = shared->activation_ranges;
    } else {
      in_phase("calibrate")(0, rewritten.ops.size());
      const auto tell = [&](std::string_view method, std::size_t done, std::size_t total) {
        if (progress) progress(done, total, fmt::format("{}: calibrate ({})", name, method));
      };
      const calibration::CalibrationData* const data = text ? &text->data : nullptr;
      apply_to_trace(trace, [&] { variant.apply(rewritten, data, tell); });
      ranges = variant.activation_ranges(rewritten, data, tell);
    }
    const PreparedVariant prepared = prepare_variant(name, std::move(rewritten), variant.config(), longest, ranges,
                                                     parallel_for, in_phase("quantize"));
    result.variants.push_back(
        replay_variant(prepared, windows, options, parallel_for, machine, stepped, in_phase("simulate")));
    result.variants.back().ran_with = describe_hardware(prepared.model, variant.config(), accelerator.config);
  }
  if (recorder) recorder->finish();
  return result;
}

}  // namespace guardbit::sim
