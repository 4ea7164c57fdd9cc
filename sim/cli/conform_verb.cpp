#include <fmt/format.h>

#include <memory>

#include "sim/base/error.h"
#include "sim/cli/format_words.h"
#include "sim/cli/progress_line.h"
#include "sim/cli/terminal.h"
#include "sim/cli/verbs.h"
#include "sim/conform/conform.h"
#include "sim/replay/build_info.h"
#include "sim/report/conform_report.h"

namespace guardbit::sim::cli {
namespace {

struct ConformArguments {
  std::vector<std::filesystem::path> files;
  ConformOptions options;
  std::vector<std::string> formats;
  Talk talk;
};

int run_conform(const ConformArguments& arguments) {
  const FormatWords formats = read_format_words(arguments.formats);
  ConformOptions options = arguments.options;
  options.format = formats.number;
  ConformResult result;
  {
    ProgressLine progress(arguments.talk);
    result = conform(arguments.files, options, [&progress](std::size_t done, std::size_t total) {
      progress.update(done, total, "files", "conform");
    });
  }
  print_report(formats.report == "json" ? conform_json(result, build_provenance()) : conform_table(result),
               formats.report);
  return static_cast<int>(result.num_mismatches() == 0 ? ExitCode::kOk : ExitCode::kGateFailed);
}

}  // namespace

void add_conform(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<ConformArguments>();
  CLI::App* verb = app.add_subcommand("conform", "Check files of arithmetic test vectors (TestFloat-like) bit for bit");
  ConformOptions& options = arguments->options;
  verb->add_option("files", arguments->files, "Vector files, plain or gzip; their names may tell what they hold")
      ->required();
  verb->add_option("--op", options.operation, "Operation of lines 'operands result [flags]'")
      ->check(one_of({"add", "mul", "mul_add", "convert"}));
  verb->add_option("--format", arguments->formats,
                   "Number format of the operands (eXmY is IEEE-style); or the report: table, json")
      ->allow_extra_args(false);
  verb->add_option("--result-format", options.result_format, "Number format of result and addend (default: --format)");
  verb->add_option("--rounding", options.rounding, "rne (default), rtz, rup, rdn, rna or odd");
  verb->add_option("--overflow", options.overflow, "infinity (default), nan or saturate");
  verb->add_option("--tininess", options.tininess, "When a result counts as tiny: before or after (default) rounding")
      ->check(one_of({"before", "after"}));
  verb->add_flag("--ignore-signalling", options.ignore_signalling, "Skip lines with a signalling NaN operand");
  add_talk(*verb, arguments->talk);
  verb->footer(
      examples({"guardbit conform f16_mulAdd_RNE.txt.gz",
                "guardbit conform mine.txt --op convert --format fp32 --result-format fp8_e4m3 --rounding rtz"}));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_conform(*arguments); }; });
}

}  // namespace guardbit::sim::cli
