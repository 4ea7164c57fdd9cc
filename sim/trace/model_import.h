#pragma once
/// From a model checkpoint and token ids to a trace bundle.
#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "models/numerics/matrix.h"
#include "models/transformer/model.h"
#include "sim/trace/trace_bundle.h"

namespace guardbit::sim {

/// A checkpoint whose configuration has been read and checked.
struct ImportedModel {
  transformer::ModelShape shape;
  std::string name;                            ///< of the directory or file
  std::vector<std::filesystem::path> sources;  ///< the files it consists of
  /// Writes the weights as safetensors under the family's names. GPT-2: the model's own file, byte for byte.
  std::function<void(const std::filesystem::path& file)> write_weights;
};

/// A Hugging Face directory (config.json and model.safetensors; architecture GPT2LMHeadModel), or a file in llama2.c's
/// first ("legacy") layout: seven int32 sizes and float32 blocks. Keys of config.json that do not change the forward
/// pass are accepted; values that would (for example scaled attention by layer) are errors. UserError: kMissingInput,
/// kMalformedInput naming file and field.
[[nodiscard]] ImportedModel import_model(const std::filesystem::path& model);

/// Windows of a tokens file: {"windows": [...]} or {"documents": [...]}, each window an array of ids or an object
/// with such an array as "tokens". Other keys are ignored here and only here: reference outputs often lie beside the
/// ids. Every window has 2..context_length + 1 ids below the vocabulary size.
[[nodiscard]] std::vector<Trace::Window> read_windows(const std::filesystem::path& tokens_file,
                                                      const transformer::ModelShape& shape);

struct CaptureOptions {
  std::size_t record_tokens = 64;  ///< positions of window 0 whose activations are recorded; 0: none
  std::string name;                ///< of the trace; "": the model's
  std::string origin;              ///< "": says that guardbit captured it from that model
  numerics::ParallelFor parallel_for;
};

/// Makes the bundle `output` (OutputDirectory's rules): weights, every window's fp32 negative log likelihood, and for
/// the first `record_tokens` positions of window 0 the residual stream, the norms' outputs and the logits. UserError:
/// as import_model and read_windows; kRefused if the forward pass needs more memory than there is.
void capture(const std::filesystem::path& model, const std::filesystem::path& tokens_file,
             const std::filesystem::path& output, const CaptureOptions& options = {});

}  // namespace guardbit::sim
