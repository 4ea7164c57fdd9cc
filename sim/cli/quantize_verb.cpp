#include <fmt/format.h>

#include <memory>

#include "sim/base/error.h"
#include "sim/base/thread_pool.h"
#include "sim/cli/format_words.h"
#include "sim/cli/verbs.h"
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
  std::size_t threads = 0;
  QuantizeOptions options;
};

/// The destination that the options describe.
void set_format(const std::string& name, const QuantizeArguments& arguments, QuantizeOptions& options) {
  constexpr int kWidestInteger = 8;
  const auto integer = numerics::parse_int_format(name);
  const auto format = numerics::parse_float_format(name);
  if (!format && (!integer || integer->bits > kWidestInteger)) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--format: got '{}'; expected a float format (guardbit list formats) or "
                                "int2 to int8",
                                name));
  }
  if (integer && (arguments.rounding != "rne" || arguments.overflow != "saturate")) {
    throw UserError(ExitCode::kUsage, fmt::format("--format {}: got rounding {} and overflow {}; expected rne and "
                                                  "saturate, which integers have",
                                                  name, arguments.rounding, arguments.overflow));
  }
  options.integer = integer;
  if (format) options.spec.format = *format;
  const auto rounding = numerics::parse_rounding(arguments.rounding);
  const auto overflow = numerics::parse_overflow(arguments.overflow);
  if (!rounding) {
    throw UserError(ExitCode::kUsage, fmt::format("--rounding: got '{}'; expected rne, rtz, rup, rdn, rna, odd or "
                                                  "stochastic",
                                                  arguments.rounding));
  }
  if (!overflow) {
    throw UserError(ExitCode::kUsage,
                    fmt::format("--overflow: got '{}'; expected infinity, nan or saturate", arguments.overflow));
  }
  options.spec.rounding = *rounding;
  options.spec.overflow = *overflow;
  options.spec.flush_output = arguments.subnormals == "flush";
}

int run_quantize(const QuantizeArguments& arguments) {
  QuantizeOptions options = arguments.options;
  const FormatWords formats = read_format_words(arguments.formats);
  set_format(formats.number, arguments, options);
  options.scale = arguments.scale == "none"            ? ScaleKind::kNone
                  : arguments.scale.starts_with("row") ? ScaleKind::kRow
                                                       : ScaleKind::kTensor;
  options.pow2 = arguments.scale.ends_with("pow2");
  ThreadPool pool(arguments.threads);
  options.parallel_for = pool.parallel_for();
  QuantizeResult result = quantize_file(options);
  result.provenance = build_provenance();
  result.provenance["seed"] = std::to_string(options.seed);
  print(formats.report == "json" ? quantize_json(result) : quantize_table(result));
  return 0;
}

}  // namespace

void add_quantize(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<QuantizeArguments>();
  CLI::App* verb = app.add_subcommand("quantize", "Bring the tensors of a file into a number format, counting events");
  QuantizeOptions& options = arguments->options;
  verb->add_option("input", options.input, ".npy or .safetensors file")->required();
  verb->add_option("--format", arguments->formats,
                   "Number format: a float (guardbit list formats) or int2 to int8; or the report: table, json")
      ->required()
      ->allow_extra_args(false);
  verb->add_option("-o,--output", options.output, ".npy or .safetensors file; appears whole or not at all")->required();
  verb->add_option("--tensor", options.tensors, "Tensor of a safetensors file (default: all)")->allow_extra_args(false);
  verb->add_option("--rounding", arguments->rounding, "rne, rtz, rup, rdn, rna, odd or stochastic")
      ->capture_default_str();
  verb->add_option("--overflow", arguments->overflow, "saturate, infinity or nan")->capture_default_str();
  verb->add_option("--subnormals", arguments->subnormals, "Whether tiny results are kept or become zero")
      ->check(CLI::IsMember({"keep", "flush"}))
      ->capture_default_str();
  verb->add_option("--scale", arguments->scale,
                   "none, or one scale per tensor or row that makes the largest element the format's largest value; "
                   "_pow2: rounded up to a power of two (pow2: tensor_pow2)")
      ->check(CLI::IsMember({"none", "tensor", "row", "tensor_pow2", "row_pow2", "pow2"}))
      ->capture_default_str();
  verb->add_flag("--carrier", options.carrier, "Write values (float32, scales applied) instead of codes");
  verb->add_option("--seed", options.seed, "Stochastic rounding")->capture_default_str();
  verb->add_option("--threads", arguments->threads, "Worker threads (0: all processors); never changes results")
      ->check(CLI::Range(0, 1024));
  verb->footer(
      "Example: guardbit quantize weights.safetensors --format fp8_e4m3 --scale row -o weights-fp8.safetensors");
  verb->final_callback([arguments, &action] { action = [arguments] { return run_quantize(*arguments); }; });
}

}  // namespace guardbit::sim::cli
