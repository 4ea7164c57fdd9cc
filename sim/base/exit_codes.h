#pragma once
/// What each exit code of `guardbit` means to a user; error.h has them for programs.
#include <span>
#include <string_view>

namespace guardbit::sim {

struct ExitCodeRow {
  int code;
  std::string_view name;
  std::string_view meaning;  ///< one line
};

/// All of them but 128 + n, which is signal n. Help texts, manual page, `guardbit list exit_codes` and
/// docs/exit_codes.md are this table. Test: tests/docs/pages_test.py.
[[nodiscard]] std::span<const ExitCodeRow> exit_codes();

}  // namespace guardbit::sim
