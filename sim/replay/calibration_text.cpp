#include "sim/replay/calibration_text.h"

#include <fmt/format.h>

#include <span>
#include <vector>

#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "sim/trace/token_windows.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

struct Windows {
  std::vector<Trace::Window> windows;
  std::string name;
  std::string sha256;
  std::string origin;
};

Windows windows_of_another_trace(const Trace& trace, const fs::path& given) {
  Trace other = load_trace_description(given);
  if (!(other.shape == trace.shape) || other.weights_sha256 != trace.weights_sha256) {
    throw UserError(ExitCode::kUsage, fmt::format("--calibration: got {}, a trace of another model; expected one with "
                                                  "the shape and weights of {}",
                                                  given.string(), trace.name));
  }
  return {std::move(other.windows), other.name, other.sha256, other.origin};
}

Windows windows_of_file(const Trace& trace, const fs::path& file) {
  const bool is_npy = file.extension() == ".npy";
  return {is_npy ? read_npy_windows(file, trace.shape, {}) : read_windows(file, trace.shape),
          printable(file.filename().string()), sha256_of_file(file), ""};
}

Windows chosen_windows(const Trace& trace, const fs::path& given) {
  std::error_code ignored;
  if (!given.empty()) {
    return fs::is_directory(given, ignored) ? windows_of_another_trace(trace, given) : windows_of_file(trace, given);
  }
  if (!trace.calibration) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--calibration: got none, and {} holds no calibration windows; expected a trace of the "
                                "same model or token ids, for methods that look at activations and static scales",
                                (trace.directory / kTraceFile).string()));
  }
  Windows own = windows_of_file(trace, *trace.calibration);
  own.name = trace.name + "/" + own.name;
  return own;
}

}  // namespace

CalibrationText load_calibration_text(const Trace& trace, const fs::path& given, std::size_t max_windows) {
  Windows chosen = chosen_windows(trace, given);
  if (max_windows != 0 && max_windows < chosen.windows.size()) chosen.windows.resize(max_windows);
  require_other_windows(chosen.windows, trace.windows, given.empty() ? trace.calibration->string() : given.string());
  CalibrationText text{chosen.name, chosen.sha256, chosen.origin, {}};
  for (const Trace::Window& window : chosen.windows) {
    const std::span<const int> inputs = inputs_of(window, trace.shape);
    text.data.windows.emplace_back(inputs.begin(), inputs.end());
  }
  return text;
}

void add_provenance(const CalibrationText& text, std::map<std::string, std::string>& entries) {
  std::size_t num_tokens = 0;
  for (const std::vector<int>& window : text.data.windows) num_tokens += window.size();
  entries["calibration"] = text.name;
  entries["calibration_sha256"] = text.sha256;
  if (!text.origin.empty()) entries["calibration_origin"] = text.origin;
  entries["calibration_windows"] = std::to_string(text.data.windows.size());
  entries["calibration_tokens"] = std::to_string(num_tokens);
}

}  // namespace guardbit::sim
