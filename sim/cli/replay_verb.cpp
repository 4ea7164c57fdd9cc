#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <memory>
#include <optional>
#include <span>

#include "models/kernels/vector_target.h"
#include "models/units/norm_epsilon.h"
#include "sim/base/atomic_file.h"
#include "sim/base/error.h"
#include "sim/base/plural.h"
#include "sim/base/thread_pool.h"
#include "sim/cli/command_text.h"
#include "sim/cli/progress_line.h"
#include "sim/cli/terminal.h"
#include "sim/cli/verbs.h"
#include "sim/cli/wave_arguments.h"
#include "sim/regress/gate.h"
#include "sim/regress/junit.h"
#include "sim/replay/replay.h"
#include "sim/replay/replay_inputs.h"
#include "sim/replay/timeline_file.h"
#include "sim/report/report_registry.h"

namespace guardbit::sim::cli {
namespace {

std::string check_not_empty(const std::string& text) { return text.empty() ? "expected a path" : ""; }

struct ReplayArguments {
  std::string trace;
  std::string accelerator;
  std::vector<std::string> variants = {"none", "slanc", "rrs", "slanc+rrs"};
  std::vector<std::string> overrides;
  std::string format = "table";
  std::string output;
  std::string fidelity = "tile";
  std::string vector_target;
  std::int64_t threads = 0;
  std::int64_t windows = 0;
  std::int64_t tokens = 0;
  std::int64_t decode = 0;
  std::int64_t calibration_windows = 0;
  std::int64_t seed = 1;
  std::optional<std::uint64_t> stall_seed;
  WaveArguments wave;
  std::string timeline;
  std::uint64_t timeline_limit = TimelineOptions{}.limit;
  const CLI::App* verb = nullptr;
  std::vector<std::string> fail_on;
  std::string junit;
  Talk talk;
  bool no_values = false;
  ReplayOptions options;
};

/// File of a report in an output directory.
std::string file_name(const Report& report) {
  if (report.name == "details") return "details.txt";
  return report.name == "table" ? "result.txt" : "result." + std::string(report.name);
}

/// The files of an output directory, the main one first.
std::vector<std::string> result_names() {
  std::vector<std::string> names = {"result.json"};
  for (const Report& report : reports()) {
    if (file_name(report) != names.front()) names.push_back(file_name(report));
  }
  return names;
}

/// Every report of a result; all or none of them appear.
void write_results(OutputDirectory& directory, const ReplayResult& result) {
  for (const Report& report : reports()) write_file(directory.path() / file_name(report), report.write(result));
  directory.commit();
}

/// Timing alone knows no values: what scales or compares them makes no sense with it.
void check_combinations(const ReplayArguments& arguments) {
  if (!arguments.no_values) return;
  const ReplayOptions& options = arguments.options;
  const char* other = options.open_loop                   ? "--open-loop"
                      : options.residual_gain != 1        ? "--residual-gain"
                      : options.channels != 0             ? "--channels"
                      : !options.calibration_text.empty() ? "--calibration"
                      : options.max_calibration_windows   ? "--calibration-windows"
                                                          : nullptr;
  if (other == nullptr) return;
  throw UserError(ExitCode::kUsage, fmt::format("--no-values: got {} as well; expected it without", other));
}

/// What the result is a function of: where it goes, how many threads and which instructions are not.
std::string reproducing_command(const ReplayArguments& arguments) {
  constexpr std::array<std::string_view, 14> kLeftOut = {
      "output",      "format",      "threads",  "vector-target",  "quiet", "verbose",   "wave",
      "wave-window", "wave-select", "timeline", "timeline-limit", "help",  "max-input", "strict"};
  return command_text(*arguments.verb, kLeftOut);
}

/// Puts the timeline into place and says what it does not hold.
void finish_timeline(TimelineFile& timeline, const ReplayArguments& arguments, double clock_mhz) {
  for (const TimelineLeftOut& missing : timeline.finish(clock_mhz)) {
    if (arguments.talk.quiet) continue;
    say(fmt::format("{}: {}: left out {} {}, all of {} {} among them; complete up to cycle {} (--timeline-limit)\n",
                    printable(arguments.timeline), missing.variant, missing.slices, plural(missing.slices, "slice"),
                    missing.runs, plural(missing.runs, "run"), missing.whole_until));
  }
}

/// The gates, their names known to exist before anything runs.
std::vector<GateExpression> load_gates(const ReplayArguments& arguments, const Trace& trace) {
  std::vector<GateExpression> gates;
  if (arguments.fail_on.empty()) return gates;
  constexpr const char* kPrefix = "--fail-on: ";
  GateScope scope{.variants = variant_names(arguments.options.variants), .ops = {}, .values = !arguments.no_values};
  const transformer::Model<float> model = load_outline(trace);
  for (const transformer::Op& op : model.ops) scope.ops.emplace_back(op.name, name_of(op.kind));
  for (const std::string& text : arguments.fail_on) {
    gates.push_back(parse_gate(text, kPrefix));
    check_gate(gates.back(), scope, kPrefix);
  }
  return gates;
}

/// Says on stderr which gates failed; their exit status.
ExitCode report_gates(const std::vector<GateOutcome>& outcomes, const std::string& junit) {
  ExitCode status = ExitCode::kOk;
  for (const GateOutcome& gate : outcomes) {
    if (!gate.failed) continue;
    say("guardbit: " + gate_text(gate) + "\n");
    status = ExitCode::kGateFailed;
  }
  if (!junit.empty()) write_file(junit, junit_xml({{.name = "replay", .tests = junit_tests(outcomes)}}));
  return status;
}

/// What is no error and hardly meant.
void warn_of_epsilon(const LoadedAccelerator& accelerator, const Trace& trace) {
  const units::NormConfig& norm = accelerator.config.norm;
  if (!units::epsilon_vanishes(norm, trace.shape.norm_epsilon)) return;
  warn(fmt::format("norm.arithmetic: the trace's epsilon {} becomes 0 in {}", trace.shape.norm_epsilon,
                   norm.arithmetic));
}

/// Likewise --calibration-windows beyond what there was, which the result knows.
void warn_of_calibration(const ReplayOptions& options, const ReplayResult& result) {
  const std::size_t asked = options.max_calibration_windows;
  const auto used = result.provenance.find("calibration_windows");
  if (asked != 0 && used == result.provenance.end()) {
    warn(fmt::format("--calibration-windows: got {}; no variant looks at a calibration text", asked));
  } else if (asked != 0 && asked > std::stoull(used->second)) {
    warn(fmt::format("--calibration-windows: got {}; {} has {}, all of which are used", asked,
                     result.provenance.at("calibration"), used->second));
  }
}

int run_replay(ReplayArguments& arguments) {
  if (!arguments.vector_target.empty()) kernels::limit_vector_target(arguments.vector_target);
  const LoadedAccelerator accelerator = load_accelerator(arguments.accelerator, arguments.overrides);
  arguments.options.max_calibration_windows = static_cast<std::size_t>(arguments.calibration_windows);
  check_combinations(arguments);
  for (const std::string& list : arguments.variants) {
    for (std::string& variant : calibration::split_variants(list)) {
      arguments.options.variants.push_back(std::move(variant));
    }
  }
  arguments.options.values = !arguments.no_values;
  arguments.options.stall_seed = arguments.stall_seed;
  arguments.options.wave = wave_options(arguments.wave);
  const Trace trace = arguments.no_values ? load_trace_description(arguments.trace) : load_trace(arguments.trace);
  warn_of_epsilon(accelerator, trace);
  const std::vector<GateExpression> gates = load_gates(arguments, trace);
  std::unique_ptr<OutputDirectory> directory;
  if (!arguments.output.empty()) directory = std::make_unique<OutputDirectory>(arguments.output, result_names());

  arguments.options.max_windows = static_cast<std::size_t>(arguments.windows);
  arguments.options.max_tokens = static_cast<std::size_t>(arguments.tokens);
  arguments.options.decode = static_cast<std::size_t>(arguments.decode);
  arguments.options.seed = static_cast<std::uint64_t>(arguments.seed);
  arguments.options.stepped = arguments.fidelity == "pe";
  for (const std::string& shortage : shortages_of(trace, arguments.options)) warn("--" + shortage);
  std::optional<TimelineFile> timeline;
  if (!arguments.timeline.empty()) {
    timeline.emplace(TimelineOptions{.file = arguments.timeline, .limit = arguments.timeline_limit},
                     arguments.options.variants.size());
    arguments.options.timeline = &*timeline;
  }
  ThreadPool pool(static_cast<std::size_t>(arguments.threads));
  ReplayResult result;
  {
    ProgressLine progress(arguments.talk);
    result = replay(trace, accelerator, arguments.options, pool.parallel_for(),
                    [&progress](std::size_t done, std::size_t total, const std::string& what) {
                      progress.update(done, total, "ops", what);
                    });
  }
  warn_of_calibration(arguments.options, result);
  result.provenance["command"] = reproducing_command(arguments);
  if (timeline) finish_timeline(*timeline, arguments, accelerator.config.clock.mhz);
  if (directory) write_results(*directory, result);
  print_report(find_report(arguments.format)->write(result), arguments.format);
  if (directory && !arguments.talk.quiet) say(fmt::format("results written to {}\n", arguments.output));
  return static_cast<int>(report_gates(run_gates(gates, result), arguments.junit));
}

std::vector<std::string> report_names() {
  std::vector<std::string> names;
  for (const Report& report : reports()) names.emplace_back(report.name);
  return names;
}

}  // namespace

void add_replay(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<ReplayArguments>();
  CLI::App* verb = app.add_subcommand("replay", "Replay a trace on a described accelerator, bit for bit");
  arguments->verb = verb;
  ReplayOptions& options = arguments->options;
  verb->add_option("trace", arguments->trace, "Trace directory (made by guardbit capture)")->required();
  verb->add_option("--accelerator,-a", arguments->accelerator, "Accelerator file (configs/README.md)")->required();
  verb->add_option("--variants", arguments->variants,
                   "Comma-separated variants, each methods and widths joined by + (guardbit list methods)")
      ->default_str(fmt::format("{}", fmt::join(arguments->variants, ",")));
  verb->add_option("--set", arguments->overrides, "Override one key of the accelerator: section.key=value")
      ->allow_extra_args(false);
  verb->add_flag("--open-loop", options.open_loop,
                 "Every operation reads the fp32 reference's tensors: errors stay where they arise");
  verb->add_flag("--no-values", arguments->no_values,
                 "Cycles, bytes and energy alone, from shapes: no weights are read, no perplexity");
  verb->add_option("--stall-seed", arguments->stall_seed,
                   "Delay commands, tokens and bursts at random: changes cycles, never values")
      ->check(check_seed());
  add_wave(*verb, arguments->wave, "cycles of simulated time (variants, windows and passes follow one another)");
  CLI::Option* timeline =
      verb->add_option("--timeline", arguments->timeline, "Write a timeline for ui.perfetto.dev to this JSON file")
          ->check(check_not_empty);
  verb->add_option("--timeline-limit", arguments->timeline_limit,
                   "Commands and stalls in the timeline at most, shared evenly by the variants")
      ->needs(timeline)
      ->check(whole_number(1))
      ->capture_default_str();
  add_gains(*verb, options.residual_gain, options.channel_gain, options.channels);
  verb->add_option("--windows", arguments->windows, "Replay only the first windows of the trace (0: all)")
      ->check(whole_number(0));
  verb->add_option("--tokens", arguments->tokens, "Replay only the first tokens of each window (0: all)")
      ->check(whole_number(0));
  verb->add_option("--decode", arguments->decode,
                   "Process the last tokens of each window one at a time against the KV cache (0: none)")
      ->check(whole_number(0));
  verb->add_option("--seed", arguments->seed, "Rotation signs, outlier channels, stochastic rounding")
      ->check(check_seed())
      ->capture_default_str();
  add_fidelity(*verb, arguments->fidelity);
  verb->add_option("--slanc-target", options.calibration.target_norm, "Norm that SLaNC scales rows to")
      ->check(check_gain())
      ->capture_default_str();
  verb->add_option("--calibration", options.calibration_text,
                   "Text on which methods look at activations: a trace of the same model, or token ids as for capture "
                   "(default: the trace's own calibration windows)")
      ->check(check_not_empty);
  verb->add_option("--calibration-windows", arguments->calibration_windows,
                   "Only the first windows of the calibration text (0: all)")
      ->check(whole_number(0));
  verb->add_flag("--smooth-qkv", options.calibration.smooth_qkv, "Runtime smoothing on q, k and v as well");
  verb->add_option("--format", arguments->format, "Report on standard output")
      ->check(one_of(report_names()))
      ->capture_default_str();
  verb->add_option("-o,--output", arguments->output, "Directory for all reports; appears whole or not at all")
      ->check(check_not_empty);
  CLI::Option* fail_on =
      verb->add_option("--fail-on", arguments->fail_on,
                       "Exit 1 if this holds, such as 'events.norm.overflow>0', 'slanc:perplexity>1.02*reference' "
                       "(docs/regression.md); may be repeated")
          ->allow_extra_args(false);
  verb->add_option("--junit", arguments->junit, "Write the gates' outcomes as JUnit XML")
      ->needs(fail_on)
      ->check(check_not_empty);
  add_threads(*verb, arguments->threads);
  add_vector_target(*verb, arguments->vector_target);
  add_talk(*verb, arguments->talk);
  verb->footer(examples(
      {"guardbit replay traces/kjv-gpt2 -a configs/accelerators/edge.toml",
       "guardbit replay traces/kjv-gpt2 -a configs/accelerators/edge.toml --variants slanc,rrs+gptq+w4a4kv4 \\\n"
       "    --set norm.lanes=32 --windows 1 --format details -o out/edge",
       "guardbit replay traces/kjv-gpt2 -a configs/accelerators/edge.toml --no-values --windows 1 \\\n"
       "    --timeline edge.trace.json"}));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_replay(*arguments); }; });
}

}  // namespace guardbit::sim::cli
