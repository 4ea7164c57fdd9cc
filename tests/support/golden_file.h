#pragma once
/// Comparison with a file of the source tree; GUARDBIT_UPDATE_GOLDEN=1 rewrites the file instead.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace guardbit::tests {

/// Expects `actual` to be the content of `relative` (to the source tree), byte for byte.
inline void expect_golden(const std::string& relative, const std::string& actual) {
  const std::string path = std::string(GUARDBIT_SOURCE_DIR) + "/" + relative;
  if (std::getenv("GUARDBIT_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::binary) << actual;
    return;
  }
  std::ifstream stream(path, std::ios::binary);
  ASSERT_TRUE(stream) << path << " is missing; GUARDBIT_UPDATE_GOLDEN=1 writes it";
  std::ostringstream expected;
  expected << stream.rdbuf();
  if (expected.str() == actual) return;
  // The first line that differs says more than both texts whole.
  std::istringstream expected_lines(expected.str());
  std::istringstream actual_lines(actual);
  std::string expected_line;
  std::string actual_line;
  int line = 0;
  do {
    ++line;
    if (!std::getline(expected_lines, expected_line)) expected_line = "(end of file)";
    if (!std::getline(actual_lines, actual_line)) actual_line = "(end of text)";
  } while (expected_line == actual_line);
  const auto at = static_cast<std::size_t>(
      std::mismatch(expected_line.begin(), expected_line.end(), actual_line.begin(), actual_line.end()).first -
      expected_line.begin());
  constexpr std::size_t kBefore = 60;
  constexpr std::size_t kShown = 200;
  const std::size_t from = at > kBefore ? at - kBefore : 0;
  ADD_FAILURE() << path << ":" << line << ":" << at + 1
                << ": differs; if that is meant, run again with GUARDBIT_UPDATE_GOLDEN=1\n  file: "
                << expected_line.substr(from, kShown) << "\n  now:  " << actual_line.substr(from, kShown);
}

}  // namespace guardbit::tests
