#pragma once
/// What a replay's options ask for: windows, variants with their hardware, the calibration text.
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "sim/base/error.h"
#include "sim/replay/calibration_text.h"
#include "sim/replay/replay.h"
#include "sim/replay/runnable_variant.h"

namespace guardbit::sim {

/// Of a shortened window no likelihood is recorded (NaN).
[[nodiscard]] std::vector<Trace::Window> windows_of(const Trace& trace, const ReplayOptions& options);

/// What the options ask for beyond what the trace has, a text each: "windows: got 100; kjv-gpt2 has 8, all of which are
/// replayed". No error, and hardly meant.
[[nodiscard]] std::vector<std::string> shortages_of(const Trace& trace, const ReplayOptions& options);

/// What `action` returns; UserError kUsage of option --variants for what it refuses with std::invalid_argument.
template <class Action>
auto of_variants_option(const Action& action) {
  try {
    return action();
  } catch (const std::invalid_argument& error) {
    throw UserError(ExitCode::kUsage, std::string("--variants: ") + error.what());
  }
}

/// What results call the variants of `texts`, in their order. UserError kUsage for one that there is not.
[[nodiscard]] std::vector<std::string> variant_names(const std::vector<std::string>& texts);

/// The variants of `texts` on the described hardware. UserError kUsage for one that there is not.
[[nodiscard]] std::vector<RunnableVariant> runnable_variants(const std::vector<std::string>& texts,
                                                             const units::AcceleratorConfig& config,
                                                             const ReplayOptions& options,
                                                             const numerics::ParallelFor& parallel_for);

/// The calibration text, if it is given or a variant needs one.
[[nodiscard]] std::optional<CalibrationText> calibration_text_of(const Trace& trace, const ReplayOptions& options,
                                                                 const std::vector<RunnableVariant>& variants,
                                                                 const numerics::ParallelFor& parallel_for);

}  // namespace guardbit::sim
