#include "sim/sweep/gather.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <nlohmann/json.hpp>
#include <system_error>

#include "sim/base/error.h"
#include "sim/report/report_order.h"
#include "sim/sweep/database.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

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
CREATE TABLE events(point INTEGER, event TEXT, stage TEXT, op INTEGER, count INTEGER,
  PRIMARY KEY(point, event, stage, op)) WITHOUT ROWID;
)";
constexpr const char* kIndexes = R"(
CREATE UNIQUE INDEX points_by_key ON points(key);
CREATE INDEX points_by_variant ON points(variant);
CREATE INDEX ops_by_name ON ops(name);
CREATE INDEX events_by_event ON events(event, stage);
)";

/// `value` outlives the statement's next run: text is not copied.
void bind_json(Statement& statement, int column, const json& value) {
  if (value.is_string()) {
    statement.bind(column, std::string_view(value.get_ref<const std::string&>()));
  } else if (value.is_number_integer()) {
    statement.bind(column, value.get<std::int64_t>());
  } else if (value.is_number()) {
    statement.bind(column, value.get<double>());
  } else {
    statement.bind_null(column);
  }
}

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
        event_(database.prepare(insert("events", 5))) {}

  SweepStatus gather() {
    database_.execute("BEGIN");
    std::vector<bool> done(plan_.points.size());
    SweepStatus status = read_store(store_, plan_, false, [&](std::size_t index, const PointFile& file) {
      done[index] = true;
      add_done(index, file);
    });
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
      const json result = json::parse(file.result);
      const std::string status = "done";
      int column = bind_plan(index, status);
      for (const std::string_view name : kResultColumns) bind_json(point_, ++column, result.at(std::string(name)));
      const json& events = result.at("events");
      for (const numerics::Event event : kReportEvents) {
        bind_json(point_, ++column, events.at(std::string(name_of(event))));
      }
      point_.bind_null(++column).run();
      add_ops(static_cast<std::int64_t>(index + 1), result);
      add_events(static_cast<std::int64_t>(index + 1), result);
    } catch (const json::exception& error) {
      throw UserError(ExitCode::kMalformedInput,
                      fmt::format("{}: result: {}", store_.path_of(file.key).string(), error.what()));
    }
  }

  void add_ops(std::int64_t point, const json& result) {
    const json& ops = result.at("ops");
    if (ops.empty()) return;
    std::vector<const json*> lists;
    for (const std::string_view name : kOpColumns) lists.push_back(&ops.at(std::string(name)));
    for (std::size_t op = 0; op < lists.front()->size(); ++op) {
      op_.bind(1, point).bind(2, static_cast<std::int64_t>(op));
      int column = 2;
      for (const json* list : lists) bind_json(op_, ++column, list->at(op));
      op_.run();
    }
  }

  /// In the order of the table's primary key, so that rows are appended: JSON objects come sorted by name.
  void add_events(std::int64_t point, const json& result) {
    for (const auto& [event, stages] : result.at("op_events").items()) {
      for (const auto& [stage, list] : stages.items()) {
        event_.bind(1, point).bind(2, std::string_view(event)).bind(3, std::string_view(stage));
        for (std::size_t at = 0; at + 1 < list.size(); at += 2) {
          event_.bind(4, list[at].get<std::int64_t>()).bind(5, list[at + 1].get<std::int64_t>()).run();
        }
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
  std::vector<Cell> axis_cells_;
  std::map<std::string, VariantCounts> variants_;
};

/// The name of a file that is removed unless it is given its final name.
class Unfinished {
 public:
  explicit Unfinished(const fs::path& target)
      : target_(fs::absolute(target)),
        path_(target_.parent_path() / fmt::format(".{}.{}.tmp", target_.filename().string(), getpid())) {
    unlink(path_.c_str());
  }
  ~Unfinished() { unlink(path_.c_str()); }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;

  void finish() const {
    for (const fs::path& part : {path_, target_.parent_path()}) {
      if (part != path_) {
        if (rename(path_.c_str(), target_.c_str()) != 0) fail("rename into place");
      }
      const int descriptor = open(part.c_str(), O_RDONLY | O_CLOEXEC);
      if (descriptor < 0 || (fsync(descriptor) != 0 && errno != EINVAL)) fail("flush");
      close(descriptor);
    }
  }
  const fs::path& path() const { return path_; }

 private:
  [[noreturn]] void fail(const char* action) const {
    throw UserError(ExitCode::kIo,
                    fmt::format("{}: cannot {}: {}", target_.string(), action, std::generic_category().message(errno)));
  }
  fs::path target_;
  fs::path path_;
};

}  // namespace

std::string column_of(const std::string& key) {
  std::string column = key;
  std::replace(column.begin(), column.end(), '.', '_');
  return column;
}

SweepStatus gather(const Store& store, const Plan& plan, const fs::path& target) {
  if (fs::exists(fs::symlink_status(target))) {
    try {
      const Database previous(target, Database::Mode::kReadOnly);
    } catch (const UserError& error) {
      throw UserError(ExitCode::kCannotCreate, std::string(error.what()) + "; it is not replaced");
    }
  }
  const Unfinished unfinished(target);
  SweepStatus status;
  {
    Database database(unfinished.path(), Database::Mode::kCreate);
    status = Gatherer(store, plan, database).gather();
    database.close();
  }
  unfinished.finish();
  return status;
}

}  // namespace guardbit::sim
