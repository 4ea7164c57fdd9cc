#pragma once
/// Replays a trace on a described accelerator, variant by variant: rewrite the model, run every window through the
/// SystemC machine with bit-accurate values, compare with the fp32 forward of the same (rewritten) model.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/calibration/variant.h"
#include "models/numerics/float_format.h"
#include "models/numerics/matrix.h"
#include "sim/config/accelerator.h"
#include "sim/modules/wave_options.h"
#include "sim/stats/result.h"
#include "sim/trace/trace_bundle.h"

namespace guardbit::sim {

struct SharedModel;  // shared_model.h

class TimelineFile;

/// What an op has written in a window, and the format in which it is stored.
struct RecordedOutput {
  const std::string& variant;
  std::size_t op;  ///< index
  const numerics::FloatFormat& storage;
  const numerics::Matrix<float>& values;
};

struct ReplayOptions {
  std::vector<std::string> variants;  ///< texts of calibration::parse_variant; each replayed on its own
  bool values = true;                 ///< false: cycles, bytes and energy alone, from the trace's description
  bool open_loop = false;             ///< every op reads the fp32 reference's tensors instead of simulated ones
  double residual_gain = 1;           ///< calibration::apply_residual_gain
  double channel_gain = 1;            ///< calibration::apply_channel_gain
  int channels = 0;
  bool stepped = false;                     ///< PE fidelity: matrix products stepped PE by PE; same result, much slower
  std::size_t max_windows = 0;              ///< 0: all of the trace's
  std::size_t max_tokens = 0;               ///< inputs of a window: only its first ones; 0: all
  std::size_t decode = 0;                   ///< tokens at the end of each window that are processed one at a time
  std::optional<WaveOptions> wave;          ///< record waveforms
  TimelineFile* timeline = nullptr;         ///< told of every run, if there is one; outlives the replay
  std::optional<std::uint64_t> stall_seed;  ///< AcceleratorOptions::stall_seed
  std::uint64_t seed = 1;                   ///< rotation signs, outlier channels and stochastic rounding
  calibration::CalibrationOptions calibration;
  std::string calibration_text;             ///< load_calibration_text(); "": the trace's own windows
  std::size_t max_calibration_windows = 0;  ///< of that text, the first ones; 0: all
  /// Told the outputs of every op, in op order; none: nobody listens.
  std::function<void(const RecordedOutput&)> on_output;
  /// Told the last op's rows from `first_row` of the window on, simulated and of the same model's fp32 forward: every
  /// window's in order, before on_output; none: nobody listens.
  std::function<void(std::size_t first_row, numerics::MatrixView<const float> simulated,
                     numerics::MatrixView<const float> reference)>
      on_logits;
};

/// Ops done so far in a phase of the work: the reference's, or a variant's calibration, quantization or simulation.
using Progress = std::function<void(std::size_t done, std::size_t total, const std::string& what)>;

/// Elaborates the machine, so once per process. Throws UserError (unknown variant, impossible configuration, trace
/// whose recorded activations contradict its weights) before anything is simulated where that can be known.
/// @param shared  the only variant's model, or null: loaded and rewritten here
[[nodiscard]] ReplayResult replay(const Trace& trace, const LoadedAccelerator& accelerator,
                                  const ReplayOptions& options, const numerics::ParallelFor& parallel_for,
                                  const Progress& progress, const SharedModel* shared = nullptr);

}  // namespace guardbit::sim
