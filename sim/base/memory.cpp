#include "sim/base/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

std::optional<std::uint64_t> number_in(const char* file) {
  std::uint64_t value = 0;
  std::ifstream stream(file);
  if (stream >> value) return value;
  return std::nullopt;  // no such file, or "max"
}

std::uint64_t remaining_in_cgroup() {
  const auto limit = number_in("/sys/fs/cgroup/memory.max");
  const auto used = number_in("/sys/fs/cgroup/memory.current");
  if (!limit || !used) return UINT64_MAX;
  return *limit - std::min(*limit, *used);
}

}  // namespace

std::uint64_t available_memory_bytes() {
  std::uint64_t available = UINT64_MAX;
  std::ifstream stream("/proc/meminfo");
  std::string line;
  while (std::getline(stream, line)) {
    constexpr std::string_view kKey = "MemAvailable:";
    if (!line.starts_with(kKey)) continue;
    constexpr std::uint64_t kBytesPerKib = 1024;
    available = std::stoull(line.substr(kKey.size())) * kBytesPerKib;
  }
  return std::min(available, remaining_in_cgroup());
}

void require_memory(double num_bytes, std::string_view what) {
  constexpr double kBytesPerMib = 1 << 20;
  const auto available = static_cast<double>(available_memory_bytes());
  if (num_bytes <= available) return;
  throw UserError(ExitCode::kRefused,
                  fmt::format("{} needs {:.0f} MiB; expected at most {:.0f} MiB, the memory available", what,
                              num_bytes / kBytesPerMib, available / kBytesPerMib));
}

}  // namespace guardbit::sim
