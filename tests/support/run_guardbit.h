#pragma once
/// Runs the command line as a user would and returns what it printed. One process per call, so the machine is
/// elaborated once per process.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "tests/support/temporary_directory.h"

namespace guardbit::tests {

struct CommandResult {
  int status = 0;  ///< exit code, or 128 + signal
  std::string out;
  std::string err;
};

/// `arguments` as typed in a shell; `before` is what the shell does first, such as "ulimit -v 100000; ".
inline CommandResult run_guardbit(const std::string& arguments, const std::string& before = "") {
  const TemporaryDirectory directory;
  const std::filesystem::path errors = directory.path() / "stderr";
  const std::string command = before + "exec " + GUARDBIT_BINARY + " " + arguments + " 2>" + errors.string();
  FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot run " + command);
  CommandResult result;
  std::array<char, 4096> buffer{};
  for (std::size_t count = 0; (count = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    result.out.append(buffer.data(), count);
  }
  const int status = pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::ostringstream text;
  text << std::ifstream(errors).rdbuf();
  result.err = text.str();
  return result;
}

inline std::string included_trace() { return std::string(GUARDBIT_SOURCE_DIR) + "/traces/kjv-gpt2"; }
inline std::string shipped_accelerator(const std::string& name) {
  return std::string(GUARDBIT_SOURCE_DIR) + "/configs/accelerators/" + name + ".toml";
}

/// An accelerator on which everything is binary32: what is left is the order of summation.
inline const std::string kWide =
    "--set array.activation=fp32 --set array.weight=fp32 --set accumulator.format=fp32 "
    "--set accumulator.buffer.format=fp32 --set attention.activation=fp32 --set attention.weight=fp32 "
    "--set attention.accumulator.format=fp32 --set head.activation=fp32 --set head.weight=fp32 "
    "--set head.accumulator.format=fp32 --set norm.input=fp32 --set norm.accumulator.format=fp32 "
    "--set rotate.format=fp32 --set storage.activation=fp32 --set storage.residual=fp32 --set storage.kv_cache=fp32 ";

}  // namespace guardbit::tests
