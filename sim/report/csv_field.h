#pragma once
/// A field of a CSV line.
#include <string>

namespace guardbit::sim {

/// `text`, quoted if it holds a comma, a quote or a line end (RFC 4180 section 2).
[[nodiscard]] inline std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

}  // namespace guardbit::sim
