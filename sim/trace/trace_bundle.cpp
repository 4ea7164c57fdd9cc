#include "sim/trace/trace_bundle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "models/transformer/family.h"
#include "models/transformer/reference.h"
#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/base/input_policy.h"
#include "sim/base/sha256.h"
#include "sim/trace/shape_json.h"
#include "sim/trace/strict_json.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using transformer::ModelShape;

constexpr std::string_view kSchema = "guardbit-trace/1";

Trace::Window read_window(const JsonCursor& cursor, const ModelShape& shape) {
  Trace::Window window;
  if (transformer::is_causal(shape)) {
    cursor.allow_only({"tokens", "reference_nll", "unscored"});
    window.reference_nll = cursor.at("reference_nll").number_in(0, std::numeric_limits<double>::max());
  } else {
    cursor.allow_only({"tokens"});
  }
  const JsonCursor tokens = cursor.at("tokens");
  const std::vector<JsonCursor> ids = tokens.items();
  const WindowLimits limits = window_limits(shape);
  if (tokens.exists() && (ids.size() < limits.least || ids.size() > limits.most)) {
    tokens.expected(fmt::format("{}..{} ids ({})", limits.least, limits.most, limits.reason));
  }
  window.tokens.reserve(ids.size());
  for (const JsonCursor& id : ids) window.tokens.push_back(id.int_in(0, shape.vocabulary_size - 1));
  if (const auto unscored = cursor.find("unscored"); unscored && ids.size() >= 2) {
    window.num_unscored = unscored->unsigned_in(0, ids.size() - 2);
  }
  return window;
}

struct StatedFile {
  std::string file;
  std::string sha256;
};

StatedFile read_stated_file(const JsonCursor& cursor) {
  cursor.allow_only({"file", "sha256"});
  return {cursor.at("file").file_name(), cursor.at("sha256").sha256()};
}

/// The file must lie in the bundle itself and have the stated content.
fs::path checked_file(const fs::path& directory, const StatedFile& stated) {
  const fs::path file = directory / stated.file;
  std::error_code ignored;
  if (fs::is_symlink(fs::symlink_status(file, ignored))) {
    throw UserError(ExitCode::kMalformedInput,
                    fmt::format("{}: got a symbolic link; expected a regular file of the trace", file.string()));
  }
  check_hard_links(file);
  const std::string found = sha256_of_file(file);
  if (found != stated.sha256) {
    throw UserError(ExitCode::kMalformedInput, fmt::format("{}: got SHA-256 {}; expected {}, as {} states",
                                                           file.string(), found, stated.sha256, kTraceFile));
  }
  return file;
}

/// A file inside a bundle is a slip that a path's completion invites.
void require_directory(const fs::path& given) {
  std::error_code ignored;
  if (!fs::exists(given, ignored) || fs::is_directory(given, ignored)) return;  // what is not there is said elsewhere
  const fs::path parent = given.has_parent_path() ? given.parent_path() : fs::path(".");
  const bool is_inside = fs::exists(parent / kTraceFile, ignored);
  throw UserError(ExitCode::kMissingInput,
                  fmt::format("{}: got a file; expected the directory of a trace, which holds {}{}", given.string(),
                              kTraceFile, is_inside ? "; did you mean " + parent.string() + "?" : ""));
}

enum class Files { kChecked, kNotOpened };

