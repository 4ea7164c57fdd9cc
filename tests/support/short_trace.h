#pragma once
/// A short trace of the included model, captured as a user would, so that replays in tests take milliseconds.
#include <filesystem>
#include <string>

#include "tests/support/run_guardbit.h"
#include "tests/support/small_trace.h"

namespace guardbit::tests {

/// Captures one window of `num_tokens` inputs from a small random llama-type model (grouped-query attention, sizes that
/// are no powers of two) into `directory`/trace.
inline std::filesystem::path capture_small_model(const TemporaryDirectory& directory, int num_tokens) {
  const Llama2cSizes sizes{
      .dim = 48, .hidden_dim = 172, .n_layers = 2, .n_heads = 4, .n_kv_heads = 2, .vocab_size = 37, .seq_len = 64};
  const auto model = directory.write("small.bin", llama2c_checkpoint(sizes));
  std::string ids;
  for (int token = 0; token <= num_tokens; ++token) ids += (token > 0 ? "," : "") + std::to_string(token * 11 % 37);
  const auto tokens = directory.write("tokens.json", "{\"windows\":[[" + ids + "]]}");
  const std::filesystem::path trace = directory / "trace";
  const CommandResult captured =
      run_guardbit("capture " + model.string() + " --tokens " + tokens.string() + " -o " + trace.string());
  if (captured.status != 0) throw std::runtime_error("capture failed: " + captured.err);
  return trace;
}

/// Captures `num_windows` windows of `num_tokens` inputs each from the model of traces/kjv-gpt2 into `directory`/trace.
inline std::filesystem::path capture_short_trace(const TemporaryDirectory& directory, int num_windows, int num_tokens) {
  const std::filesystem::path included = included_trace();
  std::filesystem::create_directories(directory / "model");
  std::filesystem::copy_file(included / "weights.safetensors", directory / "model/model.safetensors");
  std::filesystem::copy_file(included / "source/config.json", directory / "model/config.json");
  const std::string text = "And it came to pass in those days, that there went out a decree from Caesar Augustus.";
  std::string windows;
  for (int window = 0; window < num_windows; ++window) {
    std::string ids;
    for (int token = 0; token <= num_tokens; ++token) {
      const char byte = text[static_cast<std::size_t>(window * 7 + token) % text.size()];
      ids += (token > 0 ? "," : "") + std::to_string(static_cast<int>(byte));
    }
    windows += (window > 0 ? ",[" : "[") + ids + "]";
  }
  directory.write("tokens.json", "{\"windows\":[" + windows + "]}");
  const std::filesystem::path trace = directory / "trace";
  const CommandResult captured = run_guardbit("capture " + (directory / "model").string() + " --tokens " +
                                              (directory / "tokens.json").string() + " -o " + trace.string());
  if (captured.status != 0) throw std::runtime_error("capture failed: " + captured.err);
  return trace;
}

}  // namespace guardbit::tests
