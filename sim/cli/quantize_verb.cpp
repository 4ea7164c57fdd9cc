#include <fmt/format.h>

#include <memory>
#include <optional>

#include "sim/base/error.h"
#include "sim/base/thread_pool.h"
#include "sim/cli/format_words.h"
#include "sim/cli/progress_line.h"
#include "sim/cli/terminal.h"
#include "sim/cli/verbs.h"
#include "sim/config/suggest.h"
#include "sim/probe/quantize_tensor.h"
#include "sim/replay/build_info.h"
#include "sim/report/probe_report.h"

namespace guardbit::sim::cli {
namespace {

struct QuantizeArguments {
  std::vector<std::string> formats;
  std::string rounding = "rne";
  std::string overflow = "saturate";
  std::string subnormals = "keep";
  std::string scale = "none";
  std::optional<int> axis;
  std::int64_t seed = 0;
  std::int64_t threads = 0;
  Talk talk;
  QuantizeOptions options;
};

/// An option that the format has no use for, unless it has its default.
void expect(const std::string& format, const char* option, const std::string& got, const std::string& expected,
            const char* why) {
  if (got == expected) return;
  throw UserError(ExitCode::kUsage,
                  fmt::format("--format {}: got {} {}; expected {}, {}", format, option, got, expected, why));
}

numerics::FloatSpec float_spec(const numerics::FloatFormat& format, numerics::RoundingMode rounding,
                               const QuantizeArguments& arguments) {
  const auto overflow = numerics::parse_overflow(arguments.overflow);
  if (!overflow) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--overflow: got '{}'; expected infinity, nan or saturate", arguments.overflow));
  }
  return {
      .format = format, .rounding = rounding, .overflow = *overflow, .flush_output = arguments.subnormals == "flush"};
}

/// The coding that the options describe.
TensorCoding coding_of(const std::string& name, const QuantizeArguments& arguments) {
  const auto rounding = numerics::parse_rounding(arguments.rounding);
  if (!rounding) {
    throw UserError(ExitCode::kUsage, fmt::format("--rounding: got '{}'; expected rne, rtz, rup, rdn, rna, odd or "
                                                  "stochastic",
                                                  arguments.rounding));
  }
  TensorCoding coding;
  coding.scale = arguments.scale == "none"            ? ScaleKind::kNone
                 : arguments.scale.starts_with("row") ? ScaleKind::kRow
                                                      : ScaleKind::kTensor;
  coding.pow2 = arguments.scale.ends_with("pow2");
  coding.seed = static_cast<std::uint64_t>(arguments.seed);
  const numerics::NamedBlockFormat* blocks = numerics::find_block_format(name);
  if (arguments.axis && blocks == nullptr) {
    throw UserError(ExitCode::kUsage, fmt::format("--axis: got {} for {}; expected a block format (mxfp8_e4m3, nvfp4, "
                                                  "...), whose blocks run along an axis",
                                                  *arguments.axis, name));
  }
  if (const auto format = numerics::parse_float_format(name)) {
    coding.destination = float_spec(*format, *rounding, arguments);
    return coding;
  }
  const auto integer = numerics::parse_int_format(name);
  const auto unsigned_integer = numerics::parse_uint_format(name);
  if (!integer && !unsigned_integer && blocks == nullptr) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--format: got '{}'; expected a float format, a block format, intN or "
                                "uintN with N 2..32 (guardbit list formats){}",
                                printable(name), did_you_mean_format(name)));
  }
  expect(name, "--overflow", arguments.overflow, "saturate",
         "as this format has neither infinities nor NaNs to choose");
  expect(name, "--subnormals", arguments.subnormals, "keep", "as only float formats flush");
  if (blocks != nullptr) {
    expect(name, "--scale", arguments.scale, "none", "as its blocks have scales of their own");
    coding.destination = BlockCoding{.format = *blocks, .rounding = *rounding, .axis = arguments.axis.value_or(-1)};
    return coding;
  }
  expect(name, "--rounding", arguments.rounding, "rne", "the rounding of integers");
  if (integer) coding.destination = *integer;
  if (unsigned_integer) coding.destination = *unsigned_integer;
  return coding;
}

int run_quantize(const QuantizeArguments& arguments) {
  QuantizeOptions options = arguments.options;
  const FormatWords formats = read_format_words(arguments.formats);
  options.coding = coding_of(formats.number, arguments);
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
  verb->add_option("input", options.input, ".npy or .safetensors file")->required();
  verb->add_option("--format", arguments->formats,
                   "Number format (guardbit list formats): a float, a block format, intN or uintN with N 2..32; or the "
                   "report: table, json")
      ->required()
      ->allow_extra_args(false);
  verb->add_option("-o,--output", options.output, ".npy or .safetensors file; appears whole or not at all")->required();
  verb->add_option("--tensor", options.tensors, "Tensor of a safetensors file (default: all)")->allow_extra_args(false);
  verb->add_option("--rounding", arguments->rounding, "rne, rtz, rup, rdn, rna, odd or stochastic")
      ->capture_default_str();
  verb->add_option("--overflow", arguments->overflow, "saturate, infinity or nan")->capture_default_str();
  verb->add_option("--subnormals", arguments->subnormals, "Whether tiny results are kept or become zero")
      ->check(one_of({"keep", "flush"}))
      ->capture_default_str();
  verb->add_option(
          "--scale", arguments->scale,
          "none, or one scale per tensor or row that makes the largest element the format's largest value (uintN: "
          "with a zero point, so that the range of elements becomes 0 .. 2^N - 1); _pow2: rounded up to a power "
          "of two (pow2: tensor_pow2)")
      ->check(one_of({"none", "tensor", "row", "tensor_pow2", "row_pow2", "pow2"}))
      ->capture_default_str();
  verb->add_option("--axis", arguments->axis,
                   "Block formats: dimension along which blocks run, 0 the first, -1 the last (default)");
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
