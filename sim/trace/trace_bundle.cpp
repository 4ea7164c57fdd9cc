#include "sim/trace/trace_bundle.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "models/transformer/family.h"
#include "models/transformer/reference.h"
#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/base/sha256.h"
#include "sim/trace/reference_memory.h"
#include "sim/trace/safetensors.h"
#include "sim/trace/strict_json.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using transformer::ActivationKind;
using transformer::ModelShape;

constexpr std::string_view kSchema = "guardbit-trace/1";

struct NamedActivation {
  std::string_view name;
  ActivationKind kind;
};
constexpr std::array kActivations = {
    NamedActivation{"gelu", ActivationKind::kGelu},
    NamedActivation{"gelu_tanh", ActivationKind::kGeluTanh},
    NamedActivation{"relu", ActivationKind::kRelu},
    NamedActivation{"silu", ActivationKind::kSilu},
};

template <class Rows>
std::string names_of(const Rows& rows) {
  std::string text;
  for (const auto& row : rows) text += (text.empty() ? "" : ", ") + std::string(row.name);
  return text;
}

ActivationKind read_activation(const JsonCursor& cursor) {
  const std::string name = cursor.string();
  for (const NamedActivation& row : kActivations) {
    if (row.name == name) return row.kind;
  }
  if (!name.empty()) cursor.expected("one of: " + names_of(kActivations));
  return {};
}

ModelShape read_shape(const JsonCursor& cursor) {
  cursor.allow_only({"family", "hidden_size", "num_layers", "num_heads", "num_kv_heads", "head_size",
                     "intermediate_size", "vocabulary_size", "context_length", "norm_epsilon", "rope_theta",
                     "activation", "tied_head"});
  ModelShape shape;
  const JsonCursor family = cursor.at("family");
  shape.family = family.string();
  if (!shape.family.empty() && transformer::find_family(shape.family) == nullptr) {
    family.expected("one of: " + names_of(transformer::families()));
  }
  shape.hidden_size = cursor.at("hidden_size").int_in(1, kMaxHiddenSize);
  shape.num_layers = cursor.at("num_layers").int_in(1, kMaxLayers);
  shape.num_heads = cursor.at("num_heads").int_in(1, kMaxHeads);
  const JsonCursor num_kv_heads = cursor.at("num_kv_heads");
  shape.num_kv_heads = num_kv_heads.int_in(1, kMaxHeads);
  if (shape.num_heads % shape.num_kv_heads != 0) num_kv_heads.expected("a divisor of num_heads");
  shape.head_size = cursor.at("head_size").int_in(1, kMaxHeadSize);
  shape.intermediate_size = cursor.at("intermediate_size").int_in(1, kMaxIntermediateSize);
  shape.vocabulary_size = cursor.at("vocabulary_size").int_in(1, kMaxVocabularySize);
  shape.context_length = cursor.at("context_length").int_in(1, kMaxContextLength);
  shape.norm_epsilon = cursor.at("norm_epsilon").number_in(0, 1);
  shape.rope_theta = cursor.at("rope_theta").number_in(1, 1e12);
  shape.activation = read_activation(cursor.at("activation"));
  shape.tied_head = cursor.at("tied_head").boolean();
  return shape;
}

Trace::Window read_window(const JsonCursor& cursor, const ModelShape& shape) {
  cursor.allow_only({"tokens", "reference_nll"});
  Trace::Window window;
  window.reference_nll = cursor.at("reference_nll").number_in(0, std::numeric_limits<double>::max());
  const JsonCursor tokens = cursor.at("tokens");
  const std::vector<JsonCursor> ids = tokens.items();
  if (tokens.exists() && (ids.size() < 2 || ids.size() > static_cast<std::size_t>(shape.context_length) + 1)) {
    tokens.expected(fmt::format("2..{} ids (context_length + 1)", shape.context_length + 1));
  }
  window.tokens.reserve(ids.size());
  for (const JsonCursor& id : ids) window.tokens.push_back(id.int_in(0, shape.vocabulary_size - 1));
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
  const std::string found = sha256_of_file(file);
  if (found != stated.sha256) {
    throw UserError(ExitCode::kMalformedInput, fmt::format("{}: got SHA-256 {}; expected {}, as {} states",
                                                           file.string(), found, stated.sha256, kTraceFile));
  }
  return file;
}

