#pragma once
/// A tiny random trace, made by capture() from a llama2.c checkpoint written here: for tests of readers, where a real
/// model would be too slow to damage thousands of times.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "sim/trace/model_import.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::tests {

struct Llama2cSizes {
  std::int32_t dim = 4;
  std::int32_t hidden_dim = 6;
  std::int32_t n_layers = 1;
  std::int32_t n_heads = 2;
  std::int32_t n_kv_heads = 1;
  std::int32_t vocab_size = 5;  ///< negative: head not tied
  std::int32_t seq_len = 8;
};

/// The checkpoint's bytes: values of a linear congruential generator in (-1, 1), the same for all hosts.
inline std::string llama2c_checkpoint(const Llama2cSizes& sizes = {}) {
  const std::int32_t vocabulary = sizes.vocab_size < 0 ? -sizes.vocab_size : sizes.vocab_size;
  const std::int32_t head_size = sizes.dim / sizes.n_heads;
  const std::int32_t kv_width = sizes.n_kv_heads * head_size;
  const std::int32_t per_layer =
      2 * sizes.dim + 2 * sizes.dim * sizes.dim + 2 * kv_width * sizes.dim + 3 * sizes.hidden_dim * sizes.dim;
  std::int32_t num_floats = vocabulary * sizes.dim + sizes.n_layers * per_layer + sizes.dim + sizes.seq_len * head_size;
  if (sizes.vocab_size < 0) num_floats += vocabulary * sizes.dim;
  std::string bytes(reinterpret_cast<const char*>(&sizes), sizeof sizes);
  std::uint32_t state = 12345;
  for (std::int32_t i = 0; i < num_floats; ++i) {
    state = state * 1664525u + 1013904223u;
    const float value =
        static_cast<float>(static_cast<std::int32_t>(state >> 8) - (1 << 23)) / static_cast<float>(1 << 23);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  return bytes;
}

/// Captures the checkpoint over two windows into `directory`/small and returns that path.
inline std::filesystem::path make_small_trace(const TemporaryDirectory& directory) {
  const auto model = directory.write("small.bin", llama2c_checkpoint());
  const auto tokens =
      directory.write("tokens.json", R"({"windows": [[0, 1, 2, 3], {"tokens": [4, 0]}], "note": "ignored"})");
  sim::CaptureOptions options;
  options.record_tokens = 2;
  sim::capture(model, tokens, directory / "small", options);
  return directory / "small";
}

}  // namespace guardbit::tests
