#include <fmt/format.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string_view>

#include "sim/base/atomic_file.h"
#include "sim/base/error.h"
#include "sim/base/input_file.h"
#include "sim/cli/progress_line.h"
#include "sim/cli/verbs.h"
#include "sim/report/bathtub_reader.h"
#include "sim/report/html/html_report.h"
#include "sim/report/html/sweep_page.h"
#include "sim/report/replay_reader.h"
#include "sim/sweep/query.h"

namespace guardbit::sim::cli {
namespace {

struct ReportArguments {
  std::string result;
  std::string bathtub;
  std::string output;
  Talk talk;
};

/// The file itself, or the result.json of a directory.
std::filesystem::path result_file(const std::string& result) {
  std::error_code ignored;
  return std::filesystem::is_directory(result, ignored) ? std::filesystem::path(result) / "result.json"
                                                        : std::filesystem::path(result);
}

/// Points of a sweep are an array, a replay is an object.
bool is_array(std::string_view json) {
  const std::size_t first = json.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && json[first] == '[';
}

/// Both sides of a page show one trace.
BathtubResult bathtub_of(const std::string& file, const ReplayResult& result) {
  BathtubResult bathtub = read_bathtub_json(read_file(file), file);
  const auto trace_of = [](const std::map<std::string, std::string>& provenance) {
    const auto found = provenance.find("trace_sha256");
    return found == provenance.end() ? "nothing" : '"' + found->second + '"';
  };
  const std::string expected = trace_of(result.provenance);
  if (trace_of(bathtub.provenance) != expected) {
    throw UserError(ExitCode::kMalformedInput,
                    fmt::format("{}: /provenance/trace_sha256: got {}; expected {}, the trace of the result", file,
                                trace_of(bathtub.provenance), expected));
  }
  return bathtub;
}

std::string page_of(const ReportArguments& arguments) {
  const std::filesystem::path file = result_file(arguments.result);
  const std::string content = read_file(file);
  const bool is_database = std::string_view(content).starts_with("SQLite format 3");
  if (is_database || is_array(content)) {
    if (!arguments.bathtub.empty()) {
      throw UserError(ExitCode::kUsage, "--bathtub: got the points of a sweep; expected the result of a replay");
    }
    if (!is_database) return write_sweep_html(content, file);
    return write_sweep_html(query(file, "SELECT * FROM points ORDER BY id", TableFormat::kJson), file,
                            query(file, "SELECT name, value FROM sweep ORDER BY name", TableFormat::kJson));
  }
  const ReplayResult result = read_replay_json(content, file);
  if (arguments.bathtub.empty()) return write_html(result);
  const BathtubResult bathtub = bathtub_of(arguments.bathtub, result);
  return write_html(result, &bathtub);
}

int run_report(const ReportArguments& arguments) {
  {
    ProgressLine progress(arguments.talk);
    progress.update(0, 1, "pages", arguments.output);
    write_file(arguments.output, page_of(arguments));
    progress.update(1, 1, "pages", arguments.output);
  }
  if (!arguments.talk.quiet) say(fmt::format("report written to {}\n", printable(arguments.output)));
  return 0;
}

}  // namespace

void add_report(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<ReportArguments>();
  CLI::App* verb =
      app.add_subcommand("report", "Make one self-contained HTML page of a replay's result or a sweep's points");
  verb->add_option("result", arguments->result,
                   "result.json, the directory of replay -o that holds it, or a sweep: its database, or points as JSON")
      ->required();
  verb->add_option("--bathtub", arguments->bathtub, "Norms at every scale: what bathtub --format json printed");
  verb->add_option("-o,--output", arguments->output, "The page; appears whole or not at all")->required();
  add_talk(*verb, arguments->talk);
  verb->footer(
      examples({"guardbit replay traces/kjv-gpt2 -a configs/accelerators/edge.toml -o out/edge",
                "guardbit report out/edge -o edge.html",
                "guardbit bathtub traces/kjv-gpt2 -a configs/accelerators/edge.toml --format json > out/bathtub.json",
                "guardbit report out/edge/result.json --bathtub out/bathtub.json -o edge.html",
                "guardbit report out/formats.db -o formats.html"}));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_report(*arguments); }; });
}

}  // namespace guardbit::sim::cli
