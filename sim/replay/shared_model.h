#pragma once
/// A trace's model, checked, and rewritten by a variant: what replays in processes forked from one have in common.
#include <string>

#include "models/calibration/activation_ranges.h"
#include "models/transformer/model.h"
#include "sim/replay/replay.h"

namespace guardbit::sim {

/// A trace's model at the range that the options ask for, checked against the trace's record.
struct CheckedModel {
  transformer::Model<float> model;
  double reference_perplexity = 0;  ///< of the windows that the options ask for; NaN for an encoder
};
[[nodiscard]] CheckedModel load_checked_model(const Trace& trace, const ReplayOptions& options,
                                              const numerics::ParallelFor& parallel_for, const Progress& progress = {});

/// What replays of one variant share when they run in processes forked from one that has made it.
struct SharedModel {
  transformer::Model<float> rewritten;              ///< CheckedModel::model after the variant's methods
  calibration::ActivationRanges activation_ranges;  ///< RunnableVariant::activation_ranges()
  double reference_perplexity = 0;
};
/// @param options      of the replays: seed, calibration
/// @param accelerator  any of theirs: shared_model_key() of all is the same
[[nodiscard]] SharedModel share_model(const Trace& trace, const CheckedModel& checked, const std::string& variant,
                                      const LoadedAccelerator& accelerator, const ReplayOptions& options);
/// What share_model() reads of accelerator and options: equal keys (of one trace and CheckedModel), equal models.
[[nodiscard]] std::string shared_model_key(const std::string& variant, const LoadedAccelerator& accelerator,
                                           const ReplayOptions& options);

}  // namespace guardbit::sim
