#pragma once
/// The verbs of the command line; each adds its subcommand and what runs when it is chosen. stdout is data, stderr the
/// rest.
#include <CLI/CLI.hpp>
#include <functional>

namespace guardbit::sim::cli {

/// What the chosen verb does, with its exit status; set while parsing, run afterwards.
using Action = std::function<int()>;

void add_quantize(CLI::App& app, Action& action);
void add_replay(CLI::App& app, Action& action);
void add_capture(CLI::App& app, Action& action);
void add_config(CLI::App& app, Action& action);
void add_conform(CLI::App& app, Action& action);
void add_gemm(CLI::App& app, Action& action);
void add_list(CLI::App& app, Action& action);

/// Writes to stdout and throws UserError kIo if that fails (full disk, closed); a reader that is gone ends quietly.
void print(std::string_view text);
/// Writes to stderr; what cannot be said is not said, so that it never changes the exit status.
void say(std::string_view text);

}  // namespace guardbit::sim::cli
