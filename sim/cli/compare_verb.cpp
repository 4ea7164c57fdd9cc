#include <memory>

#include "sim/base/error.h"
#include "sim/cli/terminal.h"
#include "sim/cli/verbs.h"
#include "sim/regress/result_compare.h"

namespace guardbit::sim::cli {
namespace {

struct CompareArguments {
  std::string a;
  std::string b;
  std::string format = "table";
  bool all = false;
};

constexpr std::size_t kShownRows = 12;  // of each table

int run_compare(const CompareArguments& arguments) {
  const ResultComparison comparison = compare_results(arguments.a, arguments.b);
  print_report(arguments.format == "json" ? comparison_json(comparison)
                                          : comparison_text(comparison, arguments.all ? 0 : kShownRows),
               arguments.format);
  return static_cast<int>(comparison.equal() ? ExitCode::kOk : ExitCode::kGateFailed);
}

}  // namespace

void add_compare(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<CompareArguments>();
  CLI::App* verb = app.add_subcommand("compare", "Differences of two replay results: exit 0 equal, 1 different");
  verb->add_option("A", arguments->a, "result.json, or a directory that holds one")->required();
  verb->add_option("B", arguments->b, "The other")->required();
  verb->add_option("--format", arguments->format, "Report")->check(one_of({"table", "json"}))->capture_default_str();
  verb->add_flag("--all", arguments->all, "Every row of every table");
  verb->footer(examples({"guardbit compare out/before out/after"}, "What it compares: docs/regression.md"));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_compare(*arguments); }; });
}

}  // namespace guardbit::sim::cli
