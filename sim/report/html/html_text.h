#pragma once
/// Pieces of HTML from text that may hold anything: names of variants, ops and traces come from files and are never
/// trusted. Everything that becomes markup goes through here.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sim/report/replay_json.h"

namespace guardbit::sim::html {

/// `text` for an element's content or a quoted attribute: & < > " ' as references; control characters and bytes that
/// are not UTF-8 as U+FFFD.
[[nodiscard]] std::string escaped(std::string_view text);

/// JSON for the content of a script element: ASCII, and no < > or & that could end the element or start a comment.
[[nodiscard]] std::string script_json(const Json& json);

/// 1234567 -> "1,234,567", every digit.
[[nodiscard]] std::string grouped(std::uint64_t count);
/// Digits after the point, grouped before it; "–" for what is not finite.
[[nodiscard]] std::string fixed(double value, int num_digits);
/// `part` of `whole` in percent with one digit; "–" of nothing.
[[nodiscard]] std::string percent(std::uint64_t part, std::uint64_t whole);
/// "inner_accumulator" -> "inner accumulator".
[[nodiscard]] std::string words(std::string_view name);

/// A table with a caption. Cells are text and are escaped; the first of a row is its header.
class Table {
 public:
  enum class Kind { kText, kNumber, kCode };  ///< kCode: hashes and values of keys, in letters of one width
  struct Column {
    std::string title;
    Kind kind = Kind::kNumber;
    std::string meaning = "";  ///< shown on hover and read out
    std::string variant = "";  ///< the column is shown with this variant; empty: always
  };
  Table(std::string caption, std::vector<Column> columns);

  /// A table that can be sorted by its columns and filtered by the text of its rows' headers.
  Table& sortable();
  /// `variant`: the rows that the page's switch shows with it; empty: always.
  void add_row(const std::vector<std::string>& cells, std::string_view variant = "");
  /// A line that names the rows up to the next one; not in a table that can be sorted.
  void add_group(std::string_view title);
  bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::string text() const;

 private:
  std::string caption_;
  std::vector<Column> columns_;
  std::string rows_;
  bool sortable_ = false;
};

/// A section of the page. `lead` is one escaped or constant paragraph.
[[nodiscard]] std::string section(std::string_view id, std::string_view title, std::string_view lead,
                                  std::string_view content);
/// Where a chart of src/ is drawn; `label` says what it shows to those who do not see it.
[[nodiscard]] std::string chart(std::string_view name, std::string_view label);
/// What is folded away when scripts run, and open without them and on paper.
[[nodiscard]] std::string folded(std::string_view summary, std::string_view content);

}  // namespace guardbit::sim::html
