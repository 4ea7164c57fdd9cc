#include "sim/report/conform_report.h"

#include <fmt/format.h>

#include "sim/base/error.h"
#include "sim/base/plural.h"
#include "sim/report/replay_json.h"
#include "sim/report/text_table.h"

namespace guardbit::sim {

std::string conform_table(const ConformResult& result) {
  using Align = TextTable::Align;
  TextTable table({{"file", Align::kLeft}, {"operation", Align::kLeft}, {"vectors"}, {"skipped"}, {"mismatches"}});
  std::string mismatches;
  for (const ConformFileResult& file : result.files) {
    table.add_row({file.file, file.operation, count_text(file.num_checked), count_text(file.num_skipped),
                   count_text(file.num_mismatches)});
    if (!file.first_mismatch) continue;
    const VectorMismatch& first = *file.first_mismatch;
    mismatches += fmt::format("{}:{}: {}\n    {}: got {}; expected {}\n", printable(file.file), first.line,
                              printable(first.vector), first.column, first.got, first.expected);
  }
  return fmt::format("{}\n{}{} {}, {} {}\n", table.text(), mismatches, count_text(result.num_checked()),
                     plural(result.num_checked(), "vector"), count_text(result.num_mismatches()),
                     plural(result.num_mismatches(), "mismatch", "es"));
}

std::string conform_json(const ConformResult& result, const std::map<std::string, std::string>& provenance) {
  Json files = Json::array();
  for (const ConformFileResult& file : result.files) {
    Json first = nullptr;
    if (file.first_mismatch) {
      first = {{"line", file.first_mismatch->line},
               {"vector", file.first_mismatch->vector},
               {"column", file.first_mismatch->column},
               {"got", file.first_mismatch->got},
               {"expected", file.first_mismatch->expected}};
    }
    files.push_back({{"file", file.file},
                     {"operation", file.operation},
                     {"checked", file.num_checked},
                     {"skipped", file.num_skipped},
                     {"mismatches", file.num_mismatches},
                     {"first_mismatch", std::move(first)}});
  }
  const Json json = {{"schema", "guardbit-conform/1"},
                     {"provenance", provenance},
                     {"files", std::move(files)},
                     {"checked", result.num_checked()},
                     {"mismatches", result.num_mismatches()}};
  return dump(json, 2) + "\n";
}

}  // namespace guardbit::sim
