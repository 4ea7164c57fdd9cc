#include "sim/sweep/gather.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "sim/base/error.h"
#include "sim/report/report_order.h"
#include "sim/sweep/database.h"
#include "sim/sweep/stored_result.h"
#include "sim/sweep/unfinished_file.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

/// Members of a result that are columns of points under the same name.
constexpr std::array<std::string_view, 16> kResultColumns = {"mode",
                                                             "windows",
                                                             "tokens",
                                                             "reference_perplexity",
                                                             "perplexity",
                                                             "sqnr_db",
                                                             "top1_agreement",
                                                             "cycles",
                                                             "macs",
                                                             "utilization",
                                                             "dram_bytes",
                                                             "energy_pj",
                                                             "area_um2",
                                                             "scratchpad_peak_bytes",
                                                             "accumulator_peak_bytes",
                                                             "digest"};

/// Lists of a result's ops, columns of ops behind point and op.
constexpr std::array<std::string_view, 10> kOpColumns = {
    "name",         "kind", "cycles", "macs", "dram_bytes", "energy_pj", "sqnr_db", "max_abs", "reference_max_abs",
    "output_sha256"};

constexpr const char* kTables = R"(
CREATE TABLE sweep(name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE variants(name TEXT PRIMARY KEY, methods INTEGER, points INTEGER, done INTEGER) WITHOUT ROWID;
CREATE TABLE ops(point INTEGER, op INTEGER, name TEXT, kind TEXT, cycles INTEGER, macs INTEGER, dram_bytes INTEGER,
  energy_pj REAL, sqnr_db REAL, max_abs REAL, reference_max_abs REAL, output_sha256 TEXT,
  PRIMARY KEY(point, op)) WITHOUT ROWID;
CREATE TABLE counters(id INTEGER PRIMARY KEY, event TEXT, stage TEXT);
CREATE TABLE event_counts(point INTEGER, counter INTEGER, op INTEGER, count INTEGER,
  PRIMARY KEY(point, counter, op)) WITHOUT ROWID;
CREATE VIEW events AS SELECT point, event, stage, op, count FROM event_counts JOIN counters ON counters.id = counter;
)";
constexpr const char* kIndexes = R"(
CREATE UNIQUE INDEX points_by_key ON points(key);
CREATE INDEX points_by_variant ON points(variant);
CREATE INDEX ops_by_name ON ops(name);
CREATE INDEX event_counts_by_counter ON event_counts(counter);
)";

class Gatherer {
 public:
  Gatherer(const Store& store, const Plan& plan, Database& database)
      : store_(store),
        plan_(plan),
        database_(database),
        resolver_(plan.space),
        columns_(make_tables()),
        point_(database.prepare(insert("points", columns_))),
        op_(database.prepare(insert("ops", 12))),
        event_(database.prepare(insert("event_counts", 4))) {
    add_counters();
  }

  SweepStatus gather(const StoreProgress& progress) {
    database_.execute("BEGIN");
    std::vector<bool> done(plan_.points.size());
    const auto add = [&](std::size_t index, const PointFile& file) {
      done[index] = true;
      add_done(index, file);
    };
    const SweepStatus status = read_store(store_, plan_, false, add, progress);
    for (std::size_t index = 0; index < done.size(); ++index) {
      if (!done[index]) add_other(index);
    }
    add_variants();
    add_sweep(status);
    database_.execute("COMMIT");
    database_.execute(kIndexes);
    return status;
  }

 private:
  static std::string insert(const std::string& table, int num_columns) {
    std::string sql = "INSERT INTO " + table + " VALUES(?";
    for (int column = 1; column < num_columns; ++column) sql += ",?";
    return sql + ")";
  }

  /// Returns the number of columns of points.
  int make_tables() {
    std::vector<std::string> columns = {"id INTEGER PRIMARY KEY", "key TEXT",    "status TEXT", "trace TEXT",
                                        "accelerator TEXT",       "variant TEXT"};
    for (std::size_t axis = 0; axis < plan_.space.axes.size(); ++axis) {
      const SpaceAxis& of = plan_.space.axes[axis];
      const bool is_fixed_column = of.key == "trace" || of.key == "accelerator" || of.key == "variant";
      if (of.values.size() < 2 || is_fixed_column) continue;
      axes_.push_back(axis);
      columns.push_back("\"" + column_of(of.key) + "\"");
    }
    for (const std::string_view name : kResultColumns) columns.emplace_back(name);
    for (const numerics::Event event : kReportEvents) columns.emplace_back(name_of(event));
    columns.emplace_back("error TEXT");
    database_.execute(kTables);
    database_.execute(fmt::format("CREATE TABLE points({})", fmt::join(columns, ", ")));
    return static_cast<int>(columns.size());
  }

  /// Binds what the plan says; the next free column.
  int bind_plan(std::size_t index, const std::string& status) {
    const PlanPoint& point = plan_.points[index];
    resolver_.choose(point.choice);
    int column = 0;
    point_.bind(++column, static_cast<std::int64_t>(index + 1));
    point_.bind(++column, std::string_view(point.key));
    point_.bind(++column, std::string_view(status));
    point_.bind(++column, std::string_view(resolver_.trace().name));
    point_.bind(++column, std::string_view(resolver_.accelerator().name()));
    point_.bind(++column, std::string_view(resolver_.variant()));
    axis_cells_.clear();
    for (const std::size_t axis : axes_) {
      const SpaceAxis& of = plan_.space.axes[axis];
      axis_cells_.push_back(typed_cell(of.values[point.choice[axis]]));
    }
    for (const Cell& cell : axis_cells_) point_.bind(++column, cell);
    VariantCounts& counts = variants_[resolver_.variant()];
    ++counts.points;
    if (status == "done") ++counts.done;
    return column;
  }

