#include "sim/trace/token_windows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "models/transformer/family.h"
#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/base/plural.h"
#include "sim/trace/npy.h"
#include "sim/trace/strict_json.h"

namespace guardbit::sim {

namespace fs = std::filesystem;
using transformer::ModelShape;

std::vector<Trace::Window> read_windows(const fs::path& tokens_file, const ModelShape& shape) {
  const JsonValue root = parse_json(read_file(tokens_file), tokens_file);
  JsonProblems problems(tokens_file);
  const JsonCursor cursor(root, problems);
  const auto documents = cursor.find("documents");
  if (documents && cursor.find("windows")) documents->expected("either \"windows\" or \"documents\", not both");
  const JsonCursor list = documents ? *documents : cursor.at("windows");
  const WindowLimits limits = window_limits(shape);
  std::vector<Trace::Window> windows;
  for (const JsonCursor& item : list.items()) {
    const JsonCursor tokens = item.value().kind == JsonValue::Kind::kObject ? item.at("tokens") : item;
    const std::vector<JsonCursor> ids = tokens.items();
    if (tokens.exists() && (ids.size() < limits.least || ids.size() > limits.most)) {
      tokens.expected(fmt::format("{}..{} ids ({})", limits.least, limits.most, limits.reason));
    }
    Trace::Window& window = windows.emplace_back();
    for (const JsonCursor& id : ids) window.tokens.push_back(id.int_in(0, shape.vocabulary_size - 1));
  }
  if (list.exists() && windows.empty()) list.expected("at least one window");
  problems.throw_if_any();
  return windows;
}

std::vector<Trace::Window> read_npy_windows(const fs::path& tokens_file, const ModelShape& shape,
                                            const Cutting& cutting) {
  const NpyFile file(tokens_file);
  const auto fail = [&](const std::string& text) {
    throw UserError(ExitCode::kMalformedInput, fmt::format("{}: {}", tokens_file.string(), text));
  };
  const std::size_t rank = file.header().shape.size();
  if (rank != 1 && rank != 2) fail(fmt::format("got {} dimensions; expected (ids) or (windows, ids)", rank));
  const std::vector<int> ids = file.read_integers(0, shape.vocabulary_size - 1);
  if (rank == 1) return cut_windows(ids, shape, cutting, tokens_file);
  if (cutting.context != 0 || cutting.stride != 0) {
    throw UserError(ExitCode::kUsage, fmt::format("{}: its rows are windows already; expected no --context and "
                                                  "--stride",
                                                  tokens_file.string()));
  }
  const WindowLimits limits = window_limits(shape);
  const auto width = static_cast<std::size_t>(file.cols());
  if (width < limits.least || width > limits.most) {
    fail(fmt::format("got rows of {} ids; expected {}..{} ({})", width, limits.least, limits.most, limits.reason));
  }
  std::vector<Trace::Window> windows(static_cast<std::size_t>(file.rows()));
  for (std::size_t row = 0; row < windows.size(); ++row) {
    const auto first = ids.begin() + static_cast<std::ptrdiff_t>(row * width);
    windows[row].tokens.assign(first, first + static_cast<std::ptrdiff_t>(width));
  }
  return windows;
}

std::string windows_json(const std::vector<Trace::Window>& windows) {
  std::string text = "{\"windows\": [";
  for (std::size_t i = 0; i < windows.size(); ++i)
    text += fmt::format("{}\n  [{}]", i == 0 ? "" : ",", fmt::join(windows[i].tokens, ","));
  return text + "\n]}\n";
}

void require_other_windows(const std::vector<Trace::Window>& calibration, const std::vector<Trace::Window>& evaluation,
                           const std::string& place) {
  std::map<std::vector<int>, std::size_t> known;
  for (std::size_t i = 0; i < evaluation.size(); ++i) known.emplace(evaluation[i].tokens, i);
  for (std::size_t i = 0; i < calibration.size(); ++i) {
    const auto found = known.find(calibration[i].tokens);
    if (found == known.end()) continue;
    throw UserError(ExitCode::kMalformedInput,
                    fmt::format("{}: calibration window {} is evaluation window {}; expected another text", place, i,
                                found->second));
  }
}

Cutting resolved(const Cutting& cutting, const ModelShape& shape) {
  constexpr std::size_t kLongestDefault = 2048;
  const auto longest = static_cast<std::size_t>(shape.context_length);
  const std::size_t context = cutting.context == 0 ? std::min(longest, kLongestDefault) : cutting.context;
  const std::size_t stride = cutting.stride == 0 ? context : cutting.stride;
  if (context > longest) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--context: got {}; expected 1..{}, the model's context", context, longest));
  }
  if (stride > context) {
    throw UserError(ExitCode::kUsage, fmt::format("--stride: got {}; expected 1..{}, the context", stride, context));
  }
  return {context, stride};
}

std::vector<Trace::Window> cut_windows(const std::vector<int>& ids, const ModelShape& shape, const Cutting& cutting,
                                       const fs::path& source) {
  const auto [context, stride] = resolved(cutting, shape);
  const WindowLimits limits = window_limits(shape);
  if (ids.size() < limits.least) {
    throw UserError(ExitCode::kMalformedInput,
                    fmt::format("{}: got {} {}; expected at least {} ({})", source.string(), ids.size(),
                                plural(ids.size(), "token"), limits.least, limits.reason));
  }
  const bool is_causal = transformer::is_causal(shape);
  const std::size_t num_ids = context + (is_causal ? 1 : 0);
  std::vector<Trace::Window> windows;
  for (std::size_t begin = 0;; begin += stride) {
    const std::size_t end = std::min(begin + num_ids, ids.size());
    Trace::Window& window = windows.emplace_back();
    window.tokens.assign(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                         ids.begin() + static_cast<std::ptrdiff_t>(end));
    if (is_causal && begin > 0) window.num_unscored = context - stride;
    if (end == ids.size()) return windows;
  }
}

}  // namespace guardbit::sim
