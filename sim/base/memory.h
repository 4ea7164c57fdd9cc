#pragma once
/// Refusing work that does not fit in memory, before allocating it.
#include <cstdint>
#include <string_view>

namespace guardbit::sim {

/// Bytes this process can still allocate without swapping: MemAvailable of /proc/meminfo and the rest of the cgroup's
/// limit, whichever is smaller; UINT64_MAX if the system says neither.
[[nodiscard]] std::uint64_t available_memory_bytes();

/// UserError kRefused "<what> needs <n> MiB; expected at most <m> MiB" if more than that is needed.
void require_memory(double num_bytes, std::string_view what);

}  // namespace guardbit::sim