  void add_done(std::size_t index, const PointFile& file) {
    try {
      result_.read(file.result);
      const std::string status = "done";
      int column = bind_plan(index, status);
      for (const std::string_view name : kResultColumns) bind(point_, ++column, result_.member(name));
      for (const numerics::Event event : kReportEvents) bind(point_, ++column, result_.event(name_of(event)));
      point_.bind_null(++column).run();
      add_ops(static_cast<std::int64_t>(index + 1));
      add_events(static_cast<std::int64_t>(index + 1));
    } catch (const UserError& error) {
      if (error.code() != ExitCode::kMalformedInput) throw;
      throw UserError(ExitCode::kMalformedInput,
                      fmt::format("{}: result: {}", store_.path_of(file.key).string(), error.what()));
    }
  }

  /// Text is not copied: it lives until the next result is read.
  void bind(Statement& statement, int column, const StoredValue& value) const {
    switch (value.kind) {
      case StoredValue::Kind::kNull: statement.bind_null(column); return;
      case StoredValue::Kind::kInteger: statement.bind(column, value.integer); return;
      case StoredValue::Kind::kReal: statement.bind(column, value.real); return;
      case StoredValue::Kind::kText: statement.bind(column, result_.text(value)); return;
    }
  }

  void add_ops(std::int64_t point) {
    std::array<std::span<const StoredValue>, kOpColumns.size()> lists;
    for (std::size_t list = 0; list < lists.size(); ++list) lists[list] = result_.op_list(kOpColumns[list]);
    for (std::size_t op = 0; op < lists.front().size(); ++op) {
      op_.bind(1, point).bind(2, static_cast<std::int64_t>(op));
      int column = 2;
      for (const std::span<const StoredValue>& list : lists) bind(op_, ++column, list[op]);
      op_.run();
    }
  }

  /// Every counter has a row, in the order in which results list them: so rows of event_counts are appended.
  void add_counters() {
    Statement statement = database_.prepare(insert("counters", 3));
    for (const numerics::Event event : kReportEvents) {
      for (const std::string_view stage : numerics::kStageNames) {
        const auto id = static_cast<std::int64_t>(counters_.size() + 1);
        counters_[{name_of(event), stage}] = id;
        statement.bind(1, id).bind(2, name_of(event)).bind(3, stage).run();
      }
    }
  }

  void add_events(std::int64_t point) {
    for (const StoredResult::Counts& counts : result_.op_events()) {
      const auto counter = counters_.find({counts.event, counts.stage});
      if (counter == counters_.end()) {
        throw UserError(ExitCode::kMalformedInput,
                        fmt::format("/op_events/{}/{}: no such counter", counts.event, counts.stage));
      }
      event_.bind(1, point).bind(2, counter->second);
      const std::span<const std::int64_t> numbers = result_.numbers_of(counts);
      for (std::size_t at = 0; at < numbers.size(); at += 2) {
        event_.bind(3, numbers[at]).bind(4, numbers[at + 1]).run();
      }
    }
  }

  void add_other(std::size_t index) {
    const std::optional<Failure> failure = store_.failure(plan_.points[index].key);
    const std::string status = failure ? "failed" : "missing";
    int column = bind_plan(index, status);
    while (column + 1 < columns_) point_.bind_null(++column);
    if (failure) {
      point_.bind(++column, std::string_view(failure->error)).run();
    } else {
      point_.bind_null(++column).run();
    }
  }

  void add_variants() {
    Statement statement = database_.prepare(insert("variants", 4));
    for (const auto& [name, counts] : variants_) {
      const auto methods = name == "none" ? 0 : std::count(name.begin(), name.end(), '+') + 1;
      statement.bind(1, std::string_view(name)).bind(2, static_cast<std::int64_t>(methods));
      statement.bind(3, counts.points).bind(4, counts.done).run();
    }
  }

  void add_sweep(const SweepStatus& status) {
    Statement statement = database_.prepare(insert("sweep", 2));
    const std::map<std::string, std::string> rows = {{"name", plan_.name},
                                                     {"numerics", plan_.numerics_version},
                                                     {"source_sha256", plan_.source_sha256},
                                                     {"digest", status.digest}};
    for (const auto& [name, value] : rows) {
      statement.bind(1, std::string_view(name)).bind(2, std::string_view(value)).run();
    }
  }

  struct VariantCounts {
    std::int64_t points = 0;
    std::int64_t done = 0;
  };
  const Store& store_;
  const Plan& plan_;
  Database& database_;
  PointResolver resolver_;
  std::vector<std::size_t> axes_;  // those that are columns
  int columns_;                    // of table points; makes the tables
  Statement point_;
  Statement op_;
  Statement event_;
  StoredResult result_;
  std::map<std::pair<std::string_view, std::string_view>, std::int64_t> counters_;  // by event and stage
  std::vector<Cell> axis_cells_;
  std::map<std::string, VariantCounts> variants_;
};

}  // namespace

std::string column_of(const std::string& key) {
  std::string column = key;
  std::replace(column.begin(), column.end(), '.', '_');
  return column;
}

SweepStatus gather(const Store& store, const Plan& plan, const fs::path& target, const StoreProgress& progress) {
  if (fs::exists(fs::symlink_status(target))) {
    try {
      const Database previous(target, Database::Mode::kReadOnly);
    } catch (const UserError& error) {
      throw UserError(ExitCode::kCannotCreate, std::string(error.what()) + "; it is not replaced");
    }
  }
  const UnfinishedFile unfinished(target);
  SweepStatus status;
  {
    Database database(unfinished.path(), Database::Mode::kCreate);
    status = Gatherer(store, plan, database).gather(progress);
    database.close();
  }
  unfinished.finish();
  return status;
}

}  // namespace guardbit::sim
