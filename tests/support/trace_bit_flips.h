#pragma once
/// Flips bits of all files of a small trace, one at a time (case GEN-10): each damaged trace must be refused, or be a
/// trace whose model has the stated shape; never a crash.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "tests/support/small_trace.h"

namespace guardbit::tests {

/// Does all that a replay does with a trace before it starts. Returns whether the trace was accepted.
inline bool refused_or_harmless(const std::filesystem::path& directory, const std::string& what) {
  try {
    const sim::Trace trace = sim::load_trace(directory);
    const transformer::Model<float> model = sim::load_model(trace);
    EXPECT_EQ(model.shape, trace.shape) << what;
    EXPECT_EQ(model.weights.at("embed.tokens").rows(), static_cast<std::size_t>(trace.shape.vocabulary_size)) << what;
    sim::verify_trace(trace, model);
    return true;
  } catch (const sim::UserError& error) {
    const bool is_missing_file = error.code() == sim::ExitCode::kMissingInput;  // a flip in a file's name
    EXPECT_TRUE(error.code() == sim::ExitCode::kMalformedInput || is_missing_file)
        << what << ": " << sim::printable(error.what());
    return false;
  }
}

/// Flips the bits of each file that `chosen` (of the bit's index) asks for. Behind the hashes: for the tensor files the
/// stated hash is made right again, as one who forges a trace would.
inline void flip_bits_of_small_trace(const std::function<bool(std::size_t)>& chosen) {
  const TemporaryDirectory directory;
  sim::Trace trace = sim::load_trace(make_small_trace(directory));
  const std::string json = content_of(directory / "small/trace.json");
  std::size_t num_accepted = 0;
  const auto flip_all = [&](const std::string& name, std::string* stated) {
    const std::string bytes = content_of(directory / name);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      if (!chosen(bit)) continue;
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
      directory.write(name, flipped);
      if (stated != nullptr) {
        *stated = sim::sha256_hex(flipped);
        directory.write("small/trace.json", sim::trace_json(trace));
      }
      num_accepted += refused_or_harmless(trace.directory, name + ", bit " + std::to_string(bit)) ? 1u : 0u;
    }
    directory.write(name, bytes);
    if (stated != nullptr) *stated = sim::sha256_hex(bytes);
    directory.write("small/trace.json", json);
  };
  flip_all("small/trace.json", nullptr);
  flip_all("small/weights.safetensors", &trace.weights_sha256);
  flip_all("small/activations.safetensors", &trace.activations_sha256);
  EXPECT_GT(num_accepted, 100u) << "flips in origin text, likelihoods and low bits of values are no errors";
}

}  // namespace guardbit::tests
