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

/// `arguments` as typed in a shell.
inline CommandResult run_guardbit(const std::string& arguments) {
  const TemporaryDirectory directory;
  const std::filesystem::path errors = directory.path() / "stderr";
  const std::string command = std::string("exec ") + GUARDBIT_BINARY + " " + arguments + " 2>" + errors.string();
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

}  // namespace guardbit::tests
