#pragma once
/// Replays a trace on a described accelerator, variant by variant: rewrite the model, run every window through the
/// SystemC machine with bit-accurate values, compare with the fp32 forward of the same (rewritten) model.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/calibration/method.h"
#include "models/numerics/float_format.h"
#include "models/numerics/matrix.h"
#include "sim/config/accelerator.h"
#include "sim/modules/wave_options.h"
#include "sim/stats/result.h"
#include "sim/trace/trace_bundle.h"

namespace guardbit::sim {

/// What an op has written in a window, and the format in which it is stored.
struct RecordedOutput {
  const std::string& variant;
  std::size_t op;  ///< index
  const numerics::FloatFormat& storage;
  const numerics::Matrix<float>& values;
};

struct ReplayOptions {
  std::vector<std::string> variants;  ///< "none", "slanc", "rrs", "slanc+rrs", ...; each replayed on its own
  bool values = true;                 ///< false: cycles, bytes and energy alone, from the trace's description
  bool open_loop = false;             ///< every op reads the fp32 reference's tensors instead of simulated ones
  double residual_gain = 1;           ///< calibration::apply_residual_gain
  double channel_gain = 1;            ///< calibration::apply_channel_gain
  int channels = 0;
  bool stepped = false;                     ///< PE fidelity: matrix products stepped PE by PE; same result, much slower
  std::size_t max_windows = 0;              ///< 0: all of the trace's
  std::size_t decode = 0;                   ///< tokens at the end of each window that are processed one at a time
  std::optional<WaveOptions> wave;          ///< record waveforms
  std::optional<std::uint64_t> stall_seed;  ///< AcceleratorOptions::stall_seed
  std::uint64_t seed = 1;                   ///< rotation signs, outlier channels and stochastic rounding
  calibration::CalibrationOptions calibration;
  /// Told the outputs of every op, in op order, after each window; none: nobody listens.
  std::function<void(const RecordedOutput&)> on_output;
};

/// Work done so far, of all variants and windows; called after each window.
using Progress = std::function<void(std::size_t done, std::size_t total, const std::string& what)>;

/// Elaborates the machine, so once per process. Throws UserError (unknown variant, impossible configuration, trace
/// whose recorded activations contradict its weights) before anything is simulated where that can be known.
[[nodiscard]] ReplayResult replay(const Trace& trace, const LoadedAccelerator& accelerator,
                                  const ReplayOptions& options, const numerics::ParallelFor& parallel_for,
                                  const Progress& progress);

}  // namespace guardbit::sim
