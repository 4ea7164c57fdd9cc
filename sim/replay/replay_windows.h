#pragma once
/// A variant's windows through the machine, pass by pass, with values or for their time alone.
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "sim/modules/accelerator.h"
#include "sim/replay/prepared_variant.h"
#include "sim/replay/replay.h"
#include "sim/schedule/value_engine.h"

namespace guardbit::sim {

/// Tokens of a window that go through the machine in one run.
struct Pass {
  Range tokens;
  std::string phase;  ///< PhaseResult::name; "" if no tokens are decoded
};

/// All of a window, or the tokens before the last `decode` and then each of those.
std::vector<Pass> passes_of(std::size_t num_tokens, std::size_t decode);

/// Told how many of how many ops of all windows are done.
using PhaseProgress = std::function<void(std::size_t done, std::size_t total)>;

/// All windows of one variant: values, events, cycles, and how far they are from the fp32 forward.
/// `stepped`: where products are left for a stepped array; null for tile fidelity.
VariantResult replay_variant(const PreparedVariant& variant, std::span<const Trace::Window> windows,
                             const ReplayOptions& options, const numerics::ParallelFor& parallel_for,
                             Accelerator& machine, PeRequestSlot* stepped, const PhaseProgress& op_progress);

/// Cycles, bytes and energy of a variant.
VariantResult time_variant(const std::string& name, const transformer::Model<float>& model,
                           const units::AcceleratorConfig& config, std::span<const Trace::Window> windows,
                           std::size_t decode, Accelerator& machine, TimelineFile* timeline,
                           const PhaseProgress& op_progress);

}  // namespace guardbit::sim
