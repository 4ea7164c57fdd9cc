// guardbit completion: scripts for shells.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "sim/cli/verb_table.h"
#include "sim/cli/verbs.h"

namespace guardbit::sim::cli {
namespace {

/// `text` in single quotes, as bash and zsh read it; fish reads it so too unless it holds a backslash.
std::string in_quotes(std::string_view text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

/// Every verb's words, and the words behind an option, as cases of "$verb" and "$verb $option".
struct Cases {
  std::string words;
  std::string values;
};

/// A case pattern for an option of a verb: 'sweep run -j'|'sweep run --jobs'.
std::string pattern(const VerbRow& verb, const OptionRow& option) {
  std::string text;
  for (const std::string& name : option.names) {
    text += (text.empty() ? "" : "|") + in_quotes(verb.name + (verb.name.empty() ? "" : " ") + name);
  }
  return text;
}

/// How the script finds the verb: those that have verbs below them.
std::string groups(const std::vector<VerbRow>& table, const char* separator) {
  std::vector<std::string> names;
  for (const VerbRow& verb : table) {
    if (!verb.name.empty() && !verb.verbs.empty()) names.push_back(verb.name);
  }
  return fmt::format("{}", fmt::join(names, separator));
}

std::string bash_script(const std::vector<VerbRow>& table) {
  Cases cases;
  for (const VerbRow& verb : table) {
    std::vector<std::string> words;
    for (const auto& [name, summary] : verb.verbs) words.push_back(name);
    for (const OptionRow& argument : verb.arguments) {
      words.insert(words.end(), argument.values.begin(), argument.values.end());
    }
    for (const OptionRow& option : verb.options) {
      words.insert(words.end(), option.names.begin(), option.names.end());
      if (option.value.empty()) continue;
      cases.values += fmt::format("    {}) values={} ;;\n", pattern(verb, option),
                                  in_quotes(fmt::format("{}", fmt::join(option.values, " "))));
    }
    cases.words +=
        fmt::format("    {}) words={} ;;\n", in_quotes(verb.name), in_quotes(fmt::format("{}", fmt::join(words, " "))));
  }
  constexpr std::string_view kScript = R"(# bash completion for guardbit; written by: guardbit completion bash
_guardbit() {{
  local cur prev verb='' word words='' values i
  COMPREPLY=()
  cur=${{COMP_WORDS[COMP_CWORD]}}
  prev=${{COMP_WORDS[COMP_CWORD - 1]}}
  for ((i = 1; i < COMP_CWORD; ++i)); do
    word=${{COMP_WORDS[i]}}
    [[ $word == -* ]] && break
    case $verb in
      '') verb=$word ;;
      {groups}) verb="$verb $word" ;;
    esac
  done
  values=none
  case "${{verb:+$verb }}$prev" in
{values}  esac
  if [[ $values != none ]]; then
    # nothing known about the value: files
    [[ -n $values ]] && COMPREPLY=($(compgen -W "$values" -- "$cur"))
    [[ ${{COMPREPLY[0]}} == *= ]] && compopt -o nospace
    return
  fi
  case $verb in
{words}  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o default -o bashdefault -F _guardbit guardbit
)";
  return fmt::format(fmt::runtime(kScript), fmt::arg("groups", groups(table, "|")), fmt::arg("values", cases.values),
                     fmt::arg("words", cases.words));
}

std::string zsh_script(const std::vector<VerbRow>& table) {
  const auto described = [](const std::string& word, const std::string& text) {
    std::string escaped;
    for (const char c : word) escaped += c == ':' ? std::string("\\:") : std::string(1, c);
    return " " + in_quotes(escaped + ":" + text);
  };
  Cases cases;
  for (const VerbRow& verb : table) {
    std::string words;
    for (const auto& [name, summary] : verb.verbs) words += described(name, summary);
    for (const OptionRow& argument : verb.arguments) {
      for (const std::string& value : argument.values) words += described(value, argument.description);
    }
    for (const OptionRow& option : verb.options) {
      for (const std::string& name : option.names) words += described(name, option.description);
      if (option.value.empty()) continue;
      cases.values += fmt::format("    {}) values=({}) ;;\n", pattern(verb, option), fmt::join(option.values, " "));
    }
    cases.words += fmt::format("    {}) entries=({}) ;;\n", in_quotes(verb.name), words);
  }
  constexpr std::string_view kScript = R"(#compdef guardbit
# zsh completion for guardbit; written by: guardbit completion zsh
_guardbit() {{
  local verb='' word has_value=yes
  local -a entries values
  for word in "${{(@)words[2,CURRENT-1]}}"; do
    [[ $word == -* ]] && break
    case $verb in
      '') verb=$word ;;
      {groups}) verb="$verb $word" ;;
    esac
  done
  case "${{verb:+$verb }}${{words[CURRENT-1]}}" in
{values}    *) has_value=no ;;
  esac
  if [[ $has_value == yes ]]; then
    if (( $#values )); then compadd -a values; else _files; fi
    return
  fi
  case $verb in
{words}  esac
  _describe word entries
  [[ $words[CURRENT] == -* ]] || _files
}}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _guardbit "$@"; else compdef _guardbit guardbit; fi
)";
  return fmt::format(fmt::runtime(kScript), fmt::arg("groups", groups(table, "|")), fmt::arg("values", cases.values),
                     fmt::arg("words", cases.words));
}

