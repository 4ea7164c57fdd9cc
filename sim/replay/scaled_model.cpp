#include "sim/replay/scaled_model.h"

#include "models/calibration/method.h"

namespace guardbit::sim {

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

}  // namespace guardbit::sim
