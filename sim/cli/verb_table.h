#pragma once
/// Verbs and options as plain data, read from the command line's own parser: what the manual page and the shells'
/// completions are made of, so that neither can say anything else than --help.
#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace guardbit::sim::cli {

struct OptionRow {
  std::vector<std::string> names;   ///< "-o", "--output"; of a positional argument its name alone
  std::string value;                ///< what stands behind it in the manual: "TEXT"; empty: a flag
  std::vector<std::string> values;  ///< all it accepts, or the registered names that it may start with; empty: anything
  std::string description;
  std::string fallback;  ///< default as text; empty: none
  bool required = false;
};

struct VerbRow {
  std::string name;  ///< "sweep run"; of the tool itself empty
  std::string summary;
  std::vector<OptionRow> arguments;                        ///< by position
  std::vector<OptionRow> options;                          ///< --help among them
  std::vector<std::pair<std::string, std::string>> verbs;  ///< name and summary of those below it
  std::string footer;                                      ///< examples and remarks
};

/// The tool, its verbs and theirs, in the order of the help texts.
[[nodiscard]] std::vector<VerbRow> verb_table(const CLI::App& app);

/// The manual page guardbit(1), in the man macros of roff.
[[nodiscard]] std::string manual_page(const std::vector<VerbRow>& table, const std::string& version);

/// A completion script. shell: "bash", "zsh" or "fish".
[[nodiscard]] std::string completion_script(const std::vector<VerbRow>& table, const std::string& shell);

}  // namespace guardbit::sim::cli
