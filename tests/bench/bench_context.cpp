/// What a run of the benchmarks says of its machine, in the "context" of its JSON.
#include <benchmark/benchmark.h>

#include <fstream>
#include <string>

#include "models/kernels/vector_target.h"

namespace guardbit::kernels {
namespace {

/// As /proc/cpuinfo names the first processor.
std::string processor_name() {
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

const bool added = [] {
  benchmark::AddCustomContext("cpu", processor_name());
  benchmark::AddCustomContext("vector_target", vector_target());
  return true;
}();

}  // namespace
}  // namespace guardbit::kernels
