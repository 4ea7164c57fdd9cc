#include "sim/report/text_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "models/numerics/check.h"
#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

/// Code points: bytes that do not continue one.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

}  // namespace

TextTable::TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

void TextTable::add_row(std::vector<std::string> cells) {
  GUARDBIT_CHECK(cells.size() == columns_.size(), "a table row has one cell per column");
  for (std::string& cell : cells) cell = printable(cell);
  rows_.push_back(std::move(cells));
}

std::string TextTable::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = width_of(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, width_of(row[i]));
    widths.push_back(width);
  }
  std::string text;
  const auto append_line = [&](const auto& cell_of) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_of(i);
      const std::string padding(widths[i] - width_of(cell), ' ');
      if (i > 0) line += "  ";
      line += columns_[i].align == Align::kLeft ? cell + padding : padding + cell;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  };
  append_line([&](std::size_t i) -> const std::string& { return columns_[i].title; });
  for (const auto& row : rows_) append_line([&](std::size_t i) -> const std::string& { return row[i]; });
  return text;
}

std::string count_text(std::uint64_t count) {
  constexpr std::uint64_t kShortFrom = 1'000'000'000;
  if (count >= kShortFrom) {
    constexpr std::array<std::string_view, 4> kUnits = {"G", "T", "P", "E"};
    double scaled = static_cast<double>(count) / 1e9;
    std::size_t unit = 0;
    for (; scaled >= 999.95 && unit + 1 < kUnits.size(); ++unit) scaled /= 1000;
    return fmt::format("{:.4g} {}", scaled, kUnits[unit]);
  }
  std::string text = std::to_string(count);
  for (std::size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string real_text(double value, int num_digits) {
  constexpr double kFixedBelow = 1e6;
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (std::abs(value) >= kFixedBelow) return fmt::format("{:.4g}", value);
  return fmt::format("{:.{}f}", value, num_digits);
}

}  // namespace guardbit::sim