nlohmann::ordered_json shape_json(const ModelShape& shape) {
  const auto* activation = std::find_if(kActivations.begin(), kActivations.end(),
                                        [&](const NamedActivation& row) { return row.kind == shape.activation; });
  GUARDBIT_CHECK(activation != kActivations.end(), "every ActivationKind has a name");
  return {{"family", shape.family},
          {"hidden_size", shape.hidden_size},
          {"num_layers", shape.num_layers},
          {"num_heads", shape.num_heads},
          {"num_kv_heads", shape.num_kv_heads},
          {"head_size", shape.head_size},
          {"intermediate_size", shape.intermediate_size},
          {"vocabulary_size", shape.vocabulary_size},
          {"context_length", shape.context_length},
          {"norm_epsilon", shape.norm_epsilon},
          {"rope_theta", shape.rope_theta},
          {"activation", activation->name},
          {"tied_head", shape.tied_head}};
}

}  // namespace

namespace {

enum class Files { kChecked, kNotOpened };

Trace read_trace(const fs::path& directory, Files files) {
  const fs::path file = directory / kTraceFile;
  const std::string content = read_file(file);
  const JsonValue root = parse_json(content, file);
  JsonProblems problems(file);
  const JsonCursor cursor(root, problems);

  const JsonCursor schema = cursor.at("schema");
  if (schema.string() != kSchema) schema.expected(fmt::format("\"{}\", the schema this version reads", kSchema));
  problems.throw_if_any();  // another schema has other fields

  cursor.allow_only({"schema", "name", "origin", "model", "weights", "activations", "sources", "windows"});
  Trace trace;
  trace.directory = directory;
  trace.sha256 = sha256_hex(content);
  trace.name = cursor.at("name").file_name();
  trace.origin = cursor.at("origin").string();
  trace.shape = read_shape(cursor.at("model"));
  const StatedFile weights = read_stated_file(cursor.at("weights"));
  StatedFile activations;
  if (const auto stated = cursor.find("activations")) activations = read_stated_file(*stated);
  if (const auto sources = cursor.find("sources")) {
    for (const JsonCursor& source : sources->items()) {
      source.allow_only({"file", "sha256"});
      trace.sources.push_back({source.at("file").string(), source.at("sha256").sha256()});
    }
  }
  const JsonCursor windows = cursor.at("windows");
  for (const JsonCursor& window : windows.items()) trace.windows.push_back(read_window(window, trace.shape));
  if (windows.exists() && trace.windows.empty()) windows.expected("at least one window");
  problems.throw_if_any();

  if (files == Files::kNotOpened) return trace;
  trace.weights = checked_file(directory, weights);
  trace.weights_sha256 = weights.sha256;
  if (!activations.file.empty()) {
    trace.activations = checked_file(directory, activations);
    trace.activations_sha256 = activations.sha256;
  }
  return trace;
}

transformer::Model<float> build_model(const Trace& trace, const transformer::TensorSource& tensors) {
  const transformer::Family* family = transformer::find_family(trace.shape.family);
  GUARDBIT_CHECK(family != nullptr, "load_trace checks the family");
  try {
    return family->build(trace.shape, tensors);
  } catch (const std::invalid_argument& error) {  // rules between sizes that only the family knows
    throw UserError(ExitCode::kMalformedInput,
                    fmt::format("{}: {}", (trace.directory / kTraceFile).string(), error.what()));
  }
}

}  // namespace

Trace load_trace(const fs::path& directory) { return read_trace(directory, Files::kChecked); }
Trace load_trace_description(const fs::path& directory) { return read_trace(directory, Files::kNotOpened); }

transformer::Model<float> load_outline(const Trace& trace) {
  return build_model(trace, [](const std::string&, std::size_t rows, std::size_t cols) {
    return numerics::Matrix<float>::outline(rows, cols);
  });
}

transformer::Model<float> load_model(const Trace& trace) {
  const SafetensorsFile weights(trace.weights);
  // Some GPT-2 checkpoints were saved from the inner model and lack this prefix.
  constexpr std::string_view kOptionalPrefix = "transformer.";
  const auto read = [&](const std::string& name, std::size_t rows, std::size_t cols) {
    if (!weights.contains(name) && name.starts_with(kOptionalPrefix)) {
      const std::string without_prefix = name.substr(kOptionalPrefix.size());
      if (weights.contains(without_prefix)) return weights.read_matrix(without_prefix, rows, cols);
    }
    return weights.read_matrix(name, rows, cols);
  };
  return build_model(trace, read);
}

