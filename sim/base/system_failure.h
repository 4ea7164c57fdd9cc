#pragma once
/// What the standard library reports of the system, as an exit code.
#include <system_error>

#include "sim/base/error.h"

namespace guardbit::sim {

/// kRefused without memory, threads or processes, else kIo (std::filesystem).
[[nodiscard]] inline ExitCode exit_code_of(const std::system_error& error) {
  const bool is_scarce =
      error.code() == std::errc::not_enough_memory || error.code() == std::errc::resource_unavailable_try_again;
  return is_scarce ? ExitCode::kRefused : ExitCode::kIo;
}

}  // namespace guardbit::sim
