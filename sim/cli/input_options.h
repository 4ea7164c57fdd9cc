#pragma once
/// Options of every verb that reads files: what is accepted of them.
#include <CLI/CLI.hpp>

namespace guardbit::sim::cli {

/// Adds --max-input and --strict to all verbs and subverbs of `app` but those that read nothing; to be called when the
/// verbs have been added. They take effect before the verb's action.
void add_input_options(CLI::App& app);

}  // namespace guardbit::sim::cli
