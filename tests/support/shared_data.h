#pragma once
/// The data beside the checkout (../shared), which tests use when it is there and skip when it is not.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace guardbit::tests {

/// Path below ../shared of the source tree (or below $GUARDBIT_SHARED if set).
inline std::filesystem::path shared_path(const std::string& relative) {
  const char* root = std::getenv("GUARDBIT_SHARED");
  return (root != nullptr ? std::filesystem::path(root)
                          : std::filesystem::path(GUARDBIT_SOURCE_DIR) / ".." / "shared") /
         relative;
}

}  // namespace guardbit::tests

/// Skips the test, and says so, when the shared data is absent.
#define GUARDBIT_REQUIRE_SHARED(relative)                                 \
  if (!std::filesystem::exists(::guardbit::tests::shared_path(relative))) \
  GTEST_SKIP() << "no " << ::guardbit::tests::shared_path(relative) << ": this test needs the shared data"