/// When a line of the fish script holds: the words before the one that is completed begin with the verb.
std::string fish_condition(const VerbRow& verb) {
  return in_quotes(verb.name.empty() ? "__guardbit_at" : "__guardbit_at " + verb.name);
}

std::string fish_script(const std::vector<VerbRow>& table) {
  std::string text =
      "# fish completion for guardbit; written by: guardbit completion fish\n"
      "function __guardbit_at --description 'the verb of the command line is $argv'\n"
      "    set -l verb\n"
      "    for word in (commandline -opc)[2..-1]\n"
      "        string match -q -- '-*' $word; and break\n"
      "        if test (count $verb) -eq 0; or contains -- $verb[1] GROUPS; and test (count $verb) -lt 2\n"
      "            set -a verb $word\n"
      "        end\n"
      "    end\n"
      "    test \"$verb\" = \"$argv\"\n"
      "end\n";
  constexpr std::string_view kPlaceholder = "GROUPS";
  text.replace(text.find(kPlaceholder), kPlaceholder.size(), groups(table, " "));
  for (const VerbRow& verb : table) {
    const std::string begin = "complete -c guardbit -n " + fish_condition(verb);
    for (const auto& [name, summary] : verb.verbs) {
      text += fmt::format("{} -f -a {} -d {}\n", begin, name, in_quotes(summary));
    }
    for (const OptionRow& argument : verb.arguments) {
      if (argument.values.empty()) continue;
      text += fmt::format("{} -a {} -d {}\n", begin, in_quotes(fmt::format("{}", fmt::join(argument.values, " "))),
                          in_quotes(argument.description));
    }
    for (const OptionRow& option : verb.options) {
      text += begin;
      for (const std::string& name : option.names) {
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (!option.value.empty()) text += " -r";
      if (!option.values.empty()) text += " -f -a " + in_quotes(fmt::format("{}", fmt::join(option.values, " ")));
      text += " -d " + in_quotes(option.description) + "\n";
    }
  }
  return text;
}

}  // namespace

std::string completion_script(const std::vector<VerbRow>& table, const std::string& shell) {
  return shell == "zsh" ? zsh_script(table) : shell == "fish" ? fish_script(table) : bash_script(table);
}

void add_completion(CLI::App& app, Action& action) {
  auto shell = std::make_shared<std::string>();
  CLI::App* verb =
      app.add_subcommand("completion", "Print a script that completes verbs, options and values in a shell");
  verb->add_option("shell", *shell, "Which one")->required()->check(one_of({"bash", "zsh", "fish"}));
  verb->footer(examples({"guardbit completion bash > guardbit.bash", "guardbit completion zsh > _guardbit",
                         "guardbit completion fish > guardbit.fish"},
                        "In bash: source guardbit.bash. cmake --install puts them into their places."));
  verb->final_callback([shell, &app, &action] {
    action = [shell, &app] {
      print(completion_script(verb_table(app), *shell));
      return 0;
    };
  });
}

}  // namespace guardbit::sim::cli