namespace {

/// A recorded tensor, as its name says.
struct Recorded {
  std::size_t window = 0;
  std::string op;
  std::size_t rows = 0;
  std::size_t cols = 0;
};

Recorded parse_recorded(const Trace& trace, const transformer::Model<float>& model, const std::string& name,
                        const TensorInfo& info) {
  const auto fail = [&](const std::string& found, const std::string& expected) {
    throw UserError(ExitCode::kMalformedInput, fmt::format("{}: tensor '{}': got {}; expected {}",
                                                           trace.activations->string(), name, found, expected));
  };
  Recorded recorded;
  const std::size_t slash = name.find('/');
  const std::string index = name.substr(0, slash);
  constexpr std::size_t kMaxDigits = 9;
  const bool is_index = slash != std::string::npos && !index.empty() && index.size() <= kMaxDigits &&
                        index.find_first_not_of("0123456789") == std::string::npos;
  if (!is_index) fail("this name", "'<window index>/<op name>'");
  recorded.window = std::stoul(index);
  if (recorded.window >= trace.windows.size()) {
    fail(fmt::format("window {}", recorded.window), fmt::format("one of the {} windows", trace.windows.size()));
  }
  recorded.op = name.substr(slash + 1);
  const bool is_op =
      std::any_of(model.ops.begin(), model.ops.end(), [&](const auto& op) { return op.name == recorded.op; });
  if (!is_op) fail(fmt::format("op '{}'", recorded.op), fmt::format("an op of the {} model", trace.shape.family));
  const std::size_t num_tokens = trace.windows[recorded.window].tokens.size() - 1;
  if (info.shape.size() != 2 || info.shape[0] < 1 || info.shape[0] > num_tokens) {
    fail(fmt::format("{} dimensions", info.shape.size()), fmt::format("shape (1..{}, width of the op)", num_tokens));
  }
  recorded.rows = info.shape[0];
  recorded.cols = info.shape[1];
  return recorded;
}

/// Compares the first rows; throws on the first difference.
void compare_rows(const fs::path& file, const std::string& name, const numerics::Matrix<float>& recorded,
                  const numerics::Matrix<float>& computed) {
  constexpr double kRelativeTolerance = 1e-4;
  if (recorded.cols() != computed.cols()) {
    throw UserError(ExitCode::kMalformedInput, fmt::format("{}: tensor '{}': got {} columns; expected {}",
                                                           file.string(), name, recorded.cols(), computed.cols()));
  }
  for (std::size_t r = 0; r < recorded.rows(); ++r) {
    double largest = 0;
    for (std::size_t c = 0; c < computed.cols(); ++c) largest = std::fmax(largest, std::fabs(computed(r, c)));
    for (std::size_t c = 0; c < computed.cols(); ++c) {
      const double difference = std::fabs(static_cast<double>(recorded(r, c)) - static_cast<double>(computed(r, c)));
      if (difference <= kRelativeTolerance * largest) continue;
      throw UserError(
          ExitCode::kMalformedInput,
          fmt::format("{}: tensor '{}': got {} at ({}, {}); expected {} within {} of {}, as recomputed from "
                      "the weights",
                      file.string(), name, recorded(r, c), r, c, computed(r, c), kRelativeTolerance, largest));
    }
  }
}

}  // namespace

void verify_trace(const Trace& trace, const transformer::Model<float>& model,
                  const numerics::ParallelFor& parallel_for) {
  if (!trace.activations) return;
  const SafetensorsFile file(*trace.activations);
  std::map<std::size_t, std::map<std::string, Recorded>> by_window;
  for (const auto& [name, info] : file.tensors()) {
    const Recorded recorded = parse_recorded(trace, model, name, info);
    by_window[recorded.window].emplace(name, recorded);
  }
  for (const auto& [window, tensors] : by_window) {
    std::size_t num_tokens = 0;
    for (const auto& [name, recorded] : tensors) num_tokens = std::max(num_tokens, recorded.rows);
    require_reference_memory(model.shape, num_tokens);
    // Attention is causal: the first positions do not depend on the others.
    const auto activations =
        transformer::run_reference(model, std::span(trace.windows[window].tokens).first(num_tokens), parallel_for);
    for (const auto& [name, recorded] : tensors) {
      compare_rows(*trace.activations, name, file.read_matrix(name, recorded.rows, recorded.cols),
                   activations.at(recorded.op));
    }
  }
}

std::string trace_json(const Trace& trace) {
  nlohmann::ordered_json head = {{"schema", kSchema}, {"name", trace.name}, {"origin", trace.origin}};
  head["model"] = shape_json(trace.shape);
  head["weights"] = {{"file", trace.weights.filename().string()}, {"sha256", trace.weights_sha256}};
  if (trace.activations) {
    head["activations"] = {{"file", trace.activations->filename().string()}, {"sha256", trace.activations_sha256}};
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
    const nlohmann::ordered_json window = {{"reference_nll", trace.windows[i].reference_nll},
                                           {"tokens", trace.windows[i].tokens}};
    text += (i == 0 ? "\n    " : ",\n    ") + window.dump();
  }
  return text + "\n  ]\n}\n";
}

}  // namespace guardbit::sim
