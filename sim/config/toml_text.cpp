#include "sim/config/toml_text.h"

#include <fmt/format.h>

#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

/// Refuses what the parser would follow by recursion: keys of many parts and deep nesting, which no key here needs.
void check_depth(std::string_view text, const std::string& shown_path) {
  constexpr std::size_t kMaxDepth = 64;
  std::size_t line = 1;
  std::size_t depth = 0;  // dots and opening brackets of the line: an upper bound of how deep its keys reach
  for (const char c : text) {
    if (c == '\n') {
      ++line;
      depth = 0;
    } else if ((c == '.' || c == '[' || c == '{') && ++depth > kMaxDepth) {
      throw UserError(ExitCode::kConfiguration,
                      fmt::format("{}:{}: got a line with more than {} dots and brackets; expected section.key = value",
                                  shown_path, line, kMaxDepth));
    }
  }
}

}  // namespace

toml::table parse_toml(std::string_view text, const std::string& shown_path) {
  check_depth(text, shown_path);
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw UserError(ExitCode::kConfiguration,
                    fmt::format("{}:{}:{}: not TOML: {}", shown_path, error.source().begin.line,
                                error.source().begin.column, printable(error.description())));
  }
}

ConfigValue to_value(const toml::node& node) {
  if (const auto* flag = node.as_boolean()) return flag->get();
  if (const auto* integer = node.as_integer()) return integer->get();
  if (const auto* real = node.as_floating_point()) return real->get();
  if (const auto* text = node.as_string()) return text->get();
  if (node.is_array()) return OtherValue{"an array"};
  if (node.is_table()) return OtherValue{"a table"};
  return OtherValue{"a date or time"};
}

}  // namespace guardbit::sim
