#include <fmt/format.h>

#include <memory>

#include "sim/base/thread_pool.h"
#include "sim/cli/verbs.h"
#include "sim/trace/model_import.h"

namespace guardbit::sim::cli {
namespace {

struct CaptureArguments {
  std::string model;
  std::string tokens;
  std::string output;
  CaptureOptions options;
  std::int64_t threads = 0;
  std::int64_t record_tokens = 64;
};

int run_capture(const CaptureArguments& arguments) {
  ThreadPool pool(static_cast<std::size_t>(arguments.threads));
  CaptureOptions options = arguments.options;
  options.parallel_for = pool.parallel_for();
  options.record_tokens = static_cast<std::size_t>(arguments.record_tokens);
  capture(arguments.model, arguments.tokens, arguments.output, options);
  say(fmt::format("trace written to {}\n", arguments.output));
  return 0;
}

}  // namespace

void add_capture(CLI::App& app, Action& action) {
  auto arguments = std::make_shared<CaptureArguments>();
  CLI::App* verb = app.add_subcommand("capture", "Make a trace from a model and windows of token ids");
  verb->add_option("model", arguments->model, "Hugging Face GPT-2 directory, or llama2.c checkpoint file")->required();
  verb->add_option("--tokens", arguments->tokens, "JSON file with windows of token ids (traces/README.md)")->required();
  verb->add_option("-o,--output", arguments->output, "Trace directory to create; appears whole or not at all")
      ->required()
      ->check([](const std::string& text) { return text.empty() ? std::string("expected a path") : std::string(); });
  verb->add_option("--record-tokens", arguments->record_tokens,
                   "Positions of the first window whose activations are recorded")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 40))
      ->capture_default_str();
  verb->add_option("--name", arguments->options.name, "Name of the trace (default: the model's)");
  verb->add_option("--origin", arguments->options.origin, "One line on whose model and text this is, with the licence");
  verb->add_option("--threads", arguments->threads, "Worker threads (0: all processors)")->check(CLI::Range(0, 1024));
  verb->footer("Example: guardbit capture my-gpt2 --tokens windows.json -o out/my-trace");
  verb->final_callback([arguments, &action] { action = [arguments] { return run_capture(*arguments); }; });
}

}  // namespace guardbit::sim::cli
