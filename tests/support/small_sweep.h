#pragma once
/// A sweep over a small random model, whose points take milliseconds.
#include <filesystem>
#include <string>

#include "tests/support/run_guardbit.h"
#include "tests/support/short_trace.h"

namespace guardbit::tests {

/// Writes trace and sweep file into `directory` and plans them into `directory`/store: 24 points, 2 variants.
inline void plan_small_sweep(const TemporaryDirectory& directory, const std::string& more = "") {
  capture_small_model(directory, 12);
  std::filesystem::copy_file(shipped_accelerator("edge"), directory / "edge.toml",
                             std::filesystem::copy_options::overwrite_existing);
  directory.write("small.toml", "accelerator = \"edge.toml\"\ntrace = \"trace\"\n" + more +
                                    "[axes]\narray.rows = [4, 8, 16]\nnorm.accumulator.format = [\"fp16\", \"bf16\"]\n"
                                    "dram.latency_cycles = { from = 50, to = 100, step = 50 }\n"
                                    "variant = [\"none\", \"slanc\"]\n");
  const CommandResult planned =
      run_guardbit("sweep plan " + (directory / "small.toml").string() + " -o " + (directory / "store").string());
  if (planned.status != 0) throw std::runtime_error("sweep plan failed: " + planned.err);
}

/// The last word of what a command printed: the digest of sweep status and sweep gather.
inline std::string digest_in(const std::string& text) {
  const std::size_t at = text.rfind("digest ");
  return at == std::string::npos ? "" : text.substr(at + 7, 64);
}

}  // namespace guardbit::tests
