#include "sim/base/error.h"

#include <fmt/format.h>

#include <cstddef>

namespace guardbit::sim {
namespace {

/// Length of the well-formed UTF-8 sequence at the start of `text` (Unicode 15 table 3-7), 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return i < text.size() && byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;   // no overlong forms
    const unsigned high = first == 0xED ? 0x9F : 0xBF;  // no surrogates
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;  // up to U+10FFFF
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

std::string without_nuls(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\0') {
      result += "\\x00";
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace

UserError::UserError(ExitCode code, const std::string& message)
    : std::runtime_error(without_nuls(message)), code_(code) {}

std::string printable(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    std::size_t length = utf8_length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    const bool is_c1_control = length == 2 && first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;
    const bool is_control = (length == 1 && (first < 0x20 || first == 0x7F)) || is_c1_control;
    if (length == 0 || is_control) {
      length = length == 0 ? 1 : length;
      for (std::size_t i = 0; i < length; ++i) result += fmt::format("\\x{:02X}", static_cast<unsigned char>(text[i]));
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return result;
}

}  // namespace guardbit::sim
