#include <fmt/format.h>

#include <memory>
#include <optional>

#include "sim/base/error.h"
#include "sim/base/thread_pool.h"
#include "sim/cli/progress_line.h"
#include "sim/cli/verbs.h"
#include "sim/trace/model_import.h"

namespace guardbit::sim::cli {
namespace {

struct CaptureArguments {
  std::string model;
  std::string tokens;
  std::string text;
  std::string tokenizer;
  std::string calibration_tokens;
  std::string calibration_text;
  std::int64_t calibration_windows = 128;  // the papers' number of samples
  std::string output;
  CaptureOptions options;
  std::int64_t context = 0;
  std::int64_t stride = 0;
  std::int64_t windows = 0;
  std::int64_t threads = 0;
  std::int64_t record_tokens = 64;
  std::string on_nonfinite = "error";
  Talk talk;
  const CLI::App* verb = nullptr;
};

/// The windows of the calibration text, if one is given. A tokenizer may be there for that text alone.
std::optional<TokenInput> calibration_input(const CaptureArguments& arguments, const TokenInput& input) {
  if (arguments.calibration_tokens.empty() && arguments.calibration_text.empty()) {
    if (arguments.verb->count("--calibration-windows") == 0) return std::nullopt;
    throw UserError(ExitCode::kUsage, fmt::format("--calibration-windows: got {} and no calibration text; expected "
                                                  "--calibration-text or --calibration-tokens as well",
                                                  arguments.calibration_windows));
  }
  TokenInput calibration;
  calibration.tokens = arguments.calibration_tokens;
  calibration.text = arguments.calibration_text;
  const bool is_cut = !calibration.text.empty() || calibration.tokens.extension() == ".npy";
  if (!calibration.text.empty()) calibration.tokenizer = arguments.tokenizer;
  if (is_cut) calibration.cutting = input.cutting;
  calibration.max_windows = static_cast<std::size_t>(arguments.calibration_windows);
  return calibration;
}

int run_capture(const CaptureArguments& arguments) {
  ThreadPool pool(static_cast<std::size_t>(arguments.threads));
  CaptureOptions options = arguments.options;
  options.parallel_for = pool.parallel_for();
  options.record_tokens = static_cast<std::size_t>(arguments.record_tokens);
  options.on_nonfinite = arguments.on_nonfinite == "count"       ? OnNonfinite::kCount
                         : arguments.on_nonfinite == "propagate" ? OnNonfinite::kPropagate
                                                                 : OnNonfinite::kError;
  TokenInput input;
  input.tokens = arguments.tokens;
  input.text = arguments.text;
  if (!input.text.empty() || arguments.calibration_text.empty()) input.tokenizer = arguments.tokenizer;
  input.cutting = {static_cast<std::size_t>(arguments.context), static_cast<std::size_t>(arguments.stride)};
  input.max_windows = static_cast<std::size_t>(arguments.windows);
  options.calibration = calibration_input(arguments, input);
  std::uint64_t num_nonfinite = 0;
  {
    ProgressLine line(arguments.talk);
    options.progress = [&line](std::size_t done, std::size_t total, const std::string& unit, const std::string& phase) {
      line.update(done, total, unit, phase);
    };
    num_nonfinite = capture(arguments.model, input, arguments.output, options);
  }
  if (options.on_nonfinite == OnNonfinite::kCount) {
    say(fmt::format("{}: {} {} not finite\n", arguments.model, num_nonfinite,
                    num_nonfinite == 1 ? "weight is" : "weights are"));
  }
  if (!arguments.talk.quiet) say(fmt::format("trace written to {}\n", arguments.output));
  return 0;
}

}  // namespace

void add_capture(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<CaptureArguments>();
  constexpr std::int64_t kMost = std::int64_t{1} << 40;
  CLI::App* verb = app.add_subcommand("capture", "Make a trace from a model and text or token ids");
  arguments->verb = verb;
  verb->add_option("model", arguments->model,
                   "Hugging Face directory (bert, gpt2, llama, mistral, opt, qwen2, qwen3) or llama2.c checkpoint file")
      ->required();
  CLI::Option* tokens = verb->add_option("--tokens", arguments->tokens,
                                         "Token ids: .npy (one sequence, or a row per window), or JSON with windows");
  verb->add_option("--text", arguments->text, "UTF-8 text, encoded by the model's tokenizer")->excludes(tokens);
  verb->add_option("--tokenizer", arguments->tokenizer,
                   "tokenizer.json, llama2.c's tokenizer.bin, or \"bytes\" (default: the model's own)");
  verb->add_option("--context", arguments->context, "Tokens of a window (default: the model's context, at most 2048)")
      ->check(whole_number(1, kMost));
  verb->add_option("--stride", arguments->stride, "Tokens from window to window (default: the context)")
      ->check(whole_number(1, kMost));
  verb->add_option("--windows", arguments->windows, "The first windows only (0: all)")->check(whole_number(0, kMost));
  CLI::Option* calibration_tokens =
      verb->add_option("--calibration-tokens", arguments->calibration_tokens,
                       "Token ids of another text, for methods that look at activations: .npy or JSON");
  verb->add_option("--calibration-text", arguments->calibration_text, "That text itself")->excludes(calibration_tokens);
  verb->add_option("--calibration-windows", arguments->calibration_windows, "Its first windows (0: all)")
      ->check(whole_number(0, kMost))
      ->capture_default_str();
  verb->add_option("-o,--output", arguments->output, "Trace directory to create; appears whole or not at all")
      ->required()
      ->check([](const std::string& text) { return text.empty() ? std::string("expected a path") : std::string(); });
  verb->add_option("--record-tokens", arguments->record_tokens,
                   "Positions of the first window whose activations are recorded")
      ->check(whole_number(0, kMost))
      ->capture_default_str();
  verb->add_option("--name", arguments->options.name, "Name of the trace (default: the model's)");
  verb->add_option("--origin", arguments->options.origin, "One line on whose model and text this is, with the licence");
  verb->add_option("--on-nonfinite", arguments->on_nonfinite,
                   "Weights that are infinite or NaN: refuse them, accept and count them, or accept them (the "
                   "likelihoods must be finite)")
      ->check(one_of({"error", "count", "propagate"}))
      ->capture_default_str();
  add_threads(*verb, arguments->threads);
  add_talk(*verb, arguments->talk);
  verb->footer(examples({"guardbit capture my-gpt2 --text text.txt --context 256 -o out/my-trace",
                         "guardbit capture stories.bin --text text.txt --tokenizer tokenizer.bin -o out/llama"}));
  verb->final_callback([arguments, &action] { action = [arguments] { return run_capture(*arguments); }; });
}

}  // namespace guardbit::sim::cli
