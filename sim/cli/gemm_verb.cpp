#include <memory>

#include "models/kernels/vector_target.h"
#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "sim/base/thread_pool.h"
#include "sim/cli/progress_line.h"
#include "sim/cli/terminal.h"
#include "sim/cli/verbs.h"
#include "sim/cli/wave_arguments.h"
#include "sim/probe/gemm_probe.h"
#include "sim/probe/product_words.h"
#include "sim/replay/build_info.h"
#include "sim/report/probe_report.h"

namespace guardbit::sim::cli {
namespace {

struct GemmArguments {
  std::uint64_t m = 0;
  std::uint64_t n = 0;
  std::uint64_t k = 0;
  std::string a = "normal";
  std::string b = "normal";
  std::string accelerator;
  std::vector<std::string> overrides;
  std::string events = "all";
  std::string format = "table";
  std::string fidelity = "tile";
  std::string vector_target;
  WaveArguments wave;
  std::int64_t seed = 0;
  std::int64_t threads = 0;
  bool no_values = false;
  bool no_error = false;
  bool no_memory = false;
  Talk talk;
  GemmOptions options;
};

void add_source(const OperandSource& source, const std::string& key, std::map<std::string, std::string>& provenance) {
  if (!source.file.empty()) provenance[key] = sha256_of_file(source.file);
}

int run_gemm(const GemmArguments& arguments) {
  if (!arguments.vector_target.empty()) kernels::limit_vector_target(arguments.vector_target);
  const LoadedAccelerator accelerator = load_product_hardware(arguments.accelerator, arguments.overrides);
  GemmOptions options = arguments.options;
  options.seed = static_cast<std::uint64_t>(arguments.seed);
  options.m = arguments.m;
  options.n = arguments.n;
  options.k = arguments.k;
  options.a = OperandSource::parse(arguments.a, "--a");
  options.b = OperandSource::parse(arguments.b, "--b");
  options.wanted = parse_event_set(arguments.events);
  options.values = !arguments.no_values;
  options.stepped = arguments.fidelity == "pe";
  options.error = !arguments.no_error;
  options.wave = wave_options(arguments.wave);
  ThreadPool pool(static_cast<std::size_t>(arguments.threads));
  options.parallel_for = pool.parallel_for();

  GemmResult result;
  {
    ProgressLine progress(arguments.talk);
    options.counted = [&progress](const numerics::ParallelFor& loops, const std::string& phase) {
      return progress.counted(loops, "parts", phase);
    };
    result = gemm_probe(accelerator, options);
  }
  result.a = arguments.a;
  result.b = arguments.b;
  result.provenance = build_provenance();
  result.provenance["vector_target"] = kernels::vector_target();
  result.provenance["accelerator_sha256"] = accelerator.sha256;
  result.provenance["seed"] = std::to_string(options.seed);
  if (options.values) {
    add_source(options.a, "a_sha256", result.provenance);
    add_source(options.b, "b_sha256", result.provenance);
  }
  print_report(arguments.format == "json" ? gemm_json(result) : gemm_table(result), arguments.format);
  const bool differs = result.values && result.values->equals_reference == false;
  return static_cast<int>(differs ? ExitCode::kGateFailed : ExitCode::kOk);
}

}  // namespace

void add_gemm(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<GemmArguments>();
  CLI::App* verb = app.add_subcommand("gemm", "One M x N x K product on the described array: bits, events, cycles");
  GemmOptions& options = arguments->options;
  const auto check_size = whole_number(1, kMaxGemmSize);
  verb->add_option("M", arguments->m, "Rows of A and C")->required()->check(check_size);
  verb->add_option("N", arguments->n, "Columns of B and C")->required()->check(check_size);
  verb->add_option("K", arguments->k, "Columns of A, rows of B")->required()->check(check_size);
  verb->add_option("--a", arguments->a,
                   "A (M, K): normal[:S], uniform[:S], constant:V, FILE.npy or FILE.safetensors[:TENSOR]")
      ->capture_default_str();
  verb->add_option("--b", arguments->b, "B (K, N), likewise")->capture_default_str();
  verb->add_flag("--transpose-b", options.transpose_b, "B's file holds (N, K), as PyTorch stores weights");
  verb->add_option("--accelerator", arguments->accelerator, "Accelerator file; without one every key has its default");
  verb->add_option("--set", arguments->overrides, "Override one key: section.key=value")->allow_extra_args(false);
  verb->add_option("--preset", options.preset,
                   "Published accumulator in place of [accumulator] (guardbit list accumulators)");
  verb->add_option("--events", arguments->events, "Events to count: all, none, or names joined by commas")
      ->capture_default_str();
  verb->add_option("--seed", arguments->seed, "Generated operands, stochastic rounding")
      ->check(check_seed())
      ->capture_default_str();
  add_fidelity(*verb, arguments->fidelity);
  add_wave(*verb, arguments->wave, "cycles from the product's start");
  verb->add_flag("--no-values", arguments->no_values, "Cycles alone");
  verb->add_flag("--no-error", arguments->no_error, "Leave out the comparison with exact sums, which costs most time");
  verb->add_flag("--no-memory", arguments->no_memory,
                 "Unlimited memory; this verb's cycles are always the array's alone");
  verb->add_flag("--reference", options.reference, "Compute with the slow reference as well; exit 1 if it differs");
  verb->add_option("-o,--output", options.output, "Write C to this .npy file (float32)");
  verb->add_option("--format", arguments->format, "Report")->check(one_of({"table", "json"}))->capture_default_str();
  add_threads(*verb, arguments->threads);
  add_vector_target(*verb, arguments->vector_target);
  add_talk(*verb, arguments->talk);
  verb->footer(
      examples({"guardbit gemm 64 64 4096 --preset hopper_fp8",
                "guardbit gemm 128 128 512 --set array.activation=fp8_e4m3 --set array.weight=fp8_e4m3 \\\n"
                "    --set accumulator.format=fp16 --format json",
                "guardbit gemm 8 8 32 --a constant:4 --b constant:4 --events overflow,swamped --fidelity pe"}));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_gemm(*arguments); }; });
}

}  // namespace guardbit::sim::cli
