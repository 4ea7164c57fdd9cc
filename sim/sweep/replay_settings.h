#pragma once
/// The options of `guardbit replay` that a sweep may set or vary ("replay.windows"), described as the keys of
/// accelerators are. All of them are part of a point's key.
#include <cstdint>
#include <string>
#include <vector>

#include "sim/config/fields.h"
#include "sim/replay/replay.h"

namespace guardbit::sim {

struct ReplaySettings {
  std::int64_t windows = 0;
  std::int64_t tokens = 0;
  std::int64_t decode = 0;
  std::int64_t seed = 1;
  bool values = true;
  bool open_loop = false;
  double residual_gain = 1;
  double channel_gain = 1;
  std::int64_t channels = 0;
  double slanc_target = 1;
  bool smooth_qkv = false;
  std::int64_t calibration_windows = 0;
  std::int64_t stall_seed = -1;

  static void visit_fields(auto& self, auto&& visit) {
    constexpr double kLeastGain = 1e-6;
    constexpr double kLargestGain = 1e6;
    using units::AnyBool;
    using units::FieldInfo;
    using units::IntRange;
    using units::RealRange;
    visit(FieldInfo{"windows", "", "Only the first windows of the trace (0: all)."}, self.windows, IntRange{.min = 0});
    visit(FieldInfo{"tokens", "", "Only the first tokens of each window (0: all)."}, self.tokens, IntRange{.min = 0});
    visit(FieldInfo{"decode", "", "Tokens at the end of each window that are processed one at a time."}, self.decode,
          IntRange{.min = 0});
    visit(FieldInfo{"seed", "", "Rotation signs, outlier channels, stochastic rounding."}, self.seed,
          IntRange{.min = 0});
    visit(FieldInfo{"values", "", "false: cycles, bytes and energy alone."}, self.values, AnyBool{});
    visit(FieldInfo{"open_loop", "", "Every op reads the fp32 reference's tensors."}, self.open_loop, AnyBool{});
    visit(FieldInfo{"residual_gain", "", "Scale of the residual stream."}, self.residual_gain,
          RealRange{kLeastGain, kLargestGain});
    visit(FieldInfo{"channel_gain", "", "Scale of outlier channels."}, self.channel_gain,
          RealRange{kLeastGain, kLargestGain});
    visit(FieldInfo{"channels", "", "Number of outlier channels."}, self.channels, IntRange{0, 1 << 20});
    visit(FieldInfo{"slanc_target", "", "Norm that SLaNC scales rows to."}, self.slanc_target,
          RealRange{kLeastGain, kLargestGain});
    visit(FieldInfo{"smooth_qkv", "", "Runtime smoothing on q, k and v as well."}, self.smooth_qkv, AnyBool{});
    visit(FieldInfo{"calibration_windows", "", "Only the first windows of the calibration text (0: all)."},
          self.calibration_windows, IntRange{.min = 0});
    visit(FieldInfo{"stall_seed", "", "Random stalls (-1: none)."}, self.stall_seed, IntRange{.min = -1});
  }

  /// The same as options of replay(), without a variant.
  [[nodiscard]] ReplayOptions options() const;
};

/// Keys "replay.windows", ... whose members point into `settings`.
[[nodiscard]] std::vector<Field> fields_of(ReplaySettings& settings);

}  // namespace guardbit::sim
