#pragma once
/// From a model checkpoint and token ids to a trace bundle.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/numerics/matrix.h"
#include "models/transformer/model.h"
#include "sim/trace/checkpoint_copy.h"
#include "sim/trace/token_windows.h"
#include "sim/trace/trace_bundle.h"

namespace guardbit::sim {

/// A checkpoint whose configuration has been read and checked.
struct ImportedModel {
  transformer::ModelShape shape;
  std::filesystem::path path;                  ///< as given
  std::string name;                            ///< of the directory or file
  std::vector<std::filesystem::path> sources;  ///< the files it consists of
  /// Writes the weights as safetensors under the family's names and returns the file's SHA-256. A Hugging Face
  /// checkpoint of one file is copied byte for byte.
  std::function<std::string(const std::filesystem::path& file, const ByteProgress& progress)> write_weights;
};

/// A Hugging Face directory (config.json and one or several safetensors files; docs/models.md lists the architectures),
/// or a file in llama2.c's first ("legacy") layout: seven int32 sizes and float32 blocks. Keys of config.json that do
/// not change the forward pass are accepted; values that would (for example scaled attention by layer) are errors.
/// UserError: kMissingInput, kMalformedInput naming file and field.
[[nodiscard]] ImportedModel import_model(const std::filesystem::path& model);

/// Where the token ids come from: exactly one of `tokens` and `text`.
struct TokenInput {
  std::filesystem::path tokens;  ///< .npy, or JSON
  std::filesystem::path text;    ///< UTF-8
  std::filesystem::path
      tokenizer;                ///< of `text`: tokenizer.json, llama2.c's tokenizer.bin, or "bytes"; "": find_tokenizer
  Cutting cutting;              ///< of text and of one long sequence of ids
  std::size_t max_windows = 0;  ///< the first ones only; 0: all
};

/// What becomes of weights that are NaN or infinite. Accepted ones must leave the likelihoods finite.
enum class OnNonfinite {
  kError,      ///< "error": refused, with the place of the first
  kCount,      ///< "count": accepted and counted
  kPropagate,  ///< "propagate": accepted
};

struct CaptureOptions {
  std::size_t record_tokens = 64;         ///< positions of window 0 whose activations are recorded; 0: none
  std::string name;                       ///< of the trace; "": the model's
  std::string origin;                     ///< "": says that guardbit captured it from that model
  std::optional<TokenInput> calibration;  ///< windows that the bundle holds for methods that look at activations
  OnNonfinite on_nonfinite = OnNonfinite::kError;
  /// Told how far a phase is: "import" (unit "MB"), "fp32 reference" ("tokens").
  std::function<void(std::size_t done, std::size_t total, const std::string& unit, const std::string& phase)> progress;
  numerics::ParallelFor parallel_for;
};

/// Makes the bundle `output` (OutputDirectory's rules): weights, every window's fp32 negative log likelihood, and for
/// the first `record_tokens` positions of window 0 (an encoder: all of them) the residual stream, the norms' outputs
/// and the last op's; calibration windows as they are. UserError: as import_model, token_windows.h and tokenizer.h;
/// kUsage for inputs that do not go together; kRefused if the forward pass needs more memory than there is.
/// @return  weights that are not finite, under OnNonfinite::kCount (else 0)
std::uint64_t capture(const std::filesystem::path& model, const TokenInput& input, const std::filesystem::path& output,
                      const CaptureOptions& options = {});
inline std::uint64_t capture(const std::filesystem::path& model, const std::filesystem::path& tokens_file,
                             const std::filesystem::path& output, const CaptureOptions& options = {}) {
  TokenInput input;
  input.tokens = tokens_file;
  return capture(model, input, output, options);
}

}  // namespace guardbit::sim
