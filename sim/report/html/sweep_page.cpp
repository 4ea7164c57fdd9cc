#include "sim/report/html/sweep_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "sim/base/plural.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/page.h"
#include "sim/trace/strict_json.h"

namespace guardbit::sim {
namespace {

using Kind = JsonValue::Kind;

/// Rows of cells by column; a cell that a point does not have is null.
struct Points {
  std::vector<std::string> columns;
  std::vector<std::vector<Json>> rows;
};

bool is_number(const JsonValue& value) {
  return value.kind == Kind::kUnsigned || value.kind == Kind::kNegative || value.kind == Kind::kFloat;
}

Json cell_of(const JsonCursor& cursor) {
  const JsonValue& value = cursor.value();
  if (value.kind == Kind::kUnsigned) return value.unsigned_value;
  if (is_number(value)) return value.number;
  if (value.kind == Kind::kString) return value.text;
  if (value.kind != Kind::kNull) cursor.expected("a number, a string or null");
  return nullptr;
}

/// What identifies a point comes first, then what tells points apart, in the order of the names.
std::vector<std::string> columns_of(const JsonCursor& root) {
  std::set<std::string> names;
  for (const JsonCursor& point : root.items()) {
    for (const auto& [name, value] : point.members()) names.insert(name);
  }
  std::vector<std::string> columns;
  for (const char* name : {"id", "variant"}) {
    if (names.erase(name) != 0) columns.emplace_back(name);
  }
  columns.insert(columns.end(), names.begin(), names.end());
  return columns;
}

bool is_done(const JsonCursor& point) {
  const auto status = point.find("status");
  return !status || status->value().text == "done";
}

Points read_points(std::string_view content, const std::filesystem::path& file) {
  const JsonValue document = parse_json(content, file);
  JsonProblems problems(file);
  const JsonCursor root(document, problems);
  if (root.items().size() > kMostSweepPoints) {
    root.expected(fmt::format("at most {} points; a query can select some", kMostSweepPoints));
  }
  problems.throw_if_any();
  Points points{.columns = columns_of(root), .rows = {}};
  for (const JsonCursor& point : root.items()) {
    if (!is_done(point)) continue;
    std::vector<Json>& row = points.rows.emplace_back();
    for (const std::string& column : points.columns) {
      const auto cell = point.find(column);
      row.push_back(cell ? cell_of(*cell) : Json(nullptr));
    }
  }
  problems.throw_if_any();
  return points;
}

/// Columns with one value for all points say what the sweep is about; the others tell its points apart.
bool is_constant(const Points& points, std::size_t column) {
  return std::all_of(points.rows.begin(), points.rows.end(),
                     [&](const std::vector<Json>& row) { return row[column] == points.rows.front()[column]; });
}

std::string text_of(const Json& cell) {
  if (cell.is_null()) return "";
  if (cell.is_string()) return cell.get<std::string>();
  return cell.is_number_unsigned() ? html::grouped(cell.get<std::uint64_t>())
                                   : fmt::format("{:.6g}", cell.get<double>());
}

std::string point_table(const Points& points) {
  std::vector<html::Table::Column> columns;
  std::vector<std::size_t> shown;
  for (std::size_t column = 0; column < points.columns.size(); ++column) {
    if (is_constant(points, column)) continue;
    const bool has_text = std::any_of(points.rows.begin(), points.rows.end(),
                                      [&](const std::vector<Json>& row) { return row[column].is_string(); });
    columns.push_back({points.columns[column], has_text ? html::Table::Kind::kText : html::Table::Kind::kNumber});
    shown.push_back(column);
  }
  html::Table table("Points", std::move(columns));
  for (const std::vector<Json>& row : points.rows) {
    std::vector<std::string> cells;
    for (const std::size_t column : shown) cells.push_back(text_of(row[column]));
    table.add_row(cells);
  }
  return table.empty() || shown.empty() ? "" : html::folded("All points", table.sortable().text());
}

std::string constant_table(const Points& points) {
  html::Table table("The same for all points",
                    {{"column", html::Table::Kind::kText}, {"value", html::Table::Kind::kText}});
  for (std::size_t column = 0; column < points.columns.size(); ++column) {
    if (!points.rows.empty() && is_constant(points, column)) {
      table.add_row({points.columns[column], text_of(points.rows.front()[column])});
    }
  }
  return table.empty() ? "" : html::folded("The same for all points", table.text());
}

/// What was swept; empty if that is not told.
std::string provenance_section(std::string_view provenance, const std::filesystem::path& file) {
  const JsonValue document = parse_json(provenance, file);
  JsonProblems problems(file);
  html::Table table("Provenance", {{"what", html::Table::Kind::kText}, {"value", html::Table::Kind::kCode}});
  for (const JsonCursor& fact : JsonCursor(document, problems).items()) {
    const auto name = fact.find("name");
    const auto value = fact.find("value");
    if (name && value) table.add_row({html::words(text_of(cell_of(*name))), text_of(cell_of(*value))});
  }
  problems.throw_if_any();
  if (table.empty()) return "";
  return html::section("provenance", "Reproduce",
                       "The sweep file with this source hash, planned, run and gathered again by a Guardbit with the "
                       "same numerics, gives the same digest, whatever the machine and the number of threads. Hashes "
                       "are SHA-256.",
                       table.text());
}

}  // namespace

std::string write_sweep_html(std::string_view content, const std::filesystem::path& file, std::string_view provenance) {
  const Points points = read_points(content, file);
  html::Page page;
  page.title = html::escaped(file.stem().string());
  page.facts = fmt::format("{} {} of a sweep", html::grouped(points.rows.size()), plural(points.rows.size(), "point"));
  page.sections.push_back(
      {"sweep", "Sweep",
       html::section("sweep", "Points",
                     "One mark per point. The line joins the Pareto front of what is shown: no other point is at least "
                     "as good in both figures and better in one.",
                     html::chart("sweep", "Two figures of every point against each other, with their Pareto front.") +
                         point_table(points) + constant_table(points))});
  page.sections.push_back({"provenance", "Reproduce", provenance_section(provenance, file)});
  page.data = {{"sweep", {{"columns", points.columns}, {"rows", points.rows}}}};
  return html::page_text(page);
}

}  // namespace guardbit::sim
