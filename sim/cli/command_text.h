#pragma once
/// The command that a verb was given, so that a result can say how to make it again.
#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <string_view>

namespace guardbit::sim::cli {

/// "guardbit VERB ARGUMENTS --option VALUE ...", in the order of the help text, with words quoted for a POSIX shell.
/// Options that were not given and those of `left_out` (long names without dashes) are not in it.
/// Test: tests/system/report_verb_test.cpp.
[[nodiscard]] std::string command_text(const CLI::App& verb, std::span<const std::string_view> left_out);

}  // namespace guardbit::sim::cli
