#include "sim/sweep/query.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "sim/report/csv_field.h"
#include "sim/report/text_table.h"
#include "sim/sweep/database.h"

namespace guardbit::sim {
namespace {

using OrderedJson = nlohmann::ordered_json;

/// "" for NULL; numbers as short as they read back the same.
std::string text_of(const Cell& cell) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) return fmt::format("{}", *integer);
  if (const auto* real = std::get_if<double>(&cell)) return fmt::format("{}", *real);
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  return "";
}

OrderedJson json_of(const Cell& cell) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) return *integer;
  if (const auto* real = std::get_if<double>(&cell)) return *real;
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  return nullptr;
}

std::string as_table(Statement& statement) {
  std::vector<std::vector<Cell>> rows;
  const int count = statement.num_columns();
  std::vector<bool> is_text(static_cast<std::size_t>(count));
  while (statement.step()) {
    std::vector<Cell>& row = rows.emplace_back();
    for (int column = 0; column < count; ++column) {
      row.push_back(statement.cell(column));
      if (std::holds_alternative<std::string>(row.back())) is_text[static_cast<std::size_t>(column)] = true;
    }
  }
  std::vector<TextTable::Column> columns;
  for (int column = 0; column < count; ++column) {
    columns.push_back({statement.column_name(column),
                       is_text[static_cast<std::size_t>(column)] ? TextTable::Align::kLeft : TextTable::Align::kRight});
  }
  TextTable table(std::move(columns));
  for (const std::vector<Cell>& row : rows) {
    std::vector<std::string> cells;
    for (const Cell& cell : row) cells.push_back(text_of(cell));
    table.add_row(std::move(cells));
  }
  return table.text();
}

std::string as_csv(Statement& statement) {
  std::string text;
  const auto add = [&](int column, const std::string& field) { text += (column > 0 ? "," : "") + csv_field(field); };
  for (int column = 0; column < statement.num_columns(); ++column) add(column, statement.column_name(column));
  text += "\n";
  while (statement.step()) {
    for (int column = 0; column < statement.num_columns(); ++column) add(column, text_of(statement.cell(column)));
    text += "\n";
  }
  return text;
}

std::string as_json(Statement& statement) {
  OrderedJson rows = OrderedJson::array();
  while (statement.step()) {
    OrderedJson row = OrderedJson::object();
    for (int column = 0; column < statement.num_columns(); ++column) {
      row[statement.column_name(column)] = json_of(statement.cell(column));
    }
    rows.push_back(std::move(row));
  }
  constexpr int kIndent = 2;
  return rows.dump(kIndent, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
}

}  // namespace

std::string query(const std::filesystem::path& file, std::string_view sql, TableFormat format) {
  const Database database(file, Database::Mode::kReadOnly);
  Statement statement = database.prepare(sql);
  if (format == TableFormat::kCsv) return as_csv(statement);
  return format == TableFormat::kJson ? as_json(statement) : as_table(statement);
}

}  // namespace guardbit::sim
