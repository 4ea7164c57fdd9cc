#pragma once
/// Each norm of a trace alone, at every power of two of its input scale: where the accumulator overflows, where it
/// loses small squares, and what lies between.
#include <cstddef>

#include "sim/replay/replay.h"
#include "sim/stats/bathtub_result.h"

namespace guardbit::sim {

struct BathtubOptions {
  int from = -8;  ///< log2 of the first scale
  int to = 12;    ///< and of the last
  /// max_windows, the gains, seed and calibration are used.
  ReplayOptions replay;
};
inline constexpr int kMaxBathtubExponent = 100;  ///< |from|, |to|: s and 1 / s^2 are normal numbers of binary64

/// The input of a norm is the fp32 forward's, in the storage format in which it would arrive (as in open loop); the
/// exact norm is that of this input in binary64. Scales apply as static ones do (norm_unit.h); norm.epsilon says
/// whether epsilon is rescaled. Marks: the scales of slanc and slanc_residual, where the model allows them.
/// UserError as replay(), and kUsage for from > to. Test: tests/system/bathtub_test.cpp.
[[nodiscard]] BathtubResult norm_bathtub(const Trace& trace, const LoadedAccelerator& accelerator,
                                         const BathtubOptions& options, const numerics::ParallelFor& parallel_for = {},
                                         const Progress& progress = {});

}  // namespace guardbit::sim
