#pragma once
/// Words of the command line that are one of a list, and what an unknown one could have meant.
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace guardbit::sim::cli {

/// A check for CLI11 like CLI::IsMember, whose message names the nearest: "got tabel; expected one of json, table; did
/// you mean table?". The help text shows {json,table}.
[[nodiscard]] CLI::Validator one_of(const std::vector<std::string>& names);

/// Refuses, before CLI11 sees them, a verb or a long option that does not exist: CLI11 would complain of something else
/// that is missing, and suggests nothing. UserError kUsage with the nearest name.
/// Test: tests/terminal/terminal_test.py.
void check_names(const CLI::App& app, int argc, const char* const* argv);

/// The verbs (or subcommands) of `app`, in the order of its help text.
[[nodiscard]] std::vector<const CLI::App*> verbs_of(const CLI::App& app);

}  // namespace guardbit::sim::cli
