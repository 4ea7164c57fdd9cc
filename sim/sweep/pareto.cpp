#include "sim/sweep/pareto.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "sim/base/error.h"
#include "sim/config/suggest.h"
#include "sim/sweep/database.h"

namespace guardbit::sim {
namespace {

constexpr std::array<std::string_view, 3> kLargerIsBetter = {"sqnr_db", "top1_agreement", "utilization"};

bool contains(const auto& range, const std::string& name) {
  return std::find(range.begin(), range.end(), name) != range.end();
}

std::vector<std::string> columns_of_points(const Database& database) {
  const Statement statement = database.prepare("SELECT * FROM points LIMIT 0");
  std::vector<std::string> names;
  for (int column = 0; column < statement.num_columns(); ++column) names.push_back(statement.column_name(column));
  return names;
}

/// Variant, trace and accelerator if there are several, and the columns of the sweep's axes, which stand between
/// variant and mode.
std::vector<std::string> varied_columns(const Database& database, const std::vector<std::string>& columns) {
  const auto begin = std::find(columns.begin(), columns.end(), "variant");
  std::vector<std::string> varied(begin, std::find(begin, columns.end(), "mode"));
  for (const char* name : {"trace", "accelerator"}) {
    Statement statement = database.prepare(fmt::format("SELECT count(DISTINCT {}) > 1 FROM points", name));
    if (statement.step() && statement.cell(0) == Cell(std::int64_t{1})) varied.emplace_back(name);
  }
  return varied;
}

/// The column of that name, or the only one that adds a unit to it.
std::string resolve_column(const std::vector<std::string>& columns, const std::string& name) {
  if (contains(columns, name)) return name;
  std::vector<std::string> candidates;
  for (const std::string& column : columns) {
    if (column.starts_with(name + "_")) candidates.push_back(column);
  }
  if (candidates.size() == 1) return candidates.front();
  throw UserError(ExitCode::kUsage, fmt::format("{}: got a column that points does not have; expected one of {}{}",
                                                name, fmt::join(columns, ", "), did_you_mean(name, columns)));
}

/// A statement over points; the message of a column that there is not says which there are.
Statement prepare_over_points(const Database& database, const std::vector<std::string>& columns,
                              const std::string& sql) {
  try {
    return database.prepare(sql);
  } catch (const UserError& error) {
    constexpr std::string_view kMissing = "no such column: ";
    const std::string text = error.what();
    const std::size_t at = text.find(kMissing);
    if (at == std::string::npos) throw;
    const std::string name = text.substr(at + kMissing.size());
    throw UserError(error.code(), fmt::format("--where: {}; expected one of {}{}", text.substr(at),
                                              fmt::join(columns, ", "), did_you_mean(name, columns)));
  }
}

double number_of(const Cell& cell, const std::string& column) {
  if (const auto* integer = std::get_if<std::int64_t>(&cell)) return static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(&cell)) return *real;
  throw UserError(ExitCode::kUsage, fmt::format("{}: got text; expected a column of numbers", column));
}

void store_front(const std::filesystem::path& file, const ParetoFront& front, const std::string& where) {
  const Database database(file, Database::Mode::kWrite);
  database.execute(R"(BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS fronts(name TEXT PRIMARY KEY, objectives TEXT, condition TEXT) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS front_points(front TEXT, rank INTEGER, point INTEGER, PRIMARY KEY(front, rank)) WITHOUT ROWID;)");
  database.prepare("DELETE FROM front_points WHERE front = ?").bind(1, std::string_view(front.name)).run();
  std::string objectives;
  for (std::size_t index = 0; index < front.columns.size(); ++index) {
    objectives +=
        fmt::format("{}{} {}", index > 0 ? ", " : "", front.maximized[index] ? "max" : "min", front.columns[index]);
  }
  database.prepare("INSERT OR REPLACE INTO fronts VALUES(?, ?, ?)")
      .bind(1, std::string_view(front.name))
      .bind(2, std::string_view(objectives))
      .bind(3, std::string_view(where))
      .run();
  Statement insert = database.prepare("INSERT INTO front_points VALUES(?, ?, ?)");
  for (std::size_t rank = 0; rank < front.ids.size(); ++rank) {
    insert.bind(1, std::string_view(front.name)).bind(2, static_cast<std::int64_t>(rank + 1));
    insert.bind(3, front.ids[rank]).run();
  }
  database.execute("COMMIT");
}

}  // namespace

