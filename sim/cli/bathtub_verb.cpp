#include <memory>

#include "models/kernels/vector_target.h"
#include "sim/base/thread_pool.h"
#include "sim/cli/progress_line.h"
#include "sim/cli/terminal.h"
#include "sim/cli/verbs.h"
#include "sim/replay/build_info.h"
#include "sim/replay/norm_bathtub.h"
#include "sim/replay/replay_inputs.h"
#include "sim/report/bathtub_report.h"

namespace guardbit::sim::cli {
namespace {

struct BathtubArguments {
  std::string trace;
  std::string accelerator;
  std::vector<std::string> overrides;
  std::string format = "table";
  std::string vector_target;
  std::int64_t threads = 0;
  std::int64_t windows = 0;
  std::int64_t seed = 1;
  Talk talk;
  BathtubOptions options;
};

int run_bathtub(BathtubArguments& arguments) {
  if (!arguments.vector_target.empty()) kernels::limit_vector_target(arguments.vector_target);
  const LoadedAccelerator accelerator = load_accelerator(arguments.accelerator, arguments.overrides);
  const Trace trace = load_trace(arguments.trace);
  arguments.options.replay.max_windows = static_cast<std::size_t>(arguments.windows);
  arguments.options.replay.seed = static_cast<std::uint64_t>(arguments.seed);
  for (const std::string& shortage : shortages_of(trace, arguments.options.replay)) warn("--" + shortage);
  ThreadPool pool(static_cast<std::size_t>(arguments.threads));
  BathtubResult result;
  {
    ProgressLine progress(arguments.talk);
    result = norm_bathtub(trace, accelerator, arguments.options, pool.parallel_for(),
                          [&progress](std::size_t done, std::size_t total, const std::string& what) {
                            progress.update(done, total, "windows", what);
                          });
  }
  result.provenance = build_provenance();
  result.provenance["accelerator_sha256"] = accelerator.sha256;
  result.provenance["trace_sha256"] = trace.sha256;
  result.provenance["seed"] = std::to_string(arguments.seed);
  print_report(arguments.format == "json"  ? bathtub_json(result)
               : arguments.format == "csv" ? bathtub_csv(result)
                                           : bathtub_table(result),
               arguments.format);
  return 0;
}

}  // namespace

void add_bathtub(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<BathtubArguments>();
  CLI::App* verb = app.add_subcommand("bathtub", "Every norm of a trace at every power of two of its input scale");
  BathtubOptions& options = arguments->options;
  const auto check_exponent = whole_number(-kMaxBathtubExponent, kMaxBathtubExponent);
  verb->add_option("trace", arguments->trace, "Trace directory (made by guardbit capture)")->required();
  verb->add_option("--accelerator,-a", arguments->accelerator, "Accelerator file (configs/README.md)")->required();
  verb->add_option("--set", arguments->overrides, "Override one key of the accelerator: section.key=value")
      ->allow_extra_args(false);
  verb->add_option("--from", options.from, "log2 of the smallest scale")->check(check_exponent)->capture_default_str();
  verb->add_option("--to", options.to, "log2 of the largest scale")->check(check_exponent)->capture_default_str();
  verb->add_option("--windows", arguments->windows, "Only the first windows of the trace (0: all)")
      ->check(whole_number(0));
  add_gains(*verb, options.replay.residual_gain, options.replay.channel_gain, options.replay.channels);
  verb->add_option("--seed", arguments->seed, "Outlier channels")->check(check_seed())->capture_default_str();
  verb->add_option("--slanc-target", options.replay.calibration.target_norm, "Norm that SLaNC scales rows to")
      ->check(check_gain())
      ->capture_default_str();
  verb->add_option("--format", arguments->format, "Report on standard output")
      ->check(one_of({"table", "csv", "json"}))
      ->capture_default_str();
  add_threads(*verb, arguments->threads);
  add_vector_target(*verb, arguments->vector_target);
  add_talk(*verb, arguments->talk);
  verb->footer(
      examples({"guardbit bathtub traces/kjv-gpt2 -a configs/accelerators/edge.toml --residual-gain 64 \\\n"
                "    --from -4 --to 20 --set norm.accumulator.subnormals=flush",
                "guardbit bathtub traces/kjv-gpt2 -a configs/accelerators/edge.toml --windows 1 --format csv"}));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_bathtub(*arguments); }; });
}

}  // namespace guardbit::sim::cli
