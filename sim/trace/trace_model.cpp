/// The model of a trace bundle: loading its weights, and checking its records against them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <span>

#include "models/transformer/family.h"
#include "models/transformer/reference.h"
#include "sim/base/error.h"
#include "sim/trace/reference_memory.h"
#include "sim/trace/safetensors.h"
#include "sim/trace/trace_bundle.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

/// The tensors of a checkpoint under the names that its family's builder asks for.
class CheckpointReader {
 public:
  CheckpointReader(const Trace& trace, const transformer::Family& family)
      : weights_(trace.weights), family_(family), allow_nonfinite_(trace.allow_nonfinite) {}

  numerics::Matrix<float> read(const std::string& name, std::size_t rows, std::size_t cols) {
    const std::string stored = stored_name(name);
    read_.insert(stored);
    return weights_.read_matrix(stored, rows, cols, allow_nonfinite_);
  }

  /// A tensor that the model does not use means that it is another model than its description says.
  void check_all_read(bool tied_head) const {
    for (const auto& [name, info] : weights_.tensors()) {
      const bool is_tied_copy = tied_head && name == family_.head_weight;
      const bool is_known =
          std::any_of(family_.unused_tensors.begin(), family_.unused_tensors.end(),
                      [&, &stored = name](std::string_view part) { return stored.find(part) != std::string::npos; });
      if (is_tied_copy || is_known || read_.contains(name)) continue;
      throw UserError(ExitCode::kMalformedInput,
                      fmt::format("{}: got tensor '{}', which the described {} model does not use; expected a "
                                  "description that says what it is for",
                                  weights_.path().string(), name, family_.name));
    }
  }

 private:
  /// Some checkpoints were saved from the inner model, some before LayerNorm's parameters got their present names.
  std::string stored_name(const std::string& name) const {
    std::vector<std::string> candidates = {name};
    if (name.starts_with(family_.optional_prefix)) candidates.push_back(name.substr(family_.optional_prefix.size()));
    for (const auto& [now, then] :
         {std::pair{".LayerNorm.weight", ".LayerNorm.gamma"}, std::pair{".LayerNorm.bias", ".LayerNorm.beta"}}) {
      for (std::size_t i = candidates.size(); i-- > 0;) {
        if (!candidates[i].ends_with(now)) continue;
        candidates.push_back(candidates[i].substr(0, candidates[i].size() - std::string_view(now).size()) + then);
      }
    }
    const auto found = std::find_if(candidates.begin(), candidates.end(),
                                    [&](const std::string& candidate) { return weights_.contains(candidate); });
    return found == candidates.end() ? name : *found;
  }

  SafetensorsFile weights_;
  const transformer::Family& family_;
  bool allow_nonfinite_;
  std::set<std::string> read_;
};

/// A recorded tensor, as its name says.
struct Recorded {
  std::string name;
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
  recorded.name = name;
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
  const std::size_t num_tokens = inputs_of(trace.windows[recorded.window], trace.shape).size();
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

const transformer::Family& family_of(const Trace& trace) {
  const transformer::Family* family = transformer::find_family(trace.shape.family);
  GUARDBIT_CHECK(family != nullptr, "load_trace checks the family");
  return *family;
}

transformer::Model<float> build_model(const Trace& trace, const transformer::TensorSource& tensors) {
  try {
    return family_of(trace).build(trace.shape, tensors);
  } catch (const std::invalid_argument& error) {  // rules between sizes that only the family knows
    throw UserError(ExitCode::kMalformedInput,
                    fmt::format("{}: {}", (trace.directory / kTraceFile).string(), error.what()));
  }
}

}  // namespace

transformer::Model<float> load_model(const Trace& trace) {
  CheckpointReader reader(trace, family_of(trace));
  transformer::Model<float> model = build_model(trace, [&](const std::string& name, std::size_t rows,
                                                           std::size_t cols) { return reader.read(name, rows, cols); });
  reader.check_all_read(trace.shape.tied_head);
  return model;
}

transformer::Model<float> load_outline(const Trace& trace) {
  return build_model(trace, [](const std::string&, std::size_t rows, std::size_t cols) {
    return numerics::Matrix<float>::outline(rows, cols);
  });
}

void verify_trace(const Trace& trace, const transformer::Model<float>& model,
                  const numerics::ParallelFor& parallel_for) {
  if (!trace.activations) return;
  const SafetensorsFile file(*trace.activations);
  std::map<std::size_t, std::map<std::string, Recorded>> by_window;
  for (const auto& [name, info] : file.tensors()) {
    const Recorded recorded = parse_recorded(trace, model, name, info);
    by_window[recorded.window].emplace(recorded.op, recorded);
  }
  for (const auto& [window, by_op] : by_window) {
    std::span<const int> inputs = inputs_of(trace.windows[window], trace.shape);
    if (transformer::is_causal(trace.shape)) {  // the first positions do not depend on the others
      std::size_t num_tokens = 0;
      for (const auto& [op, recorded] : by_op) num_tokens = std::max(num_tokens, recorded.rows);
      inputs = inputs.first(num_tokens);
    }
    require_reference_memory(model.shape, inputs.size());
    transformer::visit_reference<float>(
        model, inputs,
        [&, &records = by_op](const transformer::Op& op, const numerics::Matrix<float>& output) {
          const auto found = records.find(op.name);
          if (found == records.end()) return;
          const Recorded& recorded = found->second;
          compare_rows(*trace.activations, recorded.name, file.read_matrix(recorded.name, recorded.rows, recorded.cols),
                       output);
        },
        parallel_for);
  }
}

}  // namespace guardbit::sim
