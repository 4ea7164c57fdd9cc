#pragma once
/// The model of a trace at the range that the options ask for.
#include <fmt/format.h>

#include <stdexcept>

#include "models/transformer/model.h"
#include "sim/base/error.h"
#include "sim/replay/replay.h"
#include "sim/trace/trace_bundle.h"

namespace guardbit::sim {

/// Runs a rewrite that the trace's model may not allow. UserError kUsage names the trace then.
template <class Rewrite>
void apply_to_trace(const Trace& trace, const Rewrite& rewrite) {
  try {
    rewrite();
  } catch (const std::invalid_argument& error) {
    throw UserError(ExitCode::kUsage, fmt::format("{}: {}", trace.directory.string(), error.what()));
  }
}

/// Loads, verifies (verify_trace) and applies the residual and channel gains. UserError kUsage for more channels than
/// the model has.
[[nodiscard]] transformer::Model<float> load_scaled_model(const Trace& trace, const ReplayOptions& options,
                                                          const numerics::ParallelFor& parallel_for);

}  // namespace guardbit::sim
