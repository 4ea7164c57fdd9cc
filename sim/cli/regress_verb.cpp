#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <vector>

#include "models/kernels/vector_target.h"
#include "sim/base/atomic_file.h"
#include "sim/base/error.h"
#include "sim/base/signal_guard.h"
#include "sim/cli/progress_line.h"
#include "sim/cli/terminal.h"
#include "sim/cli/verbs.h"
#include "sim/config/suggest.h"
#include "sim/regress/check_report.h"
#include "sim/regress/golden_file.h"
#include "sim/regress/junit.h"
#include "sim/regress/run_case.h"
#include "sim/regress/suite.h"
#include "sim/report/text_table.h"

namespace guardbit::sim::cli {
namespace {

namespace fs = std::filesystem;

struct RegressArguments {
  std::string suite;
  std::string output;
  std::string golden;
  std::vector<std::string> cases;  ///< names; empty: all
  std::string format = "table";
  std::string junit;
  std::string fidelity = "tile";
  std::string vector_target;
  std::int64_t threads = 0;
  Talk talk;
};

/// The cases that were asked for, everything that can be known of them checked.
Suite load_suite(const RegressArguments& arguments) {
  if (!arguments.vector_target.empty()) kernels::limit_vector_target(arguments.vector_target);
  Suite suite = read_suite(arguments.suite);
  std::vector<std::string> known;
  for (const SuiteCase& suite_case : suite.cases) known.push_back(suite_case.name);
  for (const std::string& name : arguments.cases) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    throw UserError(ExitCode::kUsage, fmt::format("--case: got {}; expected a case of {}{}", printable(name),
                                                  arguments.suite, did_you_mean(name, known)));
  }
  std::erase_if(suite.cases, [&](const SuiteCase& suite_case) {
    return !arguments.cases.empty() &&
           std::find(arguments.cases.begin(), arguments.cases.end(), suite_case.name) == arguments.cases.end();
  });
  for (const SuiteCase& suite_case : suite.cases) check_case(suite_case);
  return suite;
}

RunOptions run_options(const RegressArguments& arguments) {
  return {.num_threads = static_cast<std::size_t>(arguments.threads), .stepped = arguments.fidelity == "pe"};
}

fs::path golden_path(const std::string& directory, const std::string& name) {
  return fs::path(directory) / (name + std::string(kGoldenSuffix));
}

void make_directory(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error || !fs::is_directory(path, error)) {
    throw UserError(ExitCode::kCannotCreate, fmt::format("{}: cannot be created as a directory", path));
  }
}

/// Files are written only when every case has run, so that a failing one leaves all goldens as they were.
int record(const RegressArguments& arguments) {
  const Suite suite = load_suite(arguments);
  make_directory(arguments.output);
  std::vector<std::pair<std::string, std::string>> files;
  TextTable table({{"case", TextTable::Align::kLeft}, {"variants"}, {"ops"}, {"bytes"}});
  {
    ProgressLine progress(arguments.talk);
    progress.update(0, suite.cases.size(), "cases", "record");
    for (const SuiteCase& suite_case : suite.cases) {
      const CaseRun run = run_case(suite_case, suite.limits, run_options(arguments));
      std::size_t num_ops = 0;
      for (const VariantGolden& variant : run.golden.variants) num_ops += variant.ops.size();
      files.emplace_back(suite_case.name, golden_text(run.golden));
      table.add_row({suite_case.name, std::to_string(run.golden.variants.size()), std::to_string(num_ops),
                     count_text(files.back().second.size())});
      progress.update(files.size(), suite.cases.size(), "cases", "record");
    }
  }
  for (const auto& [name, text] : files) write_file(golden_path(arguments.output, name), text);
  print_report(table.text(), "table");
  return 0;
}

CheckedCase check_case_against(const CaseGolden& golden, const SuiteCase& suite_case, const RunOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  CaseRun run = run_case(suite_case, golden.limits, options);
  CheckedCase checked{.difference = compare_goldens(golden, run.golden), .gates = std::move(run.gates)};
  checked.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return checked;
}

int check(const RegressArguments& arguments) {
  const Suite suite = load_suite(arguments);
  std::vector<CaseGolden> goldens;
  for (const SuiteCase& suite_case : suite.cases) {
    goldens.push_back(read_golden(golden_path(arguments.golden, suite_case.name)));
  }
  std::vector<CheckedCase> checked;
  {
    ProgressLine progress(arguments.talk);
    progress.update(0, suite.cases.size(), "cases", "check");
    for (std::size_t i = 0; i < suite.cases.size(); ++i) {
      throw_if_interrupted();
      checked.push_back(check_case_against(goldens[i], suite.cases[i], run_options(arguments)));
      progress.update(i + 1, suite.cases.size(), "cases", "check");
    }
  }
  if (!arguments.junit.empty()) write_file(arguments.junit, junit_xml(junit_suites(checked)));
  print_report(arguments.format == "json" ? check_json(checked) : check_text(checked), arguments.format);
  const bool passed = std::all_of(checked.begin(), checked.end(), [](const CheckedCase& one) { return one.passed(); });
  return static_cast<int>(passed ? ExitCode::kOk : ExitCode::kGateFailed);
}

void add_common(CLI::App& verb, RegressArguments& arguments) {
  verb.add_option("suite", arguments.suite, "Suite file (docs/regression.md)")->required();
  verb.add_option("--case", arguments.cases, "Only the case of this name; may be repeated")->allow_extra_args(false);
  add_fidelity(verb, arguments.fidelity);
  add_threads(verb, arguments.threads);
  add_vector_target(verb, arguments.vector_target);
  add_talk(verb, arguments.talk);
}

}  // namespace

void add_regress(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<RegressArguments>();
  CLI::App* verb = app.add_subcommand("regress", "Record what a suite of replays and products gives, and check it");
  verb->require_subcommand(1);
  verb->footer(examples({"guardbit regress record configs/regress/kjv.toml -o out/golden",
                         "guardbit regress check configs/regress/kjv.toml --golden configs/regress/golden"}));
  CLI::App* recorder = verb->add_subcommand("record", "Run every case and write its golden file");
  add_common(*recorder, *arguments);
  recorder->add_option("-o,--output", arguments->output, "Directory for the goldens, one file a case")->required();
  recorder->footer(examples({"guardbit regress record configs/regress/kjv.toml -o out/golden"}));
  recorder->final_callback([arguments, &action] { action = [arguments] { return record(*arguments); }; });
  CLI::App* checker = verb->add_subcommand("check", "Run every case and compare: exit 1 if anything differs");
  add_common(*checker, *arguments);
  checker->add_option("--golden", arguments->golden, "Directory of the goldens")->required();
  checker->add_option("--junit", arguments->junit, "Write a JUnit XML file for CI systems");
  checker->add_option("--format", arguments->format, "Report")->check(one_of({"table", "json"}))->capture_default_str();
  checker->footer(
      examples({"guardbit regress check configs/regress/kjv.toml --golden configs/regress/golden --junit report.xml"}));
  checker->final_callback([arguments, &action] { action = [arguments] { return check(*arguments); }; });
}

}  // namespace guardbit::sim::cli
