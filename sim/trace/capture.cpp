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
#include "sim/trace/tokenizer.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using numerics::Matrix;
using transformer::ModelShape;
using transformer::OpKind;

constexpr const char* kWeightsFile = "weights.safetensors";
constexpr const char* kActivationsFile = "activations.safetensors";
constexpr const char* kCalibrationFile = "calibration.json";

/// Ops whose outputs are recorded: the residual stream, what every norm makes of it, and the logits.
bool is_recorded(const transformer::Model<float>& model, const transformer::Op& op) {
  return op.kind == OpKind::kEmbed || op.kind == OpKind::kResidual || op.kind == OpKind::kNorm ||
         &op == &model.ops.back();
}

Matrix<float> first_rows(const Matrix<float>& matrix, std::size_t num_rows) {
  const auto end = matrix.data().begin() + static_cast<std::ptrdiff_t>(num_rows * matrix.cols());
  return {num_rows, matrix.cols(), std::vector<float>(matrix.data().begin(), end)};
}

/// The first rows of what the first window's recorded ops wrote.
class ActivationRecord {
 public:
  explicit ActivationRecord(std::size_t num_rows) : num_rows_(num_rows) {}
  void add(const transformer::Op& op, const Matrix<float>& output) {
    recorded_.emplace_back("0/" + op.name, first_rows(output, std::min(num_rows_, output.rows())));
  }
  void write(const fs::path& file) const {
    std::vector<TensorToWrite> tensors;
    for (const auto& [name, values] : recorded_) tensors.push_back({name, &values, false, TensorToWrite::Dtype::kF32});
    write_safetensors(file, tensors);
  }

 private:
  std::size_t num_rows_;
  std::vector<std::pair<std::string, Matrix<float>>> recorded_;
};

/// `name` as a plain file name, which the name of a trace is.
std::string checked_name(const std::string& name) {
  const std::string problem = printable(name) == name ? file_name_problem(name) : "it is not UTF-8, or not printable";
  if (!problem.empty()) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("trace name '{}': {}; expected a plain name (--name)", printable(name), problem));
  }
  return name;
}

/// `origin` as one line of text.
std::string checked_origin(const std::string& origin) {
  if (printable(origin) != origin) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--origin: got '{}'; expected one line of UTF-8 text", printable(origin)));
  }
  return origin;
}

}  // namespace

ImportedModel import_model(const fs::path& model) {
  std::error_code ignored;
  ImportedModel imported = fs::is_directory(model, ignored) ? import_hugging_face(model) : import_llama2c(model);
  imported.path = model;
  return imported;
}

