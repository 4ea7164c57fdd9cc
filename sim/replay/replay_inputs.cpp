#include "sim/replay/replay_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "models/transformer/family.h"
#include "sim/base/error.h"

namespace guardbit::sim {

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

std::vector<std::string> shortages_of(const Trace& trace, const ReplayOptions& options) {
  std::vector<std::string> shortages;
  if (options.max_windows > trace.windows.size()) {
    shortages.push_back(fmt::format("windows: got {}; {} has {}, all of which are replayed", options.max_windows,
                                    printable(trace.name), trace.windows.size()));
  }
  std::size_t longest = 0;
  for (const Trace::Window& window : trace.windows) longest = std::max(longest, inputs_of(window, trace.shape).size());
  if (options.max_tokens > longest) {
    shortages.push_back(fmt::format("tokens: got {}; the longest window of {} has {}, all of which are replayed",
                                    options.max_tokens, printable(trace.name), longest));
  }
  return shortages;
}

std::vector<std::string> variant_names(const std::vector<std::string>& texts) {
  return of_variants_option([&] {
    std::vector<std::string> names;
    for (const std::string& text : texts) names.push_back(calibration::parse_variant(text).canonical_text());
    return names;
  });
}

std::vector<RunnableVariant> runnable_variants(const std::vector<std::string>& texts,
                                               const units::AcceleratorConfig& config, const ReplayOptions& options,
                                               const numerics::ParallelFor& parallel_for) {
  calibration::CalibrationOptions calibration = options.calibration;
  calibration.seed = options.seed;
  calibration.pow2_scales = config.norm.scale == "pow2";
  calibration.parallel_for = parallel_for;
  return of_variants_option([&] {
    std::vector<RunnableVariant> variants;
    for (const std::string& text : texts) {
      const calibration::Variant variant = calibration::parse_variant(text);
      variants.emplace_back(variant, variant_hardware(variant, config), calibration);
      const auto is_twin = [&](const RunnableVariant& other) { return other.name() == variant.canonical_text(); };
      if (std::any_of(variants.begin(), variants.end() - 1, is_twin)) {
        throw std::invalid_argument("got " + variant.canonical_text() + " twice; expected once");
      }
    }
    return variants;
  });
}

std::optional<CalibrationText> calibration_text_of(const Trace& trace, const ReplayOptions& options,
                                                   const std::vector<RunnableVariant>& variants,
                                                   const numerics::ParallelFor& parallel_for) {
  const bool needed = std::any_of(variants.begin(), variants.end(),
                                  [](const RunnableVariant& variant) { return variant.needs_calibration_text(); });
  if (options.calibration_text.empty() && !(options.values && needed)) return std::nullopt;
  CalibrationText text = load_calibration_text(trace, options.calibration_text, options.max_calibration_windows);
  text.data.parallel_for = parallel_for;
  return text;
}

}  // namespace guardbit::sim
