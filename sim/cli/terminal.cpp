#include "sim/cli/terminal.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "sim/cli/verbs.h"

namespace guardbit::sim::cli {
namespace {

constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kRed = "\x1b[31m";
constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kPlain = "\x1b[0m";

struct Cell {
  std::string_view text;
  std::size_t offset = 0;  ///< in bytes
  std::size_t end = 0;     ///< in code points: where numbers of a column end
};

/// The words of a line that two or more spaces separate.
std::vector<Cell> cells_of(std::string_view line) {
  std::vector<Cell> cells;
  std::size_t column = 0;
  for (std::size_t at = 0; at < line.size();) {
    if (line[at] == ' ') {
      ++at;
      ++column;
      continue;
    }
    const std::size_t end = std::min(line.find("  ", at), line.size());
    const std::string_view text = line.substr(at, end - at);
    column += static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
    cells.push_back({text, at, column});
    at = end;
  }
  return cells;
}

bool is_number(std::string_view text) { return text.find_first_of("0123456789") <= 1; }

/// Colour of numbers other than 0 in the column of that title; empty: none.
std::string_view colour_of_column(std::string_view title) {
  constexpr std::array<std::string_view, 4> kBad = {"overflow", "invalid", "failed", "mismatches"};
  if (std::find(kBad.begin(), kBad.end(), title) != kBad.end()) return kRed;
  return title == "saturated" ? kYellow : std::string_view();
}

std::string_view colour_of(const Cell& cell, const std::vector<Cell>& titles) {
  if (cell.text == "NO" || cell.text == "FAILED") return kRed;
  if (!is_number(cell.text) || cell.text == "0") return {};
  const auto title = std::find_if(titles.begin(), titles.end(), [&](const Cell& of) { return of.end == cell.end; });
  return title == titles.end() ? std::string_view() : colour_of_column(title->text);
}

std::string coloured_row(std::string_view line, const std::vector<Cell>& cells, const std::vector<Cell>& titles) {
  std::string text;
  std::size_t done = 0;
  for (const Cell& cell : cells) {
    const std::string_view colour = colour_of(cell, titles);
    if (colour.empty()) continue;
    text += line.substr(done, cell.offset - done);
    text.append(colour).append(cell.text).append(kPlain);
    done = cell.offset + cell.text.size();
  }
  return text.append(line.substr(done));
}

/// A table starts after an empty line with a line of at least two titles.
bool are_titles(const std::vector<Cell>& cells) {
  return cells.size() > 1 &&
         std::none_of(cells.begin(), cells.end(), [](const Cell& cell) { return is_number(cell.text); });
}

}  // namespace

bool is_terminal(int descriptor) {
  const char* const kind = std::getenv("TERM");
  return isatty(descriptor) != 0 && kind != nullptr && *kind != '\0' && std::string_view(kind) != "dumb";
}

bool has_colour(int descriptor) {
  const char* const none = std::getenv("NO_COLOR");
  return is_terminal(descriptor) && (none == nullptr || *none == '\0');
}

std::string coloured(std::string_view text) {
  std::string result;
  std::vector<Cell> titles;
  bool starts_block = true;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    const std::vector<Cell> cells = cells_of(line);
    if (starts_block && are_titles(cells)) {
      titles = cells;
      result.append(kBold).append(line).append(kPlain);
    } else {
      if (starts_block) titles.clear();
      result += coloured_row(line, cells, titles);
    }
    starts_block = cells.empty();
    if (end < text.size()) result += '\n';
    begin = end + 1;
  }
  return result;
}

void print_report(std::string_view text, std::string_view format) {
  const bool is_for_reading = format == "table" || format == "details";
  if (is_for_reading && has_colour(STDOUT_FILENO)) return print(coloured(text));
  print(text);
}

}  // namespace guardbit::sim::cli
