#include "sim/report/truths_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <string_view>

#include "sim/report/replay_json.h"
#include "sim/report/text_table.h"

namespace guardbit::sim {
namespace {

constexpr std::string_view kPageHead =
    R"(<!-- written by: build/release/guardbit truths --format markdown > docs/known_truths.md -->
# Known truths

What is known about number formats, accumulators, norms and INT4 smoothing without a simulator, from theorems, hand arithmetic or
publications, measured on the units that a replay runs. This page is what the following prints, on every machine the same:

    build/release/guardbit truths --format markdown       # or a table; names choose some; exit code 1 if one does not hold

*Expected* is what theory or publication say, before the measurement; a row without it is shown for comparison.
`tests/system/truths_test.cpp` compares this page with the program.
)";

/// Words of `text` in lines of at most 130 characters, the last one ended.
std::string wrapped(std::string_view text) {
  constexpr std::size_t kWidth = 130;
  std::istringstream words{std::string(text)};
  std::string result;
  std::size_t length = 0;
  for (std::string word; words >> word;) {
    const bool breaks = length + 1 + word.size() > kWidth;
    if (length != 0) result += breaks ? '\n' : ' ';
    length = length == 0 || breaks ? word.size() : length + 1 + word.size();
    result += word;
  }
  return result + "\n";
}

const char* verdict(const TruthRow& row) { return row.holds ? row.expected.empty() ? "" : "yes" : "NO"; }

}  // namespace

std::string truths_table(const std::vector<TruthResult>& truths) {
  using Align = TextTable::Align;
  std::string text;
  for (const TruthResult& truth : truths) {
    TextTable table({{truth.name, Align::kLeft}, {"measured"}, {"expected"}, {"holds"}});
    for (const TruthRow& row : truth.rows) table.add_row({row.quantity, row.measured, row.expected, verdict(row)});
    text += wrapped(truth.claim) + "\n" + table.text() + "\n";
  }
  const auto num_held = std::ranges::count_if(truths, &TruthResult::holds);
  return text + fmt::format("{} of {} hold\n", num_held, truths.size());
}

std::string truths_markdown(const std::vector<TruthResult>& truths) {
  std::string text(kPageHead);
  for (const TruthResult& truth : truths) {
    text += fmt::format("\n## {}\n\n{}\n{}\n| | measured | expected |\n| --- | --- | --- |\n", truth.name,
                        wrapped(fmt::format("**{}**", truth.claim)), wrapped(truth.reason));
    for (const TruthRow& row : truth.rows) {
      const char* const mark = row.holds ? "" : " **does not hold**";
      text += fmt::format("| {} | {} | {}{} |\n", row.quantity, row.measured, row.expected, mark);
    }
  }
  return text;
}

std::string truths_json(const std::vector<TruthResult>& truths, const std::map<std::string, std::string>& provenance) {
  Json list = Json::array();
  for (const TruthResult& truth : truths) {
    Json rows = Json::array();
    for (const TruthRow& row : truth.rows) {
      rows.push_back({{"quantity", row.quantity},
                      {"measured", row.measured},
                      {"expected", row.expected.empty() ? Json(nullptr) : Json(row.expected)},
                      {"holds", row.holds}});
    }
    list.push_back({{"name", truth.name}, {"claim", truth.claim}, {"holds", truth.holds()}, {"rows", std::move(rows)}});
  }
  const Json json = {{"schema", "guardbit-truths/1"},
                     {"provenance", provenance},
                     {"holds", std::ranges::all_of(truths, &TruthResult::holds)},
                     {"truths", std::move(list)}};
  return dump(json, 2) + "\n";
}

}  // namespace guardbit::sim