namespace {

/// `input` with its tokenizer, if it needs one. UserError kUsage for what does not go together.
TokenInput checked_input(TokenInput input, const ImportedModel& model) {
  const auto refuse = [](const char* text) { throw UserError(ExitCode::kUsage, text); };
  const bool is_cut = input.cutting.context != 0 || input.cutting.stride != 0;
  if (input.text.empty() == input.tokens.empty()) refuse("expected one of --text and --tokens");
  if (input.text.empty() && !input.tokenizer.empty()) refuse("--tokenizer: goes with --text");
  if (is_cut && input.text.empty() && input.tokens.extension() != ".npy") {
    refuse("--context and --stride: go with --text and one sequence of ids (.npy); a JSON file has windows");
  }
  if (!input.text.empty() && input.tokenizer.empty()) {
    input.tokenizer = find_tokenizer(model.path, model.shape.vocabulary_size);
  }
  return input;
}

std::vector<Trace::Window> read_token_input(const TokenInput& input, const ModelShape& shape) {
  std::vector<Trace::Window> windows;
  if (!input.text.empty()) {
    const std::string text = read_file(input.text);
    if (text.empty()) {
      throw UserError(ExitCode::kMalformedInput, fmt::format("{}: got 0 bytes; expected text", input.text.string()));
    }
    const auto tokenizer = load_tokenizer(input.tokenizer, shape.vocabulary_size);
    windows = cut_windows(tokenizer->encode(text, input.text), shape, input.cutting, input.text);
  } else if (input.tokens.extension() == ".npy") {
    windows = read_npy_windows(input.tokens, shape, input.cutting);
  } else {
    windows = read_windows(input.tokens, shape);
  }
  if (input.max_windows != 0 && windows.size() > input.max_windows) windows.resize(input.max_windows);
  return windows;
}

/// The files that the ids come from.
std::vector<fs::path> sources_of(const TokenInput& input) {
  if (input.text.empty()) return {input.tokens};
  if (input.tokenizer == kBytesTokenizer) return {input.text};
  return {input.text, input.tokenizer};
}

/// A file's name in trace.json, which is printable text.
std::string printable_name(const fs::path& file) { return printable(file.filename().string()); }

/// "text.txt, windows of 256 tokens, stride 128"; "windows.json" for token ids.
std::string describe_windows(const ImportedModel& model, const TokenInput& input) {
  if (input.text.empty()) return printable_name(input.tokens);
  const Cutting cutting = resolved(input.cutting, model.shape);
  return fmt::format("{}, windows of {} tokens, stride {}", printable_name(input.text), cutting.context,
                     cutting.stride);
}

/// Names the model, the text of the windows and, if there is one, the calibration text.
std::string default_origin(const ImportedModel& model, const TokenInput& input,
                           const std::optional<TokenInput>& calibration) {
  std::string origin =
      fmt::format("captured by guardbit from {}; {}", printable(model.name), describe_windows(model, input));
  if (calibration) origin += "; calibration: " + describe_windows(model, *calibration);
  return origin;
}

/// Forward passes of all windows, with progress by tokens.
class WindowForwards {
 public:
  WindowForwards(const transformer::Model<float>& model, const std::vector<Trace::Window>& windows,
                 const CaptureOptions& options)
      : model_(model), options_(options) {
    for (const Trace::Window& window : windows) total_ += inputs_of(window, model.shape).size();
  }

  /// visit(op, output) for every op of one window.
  template <class Visit>
  void run(const Trace::Window& window, const Visit& visit) {
    const std::span<const int> inputs = inputs_of(window, model_.shape);
    std::size_t num_ops = 0;
    transformer::visit_reference<float>(
        model_, inputs,
        [&](const transformer::Op& op, const Matrix<float>& output) {
          throw_if_interrupted();
          visit(op, output);
          ++num_ops;
          if (options_.progress) {
            options_.progress(done_ + inputs.size() * num_ops / model_.ops.size(), total_, "tokens", "fp32 reference");
          }
        },
        options_.parallel_for);
    done_ += inputs.size();
  }

