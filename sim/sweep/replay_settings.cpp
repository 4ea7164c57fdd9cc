#include "sim/sweep/replay_settings.h"

namespace guardbit::sim {

ReplayOptions ReplaySettings::options() const {
  ReplayOptions options;
  options.max_windows = static_cast<std::size_t>(windows);
  options.max_tokens = static_cast<std::size_t>(tokens);
  options.decode = static_cast<std::size_t>(decode);
  options.seed = static_cast<std::uint64_t>(seed);
  options.values = values;
  options.open_loop = open_loop;
  options.residual_gain = residual_gain;
  options.channel_gain = channel_gain;
  options.channels = static_cast<int>(channels);
  options.calibration.target_norm = slanc_target;
  options.calibration.smooth_qkv = smooth_qkv;
  options.max_calibration_windows = static_cast<std::size_t>(calibration_windows);
  if (stall_seed >= 0) options.stall_seed = static_cast<std::uint64_t>(stall_seed);
  return options;
}

std::vector<Field> fields_of(ReplaySettings& settings) {
  std::vector<Field> fields;
  ReplaySettings::visit_fields(settings, [&](const units::FieldInfo& info, auto& member, auto rule) {
    fields.push_back(Field{.section = "replay",
                           .key = "replay." + std::string(info.key),
                           .unit = std::string(info.unit),
                           .sentence = std::string(info.sentence),
                           .rule = rule,
                           .member = &member});
  });
  return fields;
}

}  // namespace guardbit::sim
