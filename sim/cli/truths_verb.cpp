#include <algorithm>
#include <memory>

#include "sim/base/error.h"
#include "sim/cli/terminal.h"
#include "sim/cli/verbs.h"
#include "sim/probe/truths/known_truths.h"
#include "sim/replay/build_info.h"
#include "sim/report/truths_report.h"

namespace guardbit::sim::cli {
namespace {

struct TruthsArguments {
  std::vector<std::string> names;
  std::string format = "table";
  std::string vector_target;
};

int run_truths(const TruthsArguments& arguments) {
  if (!arguments.vector_target.empty()) kernels::limit_vector_target(arguments.vector_target);
  std::vector<TruthResult> results;
  for (const KnownTruth& truth : known_truths()) {
    const bool is_wanted =
        arguments.names.empty() || std::ranges::find(arguments.names, truth.name) != arguments.names.end();
    if (is_wanted) results.push_back(measure(truth));
  }
  print_report(arguments.format == "json"       ? truths_json(results, build_provenance())
               : arguments.format == "markdown" ? truths_markdown(results)
                                                : truths_table(results),
               arguments.format);
  const bool all_hold = std::ranges::all_of(results, &TruthResult::holds);
  return static_cast<int>(all_hold ? ExitCode::kOk : ExitCode::kGateFailed);
}

}  // namespace

void add_truths(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<TruthsArguments>();
  CLI::App* verb = app.add_subcommand("truths", "Measure what is known without a simulator (docs/known_truths.md)");
  std::vector<std::string> names;
  for (const KnownTruth& truth : known_truths()) names.emplace_back(truth.name);
  verb->add_option("names", arguments->names, "Some of them (default: all)")->check(one_of(names));
  verb->add_option("--format", arguments->format, "Report on standard output")
      ->check(one_of({"table", "markdown", "json"}))
      ->capture_default_str();
  add_vector_target(*verb, arguments->vector_target);
  verb->footer(examples({"guardbit truths", "guardbit truths topology group_order --format markdown"}));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_truths(*arguments); }; });
}

}  // namespace guardbit::sim::cli
