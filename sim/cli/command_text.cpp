#include "sim/cli/command_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace guardbit::sim::cli {
namespace {

std::string shell_word(const std::string& word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./,:@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char character : word) quoted += character == '\'' ? std::string("'\\''") : std::string(1, character);
  return quoted + "'";
}

bool is_left_out(const CLI::Option& option, std::span<const std::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return option.check_lname(std::string(name)); });
}

std::string option_text(const CLI::Option& option) {
  const CLI::results_t& values = option.results();
  if (option.get_positional()) return " " + shell_word(values.front());
  const std::string name = " " + option.get_name();
  const bool is_flag = option.get_expected_max() == 0;
  if (is_flag) return name;
  if (option.get_delimiter() != '\0') {
    const char delimiter[] = {option.get_delimiter(), '\0'};
    return fmt::format("{} {}", name, shell_word(fmt::format("{}", fmt::join(values, delimiter))));
  }
  std::string text;
  for (const std::string& value : values) text += name + " " + shell_word(value);
  return text;
}

}  // namespace

std::string command_text(const CLI::App& verb, std::span<const std::string_view> left_out) {
  std::string arguments;
  std::string options;
  for (const CLI::Option* option : verb.get_options()) {
    if (option->count() == 0 || is_left_out(*option, left_out)) continue;
    (option->get_positional() ? arguments : options) += option_text(*option);
  }
  return "guardbit " + verb.get_name() + arguments + options;
}

}  // namespace guardbit::sim::cli
