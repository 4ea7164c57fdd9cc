#include "sim/cli/names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "sim/base/error.h"
#include "sim/config/suggest.h"

namespace guardbit::sim::cli {
namespace {

/// The words after the program's name, from the one at `next` on.
struct Words {
  std::span<const char* const> all;
  std::size_t next = 1;
  bool empty() const { return next >= all.size(); }
  std::string_view peek() const { return all[next]; }
};

/// The words of a chain of verbs, as they are typed.
std::string spelled(const CLI::App& app) {
  const CLI::App* const parent = app.get_parent();
  return parent == nullptr ? app.get_name() : spelled(*parent) + " " + app.get_name();
}

[[noreturn]] void refuse(const CLI::App& app, std::string_view word, std::string_view kind,
                         const std::vector<std::string>& names, bool lists_names) {
  const std::string expected = lists_names ? fmt::format("; expected one of {}", fmt::join(names, ", ")) : "";
  throw UserError(ExitCode::kUsage, fmt::format("{}: unknown {}{}{} ({} --help)", printable(word), kind, expected,
                                                did_you_mean(word, names), spelled(app)));
}

/// The verb that the words choose; words are consumed.
const CLI::App& chosen_verb(const CLI::App& app, Words& words) {
  const std::vector<const CLI::App*> verbs = verbs_of(app);
  if (verbs.empty() || words.empty() || words.peek().starts_with('-')) return app;
  std::vector<std::string> names;
  for (const CLI::App* verb : verbs) names.push_back(verb->get_name());
  const auto found = std::find(names.begin(), names.end(), words.peek());
  if (found == names.end())
    refuse(app, words.peek(), app.get_name() == "list" ? "topic" : "verb", names, /*lists_names=*/true);
  ++words.next;
  return chosen_verb(*verbs[static_cast<std::size_t>(found - names.begin())], words);
}

/// The option that `word` ("--name", "--name=value", "-n", "-nvalue") is, or null.
const CLI::Option* option_of(const CLI::App& verb, std::string_view word) {
  const bool is_long = word.starts_with("--");
  const std::string name(is_long ? word.substr(0, word.find('=')) : word.substr(0, 2));
  return verb.get_option_no_throw(name);
}

}  // namespace

CLI::Validator one_of(const std::vector<std::string>& names) {
  const auto check = [names](const std::string& text) -> std::string {
    if (std::find(names.begin(), names.end(), text) != names.end()) return "";
    return fmt::format("got {}; expected one of {}{}", printable(text), fmt::join(names, ", "),
                       did_you_mean(text, names));
  };
  return CLI::Validator(check, fmt::format("{{{}}}", fmt::join(names, ",")));
}

std::vector<const CLI::App*> verbs_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

void check_names(const CLI::App& app, int argc, const char* const* argv) {
  Words words{.all = {argv, static_cast<std::size_t>(argc)}};
  const CLI::App& verb = chosen_verb(app, words);
  if (verb.get_allow_extras()) return;
  for (; !words.empty(); ++words.next) {
    const std::string_view word = words.peek();
    if (word == "--") return;
    if (!word.starts_with('-') || word.size() < 2) continue;
    const CLI::Option* const option = option_of(verb, word);
    const bool has_value_behind = option != nullptr && option->get_expected_min() > 0;
    const bool holds_value = word.starts_with("--") ? word.find('=') != std::string_view::npos : word.size() > 2;
    if (has_value_behind && !holds_value) ++words.next;
    if (option != nullptr || !word.starts_with("--")) continue;
    std::vector<std::string> names;
    for (const CLI::Option* known : verb.get_options()) {
      for (const std::string& name : known->get_lnames()) names.push_back("--" + name);
    }
    refuse(verb, word.substr(0, word.find('=')), "option", names, /*lists_names=*/false);
  }
}

}  // namespace guardbit::sim::cli
