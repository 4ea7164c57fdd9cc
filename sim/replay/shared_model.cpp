#include "sim/replay/shared_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "models/transformer/family.h"
#include "models/transformer/reference.h"
#include "sim/base/error.h"
#include "sim/replay/replay_inputs.h"
#include "sim/replay/scaled_model.h"
#include "sim/replay/variant_statistics.h"
#include "sim/trace/model_import.h"

namespace guardbit::sim {
namespace {

/// The fp32 forward's perplexity; NaN for an encoder, which predicts no next token. Each window's likelihood must be
/// the recorded one: gains leave the function alone, so another value means that tokens, weights or record were
/// altered.
double reference_perplexity(const Trace& trace, const transformer::Model<float>& model,
                            std::span<const Trace::Window> windows, const numerics::ParallelFor& parallel_for,
                            const Progress& progress) {
  constexpr double kTolerance = 1e-4;  // fp32 sums in another order differ by far less
  if (!transformer::is_causal(model.shape)) return std::numeric_limits<double>::quiet_NaN();
  double likelihood = 0;
  std::uint64_t num_tokens = 0;
  std::size_t num_ops = 0;
  for (std::size_t index = 0; index < windows.size(); ++index) {
    double sum = 0;
    transformer::visit_reference<float>(
        model, inputs_of(windows[index], model.shape),
        [&](const transformer::Op& op, const numerics::Matrix<float>& output) {
          if (progress) progress(++num_ops, windows.size() * model.ops.size(), "fp32 reference");
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

}  // namespace

CheckedModel load_checked_model(const Trace& trace, const ReplayOptions& options,
                                const numerics::ParallelFor& parallel_for, const Progress& progress) {
  CheckedModel checked{.model = load_scaled_model(trace, options, parallel_for)};
  checked.reference_perplexity =
      reference_perplexity(trace, checked.model, windows_of(trace, options), parallel_for, progress);
  return checked;
}

SharedModel share_model(const Trace& trace, const CheckedModel& checked, const std::string& variant,
                        const LoadedAccelerator& accelerator, const ReplayOptions& options) {
  SharedModel shared{
      .rewritten = checked.model, .activation_ranges = {}, .reference_perplexity = checked.reference_perplexity};
  const std::vector<RunnableVariant> variants = runnable_variants({variant}, accelerator.config, options, {});
  const std::optional<CalibrationText> text = calibration_text_of(trace, options, variants, {});
  const calibration::CalibrationData* const data = text ? &text->data : nullptr;
  apply_to_trace(trace, [&] { variants.front().apply(shared.rewritten, data); });
  shared.activation_ranges = variants.front().activation_ranges(shared.rewritten, data);
  return shared;
}

std::string shared_model_key(const std::string& variant, const LoadedAccelerator& accelerator,
                             const ReplayOptions& options) {
  const std::vector<RunnableVariant> variants = runnable_variants({variant}, accelerator.config, options, {});
  return fmt::format("{} {} {}", variants.front().model_key(), options.max_calibration_windows,
                     options.calibration_text);
}

}  // namespace guardbit::sim
