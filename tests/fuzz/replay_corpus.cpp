// Runs every file of a corpus once through its target, without libFuzzer: the quick tier's look at all seeds and at all
// inputs that once were findings. A file whose name begins with "good" is also cut after every byte (GEN-03).
//   replay_corpus DIRECTORY                 one folder for each target
//   replay_corpus --write-seeds DIRECTORY   adds the tables of malformed files that C++ tests hold
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "sim/base/fp_environment.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/support/malformed_npy.h"
#include "tests/support/malformed_safetensors.h"

namespace guardbit::tests {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostCuts = 100;  // of a long file, evenly spread

/// Number of inputs run; what a target throws is thrown, with the file named.
int replay(const NamedFuzzTarget& target, const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(stream), {}};
  int num_inputs = 0;
  const auto run = [&](std::size_t size) {
    try {
      run_fuzz_target(target.run, std::string_view(bytes).substr(0, size));
    } catch (const std::exception& error) {
      throw std::runtime_error(file.string() + ", first " + std::to_string(size) + " bytes: " + error.what());
    }
    ++num_inputs;
  };
  run(bytes.size());
  if (!file.filename().string().starts_with("good")) return num_inputs;
  for (std::size_t size = 0; size < bytes.size(); size += std::max<std::size_t>(1, bytes.size() / kMostCuts)) run(size);
  return num_inputs;
}

int replay_all(const fs::path& directory) {
  int num_without_seeds = 0;
  for (const NamedFuzzTarget& target : kFuzzTargets) {
    int num_inputs = 0;
    if (fs::is_directory(directory / target.name)) {
      for (const fs::directory_entry& entry : fs::directory_iterator(directory / target.name))
        num_inputs += replay(target, entry.path());
    }
    std::cout << target.name << " " << num_inputs << "\n";
    if (num_inputs == 0) ++num_without_seeds;  // a mistake in the corpus
  }
  return num_without_seeds == 0 ? 0 : 1;
}

void write_seed(const fs::path& folder, const std::string& name, const std::string& bytes) {
  fs::create_directories(folder);
  std::ofstream(folder / name, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

int write_seeds(const fs::path& directory) {
  for (const MalformedCase& row : malformed_safetensors()) {
    for (const char* target : {"safetensors", "trace_weights"}) {
      write_seed(directory / target, std::string(row.id) + ".safetensors", row.bytes);
    }
  }
  int number = 0;
  for (const MalformedNpy& row : malformed_npy())
    write_seed(directory / "npy", std::string(row.id) + "-" + std::to_string(number++) + ".npy", row.content);
  return 0;
}

}  // namespace
}  // namespace guardbit::tests

int main(int argc, char** argv) {
  const guardbit::sim::FpEnvironment environment;
  if (argc == 2) return guardbit::tests::replay_all(argv[1]);
  if (argc == 3 && std::string_view(argv[1]) == "--write-seeds") return guardbit::tests::write_seeds(argv[2]);
  std::cerr << "usage: replay_corpus [--write-seeds] DIRECTORY\n";
  return 2;
}
