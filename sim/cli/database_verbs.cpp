#include <fmt/format.h>

#include <memory>

#include "sim/base/atomic_file.h"
#include "sim/base/error.h"
#include "sim/cli/progress_line.h"
#include "sim/cli/terminal.h"
#include "sim/cli/verbs.h"
#include "sim/sweep/gather.h"
#include "sim/sweep/pareto.h"
#include "sim/sweep/query.h"

namespace guardbit::sim::cli {
namespace {

struct DatabaseArguments {
  std::string store;
  std::string database;
  std::string csv;
  std::string sql;
  std::string format = "table";
  std::string x;
  std::string y;
  std::vector<std::string> also;
  ParetoOptions pareto;
  Talk talk;
};

TableFormat table_format(const std::string& name) {
  if (name == "csv") return TableFormat::kCsv;
  return name == "json" ? TableFormat::kJson : TableFormat::kTable;
}

void add_format(CLI::App& verb, DatabaseArguments& arguments) {
  verb.add_option("--format", arguments.format, "Report on standard output")
      ->check(one_of({"table", "csv", "json"}))
      ->capture_default_str();
}

int run_gather(const DatabaseArguments& arguments) {
  const Store store(arguments.store);
  const Plan plan = store.read_plan();
  SweepStatus status;
  {
    ProgressLine progress(arguments.talk);
    status = gather(store, plan, arguments.database,
                    [&](std::size_t done, std::size_t total) { progress.update(done, total, "points", plan.name); });
  }
  for (const std::string& message : status.messages) say("guardbit: " + printable(message) + "\n");
  if (!arguments.csv.empty()) {
    write_file(arguments.csv, query(arguments.database, "SELECT * FROM points ORDER BY id", TableFormat::kCsv));
  }
  print(fmt::format("gathered {} of {} points ({} failed, {} missing) into {}\ndigest {}\n", status.done, status.points,
                    status.failed, status.missing, arguments.database, status.digest));
  if (status.conflicts > 0) return static_cast<int>(ExitCode::kInternal);
  return static_cast<int>(status.done == status.points ? ExitCode::kOk : ExitCode::kPartial);
}

int run_pareto(DatabaseArguments& arguments) {
  arguments.pareto.objectives = {arguments.x, arguments.y};
  arguments.pareto.objectives.insert(arguments.pareto.objectives.end(), arguments.also.begin(), arguments.also.end());
  const ParetoFront front = pareto(arguments.database, arguments.pareto);
  const TableFormat format = table_format(arguments.format);
  print_report(query(arguments.database, front_sql(front), format), arguments.format);
  say(fmt::format("{} of {} points are on the front{}; stored as '{}'\n", front.ids.size(), front.num_points,
                  front.num_incomplete == 0 ? "" : fmt::format(" ({} have no number)", front.num_incomplete),
                  front.name));
  return 0;
}

}  // namespace

void add_gather(CLI::App& sweep, Action& action) {
  auto arguments = std::make_shared<DatabaseArguments>();
  CLI::App* verb = sweep.add_subcommand("gather", "Put a store's results into an SQLite database");
  verb->add_option("store", arguments->store, "Store directory")->required();
  verb->add_option("-o,--output", arguments->database, "Database file; made anew every time")->required();
  verb->add_option("--csv", arguments->csv, "Write table points to this CSV file as well");
  add_talk(*verb, arguments->talk);
  verb->footer(
      examples({"guardbit sweep gather out/formats -o out/formats.db --csv out/formats.csv"},
               "Exit codes: 0 complete, 75 points are missing or failed (the database has the others), 70 second "
               "results differ from the first (the database has the first)."));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_gather(*arguments); }; });
}

void add_pareto(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<DatabaseArguments>();
  CLI::App* verb = app.add_subcommand("pareto", "Print and store the points of a sweep that no other point beats");
  verb->add_option("database", arguments->database, "Database made by sweep gather")->required();
  verb->add_option("--x", arguments->x, "First objective: a column of points")->required();
  verb->add_option("--y", arguments->y, "Second objective")->required();
  verb->add_option("--also", arguments->also, "Comma-separated further objectives")->delimiter(',');
  verb->add_option("--max", arguments->pareto.maximize,
                   "Comma-separated objectives of which more is better (always: sqnr_db, top1_agreement, utilization)")
      ->delimiter(',');
  verb->add_option("--where", arguments->pareto.where, "SQL condition on points");
  verb->add_option("--name", arguments->pareto.name, "Store the front under this name (default: its objectives)");
  add_format(*verb, *arguments);
  verb->footer(examples({"guardbit pareto out/formats.db --x cycles --y perplexity",
                         "guardbit pareto out/formats.db --x cycles --y sqnr_db --also energy,area \\\n"
                         "    --where \"variant <> 'none'\""}));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_pareto(*arguments); }; });
}

void add_query(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<DatabaseArguments>();
  CLI::App* verb = app.add_subcommand("query", "Run one SQL SELECT over a sweep's database, read only");
  verb->add_option("database", arguments->database, "Database made by sweep gather")->required();
  verb->add_option("sql", arguments->sql, "Tables: points, variants, ops, events, sweep (docs/sweeps.md)")->required();
  add_format(*verb, *arguments);
  verb->footer(
      examples({"guardbit query out/formats.db \"SELECT variant, min(perplexity) FROM points GROUP BY variant\"",
                "guardbit query out/formats.db \"SELECT * FROM points\" --format csv"}));
  verb->final_callback([arguments, &action] {
    action = [arguments] {
      print_report(query(arguments->database, arguments->sql, table_format(arguments->format)), arguments->format);
      return 0;
    };
  });
}

}  // namespace guardbit::sim::cli