 private:
  const transformer::Model<float>& model_;
  const CaptureOptions& options_;
  std::size_t total_ = 0;
  std::size_t done_ = 0;
};

/// Fills in the windows' likelihoods and writes the record of the first window.
void run_windows(Trace& trace, const transformer::Model<float>& model, const fs::path& model_path,
                 const CaptureOptions& options) {
  WindowForwards forwards(model, trace.windows, options);
  const bool is_causal = transformer::is_causal(trace.shape);
  // A later position of an encoder changes the first ones: there is no recording a part.
  ActivationRecord record(is_causal ? options.record_tokens : trace.windows.front().tokens.size());
  for (std::size_t index = 0; index < trace.windows.size(); ++index) {
    Trace::Window& window = trace.windows[index];
    bool is_finite = true;
    forwards.run(window, [&](const transformer::Op& op, const Matrix<float>& output) {
      if (index == 0 && options.record_tokens > 0 && is_recorded(model, op)) record.add(op, output);
      if (&op != &model.ops.back()) return;
      if (is_causal) window.reference_nll = scored_nll(window, trace.shape, output);
      is_finite = std::isfinite(window.reference_nll) &&
                  (is_causal || std::all_of(output.data().begin(), output.data().end(),
                                            [](float value) { return std::isfinite(value); }));
    });
    if (is_finite) continue;
    throw UserError(ExitCode::kMalformedInput,
                    fmt::format("{}: the fp32 forward of window {} is not finite; expected finite {}",
                                model_path.string(), index, is_causal ? "logits" : "outputs"));
  }
  if (options.record_tokens == 0) return;
  trace.activations = trace.directory / kActivationsFile;
  record.write(*trace.activations);
  trace.activations_sha256 = sha256_of_file(*trace.activations);
}

/// The model of a bundle in the making. Its weights file has no name for the user yet: messages name the model.
transformer::Model<float> load_captured(const Trace& trace, const fs::path& model_path) {
  try {
    return load_model(trace);
  } catch (const UserError& error) {
    std::string message = error.what();
    for (const fs::path& file : {trace.weights, trace.directory / kTraceFile}) {
      const std::size_t place = message.find(file.string());
      if (place != std::string::npos) message.replace(place, file.string().size(), model_path.string());
    }
    throw UserError(error.code(), message);
  }
}

std::uint64_t count_nonfinite(const transformer::Model<float>& model) {
  std::uint64_t count = 0;
  for (const auto& [name, values] : model.weights) {
    count += static_cast<std::uint64_t>(
        std::ranges::count_if(values.data(), [](float value) { return !std::isfinite(value); }));
  }
  return count;
}

/// Writes the windows of a calibration text; returns the files that they come from.
std::vector<fs::path> add_calibration(Trace& trace, const ImportedModel& model, const TokenInput& given) {
  const TokenInput input = checked_input(given, model);
  const std::vector<Trace::Window> windows = read_token_input(input, trace.shape);
  std::vector<fs::path> sources = sources_of(input);
  require_other_windows(windows, trace.windows, sources.front().string());
  trace.calibration = trace.directory / kCalibrationFile;
  write_file(*trace.calibration, windows_json(windows));
  trace.calibration_sha256 = sha256_of_file(*trace.calibration);
  return sources;
}

}  // namespace

std::uint64_t capture(const fs::path& model_path, const TokenInput& given, const fs::path& output,
                      const CaptureOptions& options) {
  const ImportedModel imported = import_model(model_path);
  const TokenInput input = checked_input(given, imported);
  Trace trace;
  trace.shape = imported.shape;
  trace.allow_nonfinite = options.on_nonfinite != OnNonfinite::kError;
  trace.name = checked_name(options.name.empty() ? imported.name : options.name);
  trace.origin =
      options.origin.empty() ? default_origin(imported, input, options.calibration) : checked_origin(options.origin);
  trace.windows = read_token_input(input, trace.shape);
  std::size_t longest = 0;
  for (const Trace::Window& window : trace.windows) longest = std::max(longest, inputs_of(window, trace.shape).size());
  require_reference_memory(trace.shape, longest);

  OutputDirectory directory(output, {kTraceFile, kWeightsFile, kActivationsFile, kCalibrationFile});
  trace.directory = directory.path();
  trace.weights = directory.path() / kWeightsFile;
  trace.weights_sha256 = imported.write_weights(trace.weights, [&](std::uint64_t done, std::uint64_t total) {
    const auto megabytes = [](std::uint64_t bytes) { return static_cast<std::size_t>((bytes + 999'999) / 1'000'000); };
    if (options.progress) options.progress(megabytes(done), megabytes(total), "MB", "import");
  });
  std::vector<fs::path> sources = imported.sources;
  for (const fs::path& source : sources_of(input)) sources.push_back(source);
  if (options.calibration) {
    for (const fs::path& source : add_calibration(trace, imported, *options.calibration)) sources.push_back(source);
  }
  for (const fs::path& source : sources) {
    trace.sources.push_back({printable_name(source), sha256_of_file(source)});
  }
  const transformer::Model<float> loaded = load_captured(trace, model_path);
  const std::uint64_t num_nonfinite = options.on_nonfinite == OnNonfinite::kCount ? count_nonfinite(loaded) : 0;
  run_windows(trace, loaded, model_path, options);
  write_file(directory.path() / kTraceFile, trace_json(trace));
  (void)load_trace(directory.path());  // whatever is put into place can be read back
  directory.commit();
  return num_nonfinite;
}

}  // namespace guardbit::sim
