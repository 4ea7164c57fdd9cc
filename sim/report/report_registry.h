#pragma once
/// The ways to print a replay. Adding one = one file in reports/ and one row in report_registry.cpp; the command line's
/// --format, `guardbit list` and the tests iterate over the rows.
#include <span>
#include <string>
#include <string_view>

#include "sim/stats/result.h"

namespace guardbit::sim {

struct Report {
  std::string_view name;                             ///< value of --format
  std::string_view summary;                          ///< one line
  std::string (*write)(const ReplayResult& result);  ///< whole text, with a final newline
};

/// All reports, sorted by name.
[[nodiscard]] std::span<const Report> reports();
[[nodiscard]] const Report* find_report(std::string_view name);

}  // namespace guardbit::sim
