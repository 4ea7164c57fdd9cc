#pragma once
/// Trace bundles: a directory with trace.json (schema "guardbit-trace/1", described in traces/README.md), the model's
/// weights and recorded activations of the fp32 reference, both as safetensors. Reading trusts nothing; making a bundle
/// is model_import.h's business.
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/transformer/model.h"

namespace guardbit::sim {

struct Trace {
  struct Window {
    /// T + 1 ids: inputs [0, T), targets [1, T]; 1 <= T <= context_length. Encoder: T ids, inputs.
    std::vector<int> tokens;
    /// Sum of -log p(target) of the fp32 reference, as recorded; NaN if that is of more tokens than these. Not of an
    /// encoder.
    double reference_nll = 0;
    /// Leading targets that do not count: windows of a stride below their length overlap.
    std::size_t num_unscored = 0;
  };
  /// A file this trace was made from, for the record; it need not exist here.
  struct Source {
    std::string file;
    std::string sha256;
  };

  std::filesystem::path directory;
  std::string name;
  std::string origin;  ///< one line: whose model, which text, which licence
  transformer::ModelShape shape;
  std::vector<Window> windows;
  std::filesystem::path weights;  ///< safetensors under the family's checkpoint names
  std::string weights_sha256;
  bool allow_nonfinite = false;  ///< weights may hold infinities and NaNs
  /// safetensors of op outputs, tensor "<window index>/<op name>" with the first rows of that output.
  std::optional<std::filesystem::path> activations;
  std::string activations_sha256;
  /// Token windows of another text, for methods that look at activations: JSON as read_windows() takes it.
  std::optional<std::filesystem::path> calibration;
  std::string calibration_sha256;
  std::vector<Source> sources;
  std::string sha256;  ///< of trace.json, which holds the other hashes: identifies the whole trace
};

/// Ids of a window that are fed to the model, and the targets of the last of them that count (none for an encoder).
[[nodiscard]] std::span<const int> inputs_of(const Trace::Window& window, const transformer::ModelShape& shape);
[[nodiscard]] std::span<const int> scored_targets_of(const Trace::Window& window, const transformer::ModelShape& shape);

/// Sum of -log p over the scored targets, given the logits of all inputs.
[[nodiscard]] double scored_nll(const Trace::Window& window, const transformer::ModelShape& shape,
                                const numerics::Matrix<float>& logits);

/// How many ids a window of a model of this shape has, and why.
struct WindowLimits {
  std::size_t least = 0;
  std::size_t most = 0;
  const char* reason = "";
};
[[nodiscard]] WindowLimits window_limits(const transformer::ModelShape& shape);

/// Reads and checks a bundle: schema, all fields of trace.json (every problem in one message), token ids below the
/// vocabulary, that all files are regular files of the directory (no symbolic links) with the stated SHA-256.
/// UserError: kMissingInput for a missing file, kMalformedInput otherwise.
[[nodiscard]] Trace load_trace(const std::filesystem::path& directory);

/// Likewise, but neither weights nor activations nor calibration windows are opened: enough for load_outline().
[[nodiscard]] Trace load_trace_description(const std::filesystem::path& directory);

/// The model with its weights as stored. UserError kMalformedInput if the weights do not fit the shape, hold a tensor
/// that the model does not use, or a value that is not finite unless the trace allows it.
[[nodiscard]] transformer::Model<float> load_model(const Trace& trace);

/// The model's ops and its weights' shapes, without their values.
[[nodiscard]] transformer::Model<float> load_outline(const Trace& trace);

/// Recomputes the recorded activations and compares: |recorded - recomputed| <= 1e-4 times the largest magnitude of the
/// row (fp32 sums of another length or order differ by less; a wrong weight or op by far more).
/// UserError kMalformedInput naming tensor and place of the first difference.
void verify_trace(const Trace& trace, const transformer::Model<float>& model,
                  const numerics::ParallelFor& parallel_for = {});

/// trace.json of `trace`; load_trace() of it gives the same fields. File names are the last components of the paths.
[[nodiscard]] std::string trace_json(const Trace& trace);

inline constexpr const char* kTraceFile = "trace.json";

/// Limits of a model shape, far above any model that fits on one machine; products of the sizes below stay under 2^62.
inline constexpr int kMaxHiddenSize = 1 << 20;
inline constexpr int kMaxLayers = 1 << 12;
inline constexpr int kMaxHeads = 1 << 12;
inline constexpr int kMaxHeadSize = 1 << 12;
inline constexpr int kMaxIntermediateSize = 1 << 22;
inline constexpr int kMaxVocabularySize = 1 << 22;
inline constexpr int kMaxContextLength = 1 << 20;
inline constexpr double kMaxRopeTheta = 1e12;
inline constexpr double kMaxRopeFactor = 1e6;
inline constexpr double kMinRopeBand = 1e-6;  ///< low_freq_factor and high_freq_factor

}  // namespace guardbit::sim