Trace read_trace(const fs::path& directory, Files files) {
  require_directory(directory);
  const fs::path file = directory / kTraceFile;
  const std::string content = read_file(file);
  const JsonValue root = parse_json(content, file);
  JsonProblems problems(file);
  const JsonCursor cursor(root, problems);

  const JsonCursor schema = cursor.at("schema");
  if (schema.string() != kSchema) schema.expected(fmt::format("\"{}\", the schema this version reads", kSchema));
  problems.throw_if_any();  // another schema has other fields

  cursor.allow_only({"schema", "name", "origin", "model", "weights", "allow_nonfinite", "activations", "calibration",
                     "sources", "windows"});
  Trace trace;
  trace.directory = directory;
  trace.sha256 = sha256_hex(content);
  trace.name = cursor.at("name").file_name();
  trace.origin = cursor.at("origin").string();
  trace.shape = read_shape(cursor.at("model"));
  const StatedFile weights = read_stated_file(cursor.at("weights"));
  if (const auto allowed = cursor.find("allow_nonfinite")) trace.allow_nonfinite = allowed->boolean();
  StatedFile activations;
  if (const auto stated = cursor.find("activations")) activations = read_stated_file(*stated);
  StatedFile calibration;
  if (const auto stated = cursor.find("calibration")) calibration = read_stated_file(*stated);
  if (const auto sources = cursor.find("sources")) {
    for (const JsonCursor& source : sources->items()) {
      source.allow_only({"file", "sha256"});
      trace.sources.push_back({source.at("file").string(), source.at("sha256").sha256()});
    }
  }
  const JsonCursor windows = cursor.at("windows");
  const bool is_known = transformer::find_family(trace.shape.family) != nullptr;  // it says what a window may hold
  for (const JsonCursor& window : windows.items()) {
    if (is_known) trace.windows.push_back(read_window(window, trace.shape));
  }
  if (is_known && windows.exists() && trace.windows.empty()) windows.expected("at least one window");
  problems.throw_if_any();

  trace.weights_sha256 = weights.sha256;
  if (files == Files::kNotOpened) return trace;
  trace.weights = checked_file(directory, weights);
  if (!activations.file.empty()) {
    trace.activations = checked_file(directory, activations);
    trace.activations_sha256 = activations.sha256;
  }
  if (!calibration.file.empty()) {
    trace.calibration = checked_file(directory, calibration);
    trace.calibration_sha256 = calibration.sha256;
  }
  return trace;
}

}  // namespace

Trace load_trace(const fs::path& directory) { return read_trace(directory, Files::kChecked); }
Trace load_trace_description(const fs::path& directory) { return read_trace(directory, Files::kNotOpened); }

std::span<const int> inputs_of(const Trace::Window& window, const ModelShape& shape) {
  const std::span<const int> tokens(window.tokens);
  return transformer::is_causal(shape) ? tokens.first(tokens.size() - 1) : tokens;
}

std::span<const int> scored_targets_of(const Trace::Window& window, const ModelShape& shape) {
  if (!transformer::is_causal(shape)) return {};
  return std::span(window.tokens).subspan(1 + window.num_unscored);
}

double scored_nll(const Trace::Window& window, const ModelShape& shape, const numerics::Matrix<float>& logits) {
  const std::span<const int> targets = scored_targets_of(window, shape);
  return transformer::negative_log_likelihood(logits.view().rows_range(logits.rows() - targets.size(), logits.rows()),
                                              targets);
}

WindowLimits window_limits(const ModelShape& shape) {
  const auto context = static_cast<std::size_t>(shape.context_length);
  if (transformer::is_causal(shape)) return {2, context + 1, "inputs and one more as the last target"};
  return {1, context, "inputs of an encoder"};
}

std::string trace_json(const Trace& trace) {
  nlohmann::ordered_json head = {{"schema", kSchema}, {"name", trace.name}, {"origin", trace.origin}};
  head["model"] = shape_json(trace.shape);
  head["weights"] = {{"file", trace.weights.filename().string()}, {"sha256", trace.weights_sha256}};
  if (trace.allow_nonfinite) head["allow_nonfinite"] = true;
  if (trace.activations) {
    head["activations"] = {{"file", trace.activations->filename().string()}, {"sha256", trace.activations_sha256}};
  }
  if (trace.calibration) {
    head["calibration"] = {{"file", trace.calibration->filename().string()}, {"sha256", trace.calibration_sha256}};
  }
  head["sources"] = nlohmann::ordered_json::array();
  for (const Trace::Source& source : trace.sources) {
    head["sources"].push_back({{"file", source.file}, {"sha256", source.sha256}});
  }
  // One line per window: thousands of ids in a column help nobody.
  constexpr int kIndent = 2;
  std::string text = head.dump(kIndent);
  text.resize(text.size() - std::string_view("\n}").size());
  text += ",\n  \"windows\": [";
  for (std::size_t i = 0; i < trace.windows.size(); ++i) {
    nlohmann::ordered_json window;
    if (transformer::is_causal(trace.shape)) window["reference_nll"] = trace.windows[i].reference_nll;
    if (trace.windows[i].num_unscored > 0) window["unscored"] = trace.windows[i].num_unscored;
    window["tokens"] = trace.windows[i].tokens;
    text += (i == 0 ? "\n    " : ",\n    ") + window.dump();
  }
  return text + "\n  ]\n}\n";
}

}  // namespace guardbit::sim
