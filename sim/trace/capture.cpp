#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "models/transformer/family.h"
#include "models/transformer/reference.h"
#include "sim/base/atomic_file.h"
#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/base/sha256.h"
#include "sim/base/signal_guard.h"
#include "sim/trace/import_formats.h"
#include "sim/trace/model_import.h"
#include "sim/trace/reference_memory.h"
#include "sim/trace/safetensors.h"
#include "sim/trace/strict_json.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using numerics::Matrix;
using transformer::OpKind;

constexpr const char* kWeightsFile = "weights.safetensors";
constexpr const char* kActivationsFile = "activations.safetensors";

/// Ops whose outputs are recorded: the residual stream, what every norm makes of it, and the logits.
bool is_recorded(const transformer::Model<float>& model, const transformer::Op& op) {
  return op.kind == OpKind::kEmbed || op.kind == OpKind::kResidual || op.kind == OpKind::kNorm ||
         &op == &model.ops.back();
}

Matrix<float> first_rows(const Matrix<float>& matrix, std::size_t num_rows) {
  const auto end = matrix.data().begin() + static_cast<std::ptrdiff_t>(num_rows * matrix.cols());
  return {num_rows, matrix.cols(), std::vector<float>(matrix.data().begin(), end)};
}

void write_activations(const fs::path& file, const transformer::Model<float>& model,
                       const transformer::Activations<float>& activations, std::size_t num_tokens) {
  std::vector<std::pair<std::string, Matrix<float>>> recorded;
  for (const transformer::Op& op : model.ops) {
    if (is_recorded(model, op))
      recorded.emplace_back("0/" + op.name, first_rows(activations.at(op.output), num_tokens));
  }
  std::vector<TensorToWrite> tensors;
  for (const auto& [name, values] : recorded) tensors.push_back({name, &values, false, TensorToWrite::Dtype::kF32});
  write_safetensors(file, tensors);
}

/// `name` as a plain file name, which the name of a trace is.
std::string checked_name(const std::string& name) {
  if (const std::string problem = file_name_problem(name); !problem.empty()) {
    throw UserError(ExitCode::kUsage, fmt::format("trace name '{}': {}; expected a plain name", name, problem));
  }
  return name;
}

}  // namespace

ImportedModel import_model(const fs::path& model) {
  std::error_code ignored;
  return fs::is_directory(model, ignored) ? import_hugging_face(model) : import_llama2c(model);
}

std::vector<Trace::Window> read_windows(const fs::path& tokens_file, const transformer::ModelShape& shape) {
  const JsonValue root = parse_json(read_file(tokens_file), tokens_file);
  JsonProblems problems(tokens_file);
  const JsonCursor cursor(root, problems);
  const auto documents = cursor.find("documents");
  if (documents && cursor.find("windows")) documents->expected("either \"windows\" or \"documents\", not both");
  const JsonCursor list = documents ? *documents : cursor.at("windows");
  std::vector<Trace::Window> windows;
  for (const JsonCursor& item : list.items()) {
    const JsonCursor tokens = item.value().kind == JsonValue::Kind::kObject ? item.at("tokens") : item;
    const std::vector<JsonCursor> ids = tokens.items();
    if (tokens.exists() && (ids.size() < 2 || ids.size() > static_cast<std::size_t>(shape.context_length) + 1)) {
      tokens.expected(fmt::format("2..{} ids (inputs and one more as the last target)", shape.context_length + 1));
    }
    Trace::Window& window = windows.emplace_back();
    for (const JsonCursor& id : ids) window.tokens.push_back(id.int_in(0, shape.vocabulary_size - 1));
  }
  if (list.exists() && windows.empty()) list.expected("at least one window");
  problems.throw_if_any();
  return windows;
}

void capture(const fs::path& model_path, const fs::path& tokens_file, const fs::path& output,
             const CaptureOptions& options) {
  const ImportedModel imported = import_model(model_path);
  Trace trace;
  trace.shape = imported.shape;
  trace.name = checked_name(options.name.empty() ? imported.name : options.name);
  trace.origin = options.origin.empty() ? fmt::format("captured by guardbit from {}", trace.name) : options.origin;
  trace.windows = read_windows(tokens_file, trace.shape);
  std::size_t longest = 0;
  for (const Trace::Window& window : trace.windows) longest = std::max(longest, window.tokens.size() - 1);
  require_reference_memory(trace.shape, longest);

  OutputDirectory directory(output, {kTraceFile, kWeightsFile, kActivationsFile});
  trace.directory = directory.path();
  trace.weights = directory.path() / kWeightsFile;
  imported.write_weights(trace.weights);
  trace.weights_sha256 = sha256_of_file(trace.weights);
  for (const fs::path& source : imported.sources) {
    trace.sources.push_back({source.filename().string(), sha256_of_file(source)});
  }
  trace.sources.push_back({tokens_file.filename().string(), sha256_of_file(tokens_file)});

  const transformer::Model<float> model = load_model(trace);
  for (Trace::Window& window : trace.windows) {
    throw_if_interrupted();
    const std::span<const int> tokens(window.tokens);
    const auto activations = transformer::run_reference(model, tokens.first(tokens.size() - 1), options.parallel_for);
    window.reference_nll =
        transformer::negative_log_likelihood(activations.at(model.ops.back().output), tokens.subspan(1));
    if (!std::isfinite(window.reference_nll)) {
      throw UserError(ExitCode::kMalformedInput,
                      fmt::format("{}: the fp32 forward of window {} overflows; expected finite "
                                  "logits",
                                  model_path.string(), &window - trace.windows.data()));
    }
    const bool is_first = &window == &trace.windows.front();
    if (!is_first || options.record_tokens == 0) continue;
    trace.activations = directory.path() / kActivationsFile;
    write_activations(*trace.activations, model, activations, std::min(options.record_tokens, tokens.size() - 1));
    trace.activations_sha256 = sha256_of_file(*trace.activations);
  }
  write_file(directory.path() / kTraceFile, trace_json(trace));
  (void)load_trace(directory.path());  // whatever is put into place can be read back
  directory.commit();
}

}  // namespace guardbit::sim
