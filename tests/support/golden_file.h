#pragma once
/// Comparison with a file of the source tree; GUARDBIT_UPDATE_GOLDEN=1 rewrites the file instead.
#include <gtest/gtest.h>

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
  EXPECT_EQ(expected.str(), actual) << path << " differs; if that is meant, run again with GUARDBIT_UPDATE_GOLDEN=1";
}

}  // namespace guardbit::tests
