#pragma once
/// --format of verbs that have both a report and a number format: each word is the one or the other, and the option may
/// be given once for each.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "sim/base/error.h"

namespace guardbit::sim::cli {

struct FormatWords {
  std::string report = "table";  ///< "table" or "json"
  std::string number;            ///< anything else; empty if none is given
};

/// UserError kUsage if two different number formats are given.
inline FormatWords read_format_words(const std::vector<std::string>& words) {
  FormatWords formats;
  for (const std::string& word : words) {
    const bool is_report = word == "table" || word == "json";
    if (!is_report && !formats.number.empty() && formats.number != word) {
      throw UserError(ExitCode::kUsage,
                      fmt::format("--format: got {} and {}; expected one number format", formats.number, word));
    }
    (is_report ? formats.report : formats.number) = word;
  }
  return formats;
}

}  // namespace guardbit::sim::cli
