#pragma once
/// The verbs of the command line; each adds its subcommand and what runs when it is chosen. stdout is data, stderr the
/// rest.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "models/kernels/vector_target.h"
#include "sim/cli/names.h"
#include "sim/cli/number_checks.h"

namespace guardbit::sim::cli {

/// What the chosen verb does, with its exit status; set while parsing, run afterwards.
using Action = std::function<int()>;

void add_bathtub(CLI::App& app, Action& action);
void add_quantize(CLI::App& app, Action& action);
void add_replay(CLI::App& app, Action& action);
void add_capture(CLI::App& app, Action& action);
void add_compare(CLI::App& app, Action& action);
void add_config(CLI::App& app, Action& action);
void add_conform(CLI::App& app, Action& action);
void add_gemm(CLI::App& app, Action& action);
void add_list(CLI::App& app, Action& action);
void add_man(CLI::App& app, Action& action);         // reads `app` when it runs
void add_completion(CLI::App& app, Action& action);  // likewise
void add_report(CLI::App& app, Action& action);
void add_truths(CLI::App& app, Action& action);
void add_sweep(CLI::App& app, Action& action);
void add_gather(CLI::App& sweep, Action& action);  // a subcommand of sweep
void add_search(CLI::App& sweep, Action& action);  // likewise
void add_pareto(CLI::App& app, Action& action);
void add_query(CLI::App& app, Action& action);
void add_regress(CLI::App& app, Action& action);

/// Options that mean the same in every verb that has them.
inline void add_gains(CLI::App& verb, double& residual_gain, double& channel_gain, int& channels) {
  verb.add_option("--residual-gain", residual_gain,
                  "Scale the residual stream to a large model's range; the function stays the same")
      ->check(check_gain());
  verb.add_option("--channel-gain", channel_gain, "Scale outlier channels at the norms' outputs")->check(check_gain());
  verb.add_option("--channels", channels, "Number of outlier channels")->check(whole_number(0, 1 << 20));
}
inline void add_threads(CLI::App& verb, std::int64_t& threads) {
  verb.add_option("--threads", threads, "Worker threads (0: all processors); never changes results")
      ->check(whole_number(0, 1024));
}
inline void add_vector_target(CLI::App& verb, std::string& target) {
  verb.add_option("--vector-target", target, "Widest vector instructions to use; never changes results")
      ->check(one_of(kernels::vector_targets()));
}
inline void add_fidelity(CLI::App& verb, std::string& fidelity) {
  verb.add_option("--fidelity", fidelity,
                  "tile: fast kernels and closed forms; pe: every PE stepped as a clocked process, same results")
      ->check(one_of({"tile", "pe"}))
      ->capture_default_str();
}

/// The end of a verb's help: its examples, each of which tests/terminal/examples_test.py runs, and a remark.
inline std::string examples(std::initializer_list<std::string_view> commands, std::string_view remark = "") {
  std::string text = commands.size() == 1 ? "Example:\n" : "Examples:\n";
  for (const std::string_view command : commands) text.append("  ").append(command).append("\n");
  return text.append(remark);
}

/// Writes to stdout and throws UserError kIo if that fails (full disk, closed); a reader that is gone ends quietly.
void print(std::string_view text);
/// "guardbit: warning: " and the text on stderr: what is no error and hardly meant.
void warn(std::string_view text);
/// Writes to stderr; what cannot be said is not said, so that it never changes the exit status.
void say(std::string_view text);

}  // namespace guardbit::sim::cli
