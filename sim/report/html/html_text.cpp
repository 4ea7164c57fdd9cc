#include "sim/report/html/html_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/numerics/check.h"

namespace guardbit::sim::html {
namespace {

constexpr std::string_view kNothing = "–";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

/// Well-formed UTF-8 of `text`: what is not becomes U+FFFD, as in JSON.
std::string well_formed(std::string_view text) { return Json::parse(dump(Json(text), -1)).get<std::string>(); }

/// Attribute of what the page's switch shows with a variant.
std::string shown_with(std::string_view variant) {
  return variant.empty() ? "" : fmt::format(" data-variant=\"{}\"", escaped(variant));
}

std::string marks_of(const Table::Column& column) {
  const std::string_view style = column.kind == Table::Kind::kNumber ? " class=\"n\""
                                 : column.kind == Table::Kind::kCode ? " class=\"code\""
                                                                     : "";
  return std::string(style) + shown_with(column.variant);
}

/// Separators between the digits from `begin` to `end`.
void group_digits(std::string& text, std::size_t begin, std::size_t end) {
  constexpr std::size_t kGroup = 3;
  while (end > begin + kGroup) text.insert(end -= kGroup, ",");
}

bool is_control(char character) { return (character >= 0 && character < ' ') || character == '\x7F'; }

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  for (const char character : well_formed(text)) {
    switch (character) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      case '\'': result += "&#39;"; break;
      default:
        if (is_control(character)) {
          result += kReplacement;
        } else {
          result += character;
        }
    }
  }
  return result;
}

std::string script_json(const Json& json) {
  std::string text = json.dump(-1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace);
  replace_all(text, "<", "\\u003c");  // outside of strings JSON has none of the three
  replace_all(text, ">", "\\u003e");
  replace_all(text, "&", "\\u0026");
  return text;
}

std::string grouped(std::uint64_t count) {
  std::string text = std::to_string(count);
  group_digits(text, 0, text.size());
  return text;
}

std::string fixed(double value, int num_digits) {
  if (!std::isfinite(value)) return std::string(kNothing);
  std::string text = fmt::format("{:.{}f}", value, num_digits);
  group_digits(text, text.starts_with('-') ? 1 : 0, std::min(text.find('.'), text.size()));
  return text;
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return std::string(kNothing);
  return fixed(100 * static_cast<double>(part) / static_cast<double>(whole), 1);
}

std::string words(std::string_view name) {
  std::string text(name);
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

Table::Table(std::string caption, std::vector<Column> columns)
    : caption_(std::move(caption)), columns_(std::move(columns)) {}

Table& Table::sortable() {
  sortable_ = true;
  return *this;
}

void Table::add_row(const std::vector<std::string>& cells, std::string_view variant) {
  GUARDBIT_CHECK(cells.size() == columns_.size(), "one cell per column");
  rows_ += fmt::format("<tr{}>", shown_with(variant));
  for (std::size_t column = 0; column < cells.size(); ++column) {
    const std::string marks = marks_of(columns_[column]);
    rows_ += column == 0 ? fmt::format("<th scope=\"row\"{}>{}</th>", marks, escaped(cells[column]))
                         : fmt::format("<td{}>{}</td>", marks, escaped(cells[column]));
  }
  rows_ += "</tr>\n";
}

void Table::add_group(std::string_view title) {
  rows_ += fmt::format("<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"{}\">{}</th></tr>\n", columns_.size(),
                       escaped(title));
}

std::string Table::text() const {
  std::string head;
  for (const Column& column : columns_) {
    std::string title = escaped(column.title);
    replace_all(title, "+", "+<wbr>");  // long names fold behind their signs
    replace_all(title, "_", "_<wbr>");
    if (!column.meaning.empty()) title = fmt::format("<abbr title=\"{}\">{}</abbr>", escaped(column.meaning), title);
    head += fmt::format("<th scope=\"col\"{}>{}</th>", marks_of(column), title);
  }
  return fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table{1}><caption>{0}</caption>\n"
      "<thead><tr>{2}</tr></thead>\n<tbody>\n{3}</tbody></table></div>\n",
      escaped(caption_), sortable_ ? " class=\"sortable\"" : "", head, rows_);
}

std::string section(std::string_view id, std::string_view title, std::string_view lead, std::string_view content) {
  return fmt::format(
      "<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 id=\"{0}-title\">{1}</h2>\n<p "
      "class=\"lead\">{2}</p>\n{3}</section>\n",
      id, title, lead, content);
}

std::string chart(std::string_view name, std::string_view label) {
  return fmt::format("<div class=\"chart\" data-chart=\"{}\" role=\"img\" aria-label=\"{}\"></div>\n", name,
                     escaped(label));
}

std::string folded(std::string_view summary, std::string_view content) {
  return fmt::format("<details open><summary>{}</summary>\n{}</details>\n", summary, content);
}

}  // namespace guardbit::sim::html