std::string front_sql(const ParetoFront& front) {
  std::string sql = "SELECT p.id";
  for (const std::vector<std::string>* names : {&front.columns, &front.varied}) {
    for (const std::string& name : *names) sql += ", p.\"" + name + "\"";
  }
  std::string quoted;
  for (const char c : front.name) quoted += c == '\'' ? "''" : std::string(1, c);
  return sql + " FROM front_points f JOIN points p ON p.id = f.point WHERE f.front = '" + quoted + "' ORDER BY f.rank";
}

bool larger_is_better(const std::string& column) { return contains(kLargerIsBetter, column); }

std::vector<std::size_t> pareto_rows(std::span<const std::vector<double>> rows) {
  // In lexicographic order a row is beaten only by rows before it, and then also by one of the front so far.
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return rows[a] < rows[b]; });
  std::vector<std::size_t> front;
  for (const std::size_t row : order) {
    const bool beaten = std::any_of(front.begin(), front.end(), [&](std::size_t better) {
      if (rows[better] == rows[row]) return false;
      for (std::size_t index = 0; index < rows[row].size(); ++index) {
        if (rows[better][index] > rows[row][index]) return false;
      }
      return true;
    });
    if (!beaten) front.push_back(row);
  }
  std::sort(front.begin(), front.end());
  return front;
}

ParetoFront pareto(const std::filesystem::path& file, const ParetoOptions& options) {
  ParetoFront front;
  std::vector<std::int64_t> ids;
  std::vector<std::vector<double>> rows;
  {
    const Database database(file, Database::Mode::kReadOnly);
    const std::vector<std::string> columns = columns_of_points(database);
    front.varied = varied_columns(database, columns);
    std::vector<std::string> more_is_better;
    for (const std::string& name : options.maximize) more_is_better.push_back(resolve_column(columns, name));
    std::string selected = "id";
    for (const std::string& name : options.objectives) {
      const std::string column = resolve_column(columns, name);
      front.columns.push_back(column);
      front.maximized.push_back(larger_is_better(column) || contains(more_is_better, column));
      selected += ", \"" + column + "\"";
    }
    for (const std::string& name : more_is_better) {
      if (contains(front.columns, name)) continue;
      throw UserError(ExitCode::kUsage, fmt::format("--max: got {}; expected one of the objectives {}", name,
                                                    fmt::join(front.columns, ", ")));
    }
    Statement statement = prepare_over_points(database, columns,
                                              "SELECT " + selected + " FROM points WHERE status = 'done'" +
                                                  (options.where.empty() ? "" : " AND (" + options.where + "\n)"));
    while (statement.step()) {
      std::vector<double> row;
      bool complete = true;
      for (std::size_t index = 0; index < front.columns.size(); ++index) {
        const Cell cell = statement.cell(static_cast<int>(index) + 1);
        complete = complete && !std::holds_alternative<std::monostate>(cell);
        if (complete) row.push_back(number_of(cell, front.columns[index]) * (front.maximized[index] ? -1 : 1));
      }
      ++front.num_points;
      if (!complete) {
        ++front.num_incomplete;
        continue;
      }
      ids.push_back(std::get<std::int64_t>(statement.cell(0)));
      rows.push_back(std::move(row));
    }
  }
  std::vector<std::size_t> best = pareto_rows(rows);
  std::stable_sort(best.begin(), best.end(), [&](std::size_t a, std::size_t b) { return rows[a] < rows[b]; });
  for (const std::size_t row : best) front.ids.push_back(ids[row]);
  front.name = options.name.empty() ? fmt::format("{}", fmt::join(front.columns, ",")) : options.name;
  store_front(file, front, options.where);
  return front;
}

}  // namespace guardbit::sim
