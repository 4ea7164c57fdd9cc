#include <memory>

#include "models/units/field_info.h"
#include "sim/base/thread_pool.h"
#include "sim/cli/format_words.h"
#include "sim/cli/progress_line.h"
#include "sim/cli/terminal.h"
#include "sim/cli/verbs.h"
#include "sim/probe/coding_words.h"
#include "sim/probe/quantize_tensor.h"
#include "sim/replay/build_info.h"
#include "sim/report/probe_report.h"

namespace guardbit::sim::cli {
namespace {

struct QuantizeArguments {
  std::vector<std::string> formats;
  CodingWords words;
  std::int64_t seed = 0;
  std::int64_t threads = 0;
  Talk talk;
  QuantizeOptions options;
};

int run_quantize(const QuantizeArguments& arguments) {
  QuantizeOptions options = arguments.options;
  const FormatWords formats = read_format_words(arguments.formats);
  CodingWords words = arguments.words;
  words.format = formats.number;
  words.seed = static_cast<std::uint64_t>(arguments.seed);
  options.coding = parse_coding(words);
  ThreadPool pool(static_cast<std::size_t>(arguments.threads));
  options.parallel_for = pool.parallel_for();
  QuantizeResult result;
  {
    ProgressLine progress(arguments.talk);
    options.progress = [&](std::size_t done, std::size_t total) {
      progress.update(done, total, "tensors", options.input.filename().string());
    };
    result = quantize_file(options);
  }
  result.provenance = build_provenance();
  result.provenance["seed"] = std::to_string(arguments.seed);
  print_report(formats.report == "json" ? quantize_json(result) : quantize_table(result), formats.report);
  return 0;
}

}  // namespace

void add_quantize(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<QuantizeArguments>();
  CLI::App* verb = app.add_subcommand("quantize", "Bring the tensors of a file into a number format, counting events");
  QuantizeOptions& options = arguments->options;
  constexpr std::int64_t kMostDimensions = 8;  // of a tensor that its reader takes
  verb->add_option("input", options.input, ".npy or .safetensors file")->required();
  verb->add_option("--format", arguments->formats,
                   "Number format (guardbit list formats): a float, a block format, intN or uintN with N 2..32; or the "
                   "report: table, json")
      ->required()
      ->allow_extra_args(false);
  verb->add_option("-o,--output", options.output, ".npy or .safetensors file; appears whole or not at all")->required();
  verb->add_option("--tensor", options.tensors, "Tensor of a safetensors file (default: all)")->allow_extra_args(false);
  verb->add_option("--rounding", arguments->words.rounding, "rne, rtz, rup, rdn, rna, odd or stochastic")
      ->capture_default_str();
  verb->add_option("--overflow", arguments->words.overflow, "saturate, infinity or nan")->capture_default_str();
  verb->add_option("--subnormals", arguments->words.subnormals, "Whether tiny results are kept or become zero")
      ->check(one_of(std::vector<std::string>(units::kSubnormalValues.begin(), units::kSubnormalValues.end())))
      ->capture_default_str();
  verb->add_option(
          "--scale", arguments->words.scale,
          "none, or one scale per tensor or row that makes the largest element the format's largest value (uintN: "
          "with a zero point, so that the range of elements becomes 0 .. 2^N - 1); _pow2: rounded up to a power "
          "of two (pow2: tensor_pow2)")
      ->check(one_of(std::vector<std::string>(kScaleWords.begin(), kScaleWords.end())))
      ->capture_default_str();
  verb->add_option("--axis", arguments->words.axis,
                   "Block formats: dimension along which blocks run, 0 the first, -1 the last (default)")
      ->check(whole_number(-kMostDimensions, kMostDimensions - 1));
  verb->add_flag("--carrier", options.carrier, "Write values (float32, scales applied) instead of codes");
  verb->add_option("--seed", arguments->seed, "Stochastic rounding")->check(check_seed())->capture_default_str();
  add_threads(*verb, arguments->threads);
  add_talk(*verb, arguments->talk);
  verb->footer(examples(
      {"guardbit quantize weights.safetensors --format fp8_e4m3 --scale row -o weights-fp8.safetensors",
       "guardbit quantize weights.safetensors --format mxfp4_e2m1 --tensor head.weight -o weights-mx.safetensors"}));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_quantize(*arguments); }; });
}

}  // namespace guardbit::sim::cli
