// The command line: one binary with verbs. Turns every outcome into the documented exit code.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sstream>
#include <string>
#include <vector>

#include "models/numerics/check.h"
#include "sim/base/error.h"
#include "sim/base/exit_codes.h"
#include "sim/base/fp_environment.h"
#include "sim/base/last_resort.h"
#include "sim/base/signal_guard.h"
#include "sim/base/system_failure.h"
#include "sim/cli/input_options.h"
#include "sim/cli/names.h"
#include "sim/cli/terminal.h"
#include "sim/cli/verbs.h"
#include "sim/replay/build_info.h"

namespace guardbit::sim::cli {

void print(std::string_view text) {
  errno = 0;
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return;
  if (errno == EPIPE) return;  // the reader is gone and wants no more
  throw UserError(ExitCode::kIo, std::string("standard output: cannot be written: ") + std::strerror(errno));
}

void say(std::string_view text) { (void)std::fwrite(text.data(), 1, text.size(), stderr); }

void warn(std::string_view text) { say(fmt::format("guardbit: warning: {}\n", printable(text))); }

namespace {

int exit_status(ExitCode code) { return static_cast<int>(code); }

/// "guardbit: " and the message, whose lines are one problem each; everything else that is not printable is escaped.
void complain(std::string_view what, std::string_view message) {
  const bool in_red = has_colour(STDERR_FILENO);
  std::string text = fmt::format("{}guardbit:{} {}", in_red ? "\x1b[1;31m" : "", in_red ? "\x1b[0m" : "", what);
  for (std::size_t begin = 0; begin <= message.size();) {
    const std::size_t end = std::min(message.find('\n', begin), message.size());
    text += printable(message.substr(begin, end - begin)) + "\n";
    begin = end + 1;
  }
  say(text);
}

/// In the order of the help text: what most people come for first.
void add_verbs(CLI::App& app, Action& action) {
  for (const auto add :
       {add_replay, add_capture, add_report, add_compare, add_regress, add_sweep, add_pareto, add_query, add_bathtub,
        add_gemm, add_quantize, add_conform, add_truths, add_config, add_list, add_man, add_completion}) {
    add(app, action);
  }
  add_input_options(app);
}

/// "Exit codes: 0 done, 1 gate failed, ..."
std::string exit_code_line() {
  std::string text = "Exit codes (guardbit list exit_codes):";
  for (const ExitCodeRow& row : exit_codes()) text += fmt::format(" {} {},", row.code, row.name);
  return text + " 128+n signal n.";
}

/// What CLI11 says, in the form of every other error: one line that ends with the command for the help text.
std::string usage_text(const CLI::App& app, const CLI::ParseError& error) {
  std::string command = app.get_name();
  for (const CLI::App* verb = &app; !verb->get_subcommands().empty();) {
    verb = verb->get_subcommands().front();
    command += " " + verb->get_name();
  }
  std::string text = error.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return fmt::format("{} ({} --help)", text, command);
}

int run(int argc, char** argv) {
  const auto build = build_provenance();
  CLI::App app{"Guardbit: bit-accurate simulator of a transformer accelerator", "guardbit"};
  app.set_version_flag("--version", fmt::format("guardbit {} ({})", build.at("version"), build.at("commit")));
  app.require_subcommand(1);
  Action action;
  add_verbs(app, action);
  app.footer(examples(
      {"guardbit replay traces/kjv-gpt2 -a configs/accelerators/edge.toml", "guardbit replay --help", "guardbit list"},
      exit_code_line()));
  check_names(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) throw UserError(ExitCode::kUsage, usage_text(app, error));
    std::ostringstream out;
    (void)app.exit(error, out, out);
    print(out.str());
    return 0;
  }
  return action();
}

/// The exit code, its error told. Throws std::bad_alloc, also if there is no memory for an error's text.
int run_reporting(int argc, char** argv, int& signal) {
  try {
    return run(argc, argv);
  } catch (const UserError& error) {
    complain("", error.what());
    return exit_status(error.code());
  } catch (const Interrupted& interrupted) {
    signal = interrupted.signal();
    return 128 + signal;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::system_error& error) {
    complain("", error.what());
    return exit_status(exit_code_of(error));
  } catch (const std::exception& error) {
    complain("internal error, please report it: ", error.what());
    return exit_status(ExitCode::kInternal);
  }
}

/// `signal` receives the signal that ended the run, if one did.
int run_guarded(int argc, char** argv, int& signal) {
  const SignalGuard signals;
  const FpEnvironment environment;
  try {
    return run_reporting(argc, argv, signal);
  } catch (const std::bad_alloc&) {
    say("guardbit: out of memory\n");  // needs none
    return exit_status(ExitCode::kRefused);
  }
}

}  // namespace
}  // namespace guardbit::sim::cli

/// libsystemc asks for this entry point; the simulation kernel is driven by Accelerator, not by it.
extern "C" int sc_main(int /*argc*/, char** /*argv*/) { return 0; }

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit shows as a failed write
  guardbit::sim::handle_last_resort();
  int signal = 0;
  const int status = guardbit::sim::cli::run_guarded(argc, argv, signal);
  if (signal != 0) guardbit::sim::end_by_signal(signal);
  return status;
}
