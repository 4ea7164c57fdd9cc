#pragma once
/// Aligned columns of text, and numbers for people. Widths count code points; control characters in cells are escaped.
#include <cstdint>
#include <string>
#include <vector>

namespace guardbit::sim {

/// Columns are as wide as their widest cell, two spaces apart; each left- or right-aligned.
class TextTable {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kRight;
  };
  explicit TextTable(std::vector<Column> columns);

  /// One cell per column (internal error otherwise).
  void add_row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  /// Title line and rows, each with a line end and without trailing spaces.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// 1234567 -> "1,234,567"; from 10^9 on four digits and a unit, 12345678901 -> "12.35 G", 2^64 -> "18.45 E".
[[nodiscard]] std::string count_text(std::uint64_t count);

/// Fixed digits after the point, or four significant digits from 10^6 on; "nan", "inf", "-inf".
[[nodiscard]] std::string real_text(double value, int num_digits);

}  // namespace guardbit::sim
