// guardbit man: the manual page.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/base/exit_codes.h"
#include "sim/cli/verb_table.h"
#include "sim/cli/verbs.h"
#include "sim/replay/build_info.h"

namespace guardbit::sim::cli {
namespace {

/// Text of a roff line: backslashes and dashes as they are, no request at its beginning.
std::string roff(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool starts_line = result.empty() || result.back() == '\n';
    if (starts_line && (c == '.' || c == '\'')) result += "\\&";
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
  }
  return result;
}

std::string entry(const std::string& tag, const std::string& text) {
  return fmt::format(".TP\n{}\n{}\n", tag, roff(text));
}

std::string option_text(const OptionRow& option) {
  std::string tag;
  for (const std::string& name : option.names) tag += (tag.empty() ? "" : ", ") + fmt::format("\\fB{}\\fR", roff(name));
  const bool is_argument = !option.names.front().starts_with('-');
  if (!is_argument && !option.value.empty()) tag += " \\fI" + option.value + "\\fR";
  std::string text = option.description + ".";
  if (!option.values.empty() && option.value == "TEXT" && option.values.size() <= 16) {
    text += fmt::format(" Values: {}.", fmt::join(option.values, ", "));
  }
  if (!option.fallback.empty()) text += " Default: " + option.fallback + ".";
  if (option.required && !is_argument) text += " Required.";
  return entry(tag, text);
}

std::string synopsis(const VerbRow& verb) {
  std::string text = "\\fBguardbit " + verb.name + "\\fR";
  for (const OptionRow& argument : verb.arguments) {
    const std::string name = "\\fI" + argument.names.front() + "\\fR";
    text += argument.required ? " " + name : " [" + name + "]";
  }
  return text + " [\\fIoptions\\fR]\n";
}

std::string verb_text(const VerbRow& verb) {
  std::string text = fmt::format(".SS guardbit {}\n{}.\n.PP\n{}", verb.name, roff(verb.summary), synopsis(verb));
  for (const OptionRow& argument : verb.arguments) text += option_text(argument);
  for (const OptionRow& option : verb.options) {
    if (option.names.back() != "--help") text += option_text(option);
  }
  return text + fmt::format(".PP\n.nf\n{}\n.fi\n", roff(verb.footer));
}

/// What `whatis` and `apropos` show behind "guardbit - ", so without the name and in small letters.
std::string short_description(std::string_view summary) {
  constexpr std::string_view kName = "Guardbit: ";
  if (summary.starts_with(kName)) summary.remove_prefix(kName.size());
  return roff(summary);
}

}  // namespace

std::string manual_page(const std::vector<VerbRow>& table, const std::string& version) {
  const VerbRow& tool = table.front();
  std::string text = fmt::format(
      ".TH GUARDBIT 1 \"\" \"guardbit {}\" \"User Commands\"\n.SH NAME\nguardbit \\- {}\n.SH SYNOPSIS\n"
      "\\fBguardbit\\fR \\fIverb\\fR [\\fIarguments\\fR] [\\fIoptions\\fR]\n.PP\n\\fBguardbit\\fR [\\fIverb\\fR] "
      "\\fB\\-\\-help\\fR\n.SH DESCRIPTION\n"
      "Results are on standard output, everything else on standard error. Output files and directories appear whole or "
      "not\nat all. Results depend neither on threads nor on the processor.\n.SH VERBS\n",
      version, short_description(tool.summary));
  for (const VerbRow& verb : table) {
    if (!verb.name.empty() && verb.verbs.empty()) text += verb_text(verb);
    if (verb.name == "list") text += verb_text(verb);
  }
  text += ".SH EXIT STATUS\n";
  for (const ExitCodeRow& row : exit_codes()) {
    text += entry(fmt::format("\\fB{}\\fR", row.code), fmt::format("{}: {}.", row.name, row.meaning));
  }
  text += entry("\\fB128+n\\fR", "ended by signal n.");
  text += ".SH ENVIRONMENT\n";
  text += entry("\\fBNO_COLOR\\fR", "Not empty: no colour. Without it tables on a terminal have some.");
  text += entry("\\fBTERM\\fR", "Empty or dumb: neither colour nor progress bars.");
  return text;
}

void add_man(CLI::App& app, Action& action) {
  CLI::App* verb = app.add_subcommand("man", "Print the manual page, guardbit(1)");
  verb->footer(
      examples({"guardbit man > guardbit.1"}, "man ./guardbit.1 shows it; cmake --install puts it into its place."));
  verb->final_callback([&app, &action] {
    action = [&app] {
      print(manual_page(verb_table(app), build_provenance().at("version")));
      return 0;
    };
  });
}

}  // namespace guardbit::sim::cli
