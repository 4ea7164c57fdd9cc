#include <fmt/format.h>

#include <memory>

#include "sim/base/atomic_file.h"
#include "sim/cli/verbs.h"
#include "sim/report/html/html_report.h"
#include "sim/report/replay_reader.h"

namespace guardbit::sim::cli {
namespace {

struct ReportArguments {
  std::string result;
  std::string output;
  bool quiet = false;
};

int run_report(const ReportArguments& arguments) {
  const std::string page = write_html(read_replay_result(arguments.result));
  write_file(arguments.output, page);
  if (!arguments.quiet) say(fmt::format("report written to {}\n", arguments.output));
  return 0;
}

}  // namespace

void add_report(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<ReportArguments>();
  CLI::App* verb = app.add_subcommand("report", "Make one self-contained HTML page of a replay's result");
  verb->add_option("result", arguments->result, "result.json, or the directory of replay -o that holds it")->required();
  verb->add_option("-o,--output", arguments->output, "The page; appears whole or not at all")->required();
  verb->add_flag("--quiet,-q", arguments->quiet, "Nothing on standard error");
  verb->footer(
      "Examples: guardbit replay traces/kjv-gpt2 -a configs/accelerators/edge.toml -o out/edge\n"
      "          guardbit report out/edge -o edge.html\n"
      "          guardbit report out/edge/result.json -o edge.html");
  verb->final_callback([arguments, &action] { action = [arguments] { return run_report(*arguments); }; });
}

}  // namespace guardbit::sim::cli
