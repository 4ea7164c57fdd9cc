// `guardbit list formats` and `guardbit list accumulators` as a user reads them: every registered row is there, and the
// numbers of some rows are those of the defining documents.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/arith/accumulators/accumulator_registry.h"
#include "models/arith/presets.h"
#include "models/numerics/block_format.h"
#include "models/numerics/float_format.h"
#include "tests/support/run_guardbit.h"

namespace guardbit::tests {
namespace {

using testing::HasSubstr;

/// The words of the line whose first word is `name`, joined by single spaces; empty if there is none.
std::string row(const std::string& text, std::string_view name) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string joined;
    for (std::string word; words >> word;) joined += (joined.empty() ? "" : " ") + word;
    if (joined.starts_with(std::string(name) + " ")) return joined;
  }
  return "";
}

TEST(ListCliTest, FormatsAreTheBitTable) {
  const CommandResult result = run_guardbit("list formats");
  ASSERT_EQ(result.status, 0) << result.err;
  for (const auto& format : numerics::kFloatFormats) EXPECT_NE(row(result.out, format.name), "") << format.name;
  for (const auto& format : numerics::kBlockFormats) EXPECT_NE(row(result.out, format.name), "") << format.name;
  EXPECT_EQ(row(result.out, "fp8_e4m3"), "fp8_e4m3 8 4 3 7 448 0.015625 0.001953125 NaN 1..1 OCP OFP8 1.0 E4M3");
  EXPECT_EQ(row(result.out, "fp6_e3m2"), "fp6_e3m2 6 3 2 3 28 0.25 0.0625 none OCP MX 1.0 E3M2");
  EXPECT_EQ(row(result.out, "mxint8"), "mxint8 8 32 e8m0 1.984375 - 0.015625 scale 0xFF OCP MX 1.0 MXINT8");
  EXPECT_EQ(row(result.out, "nvfp4"), "nvfp4 4 16 e4m3 6 1 0.5 scale 0x7F arXiv 2509.25149 NVFP4");
  for (const auto name : {"eXmY:", "e8m0:", "int2", "uint2", "q<I>.<F>:"}) EXPECT_NE(row(result.out, name), "") << name;
}

TEST(ListCliTest, AccumulatorsAndPresetsWithTheirSources) {
  const CommandResult result = run_guardbit("list accumulators");
  ASSERT_EQ(result.status, 0) << result.err;
  for (const auto& kind : arith::accumulators()) EXPECT_NE(row(result.out, kind.name), "") << kind.name;
  for (const auto& preset : arith::presets()) {
    EXPECT_NE(row(result.out, preset.name), "") << preset.name;
    EXPECT_THAT(result.out, HasSubstr(preset.source)) << preset.name;
  }
}

}  // namespace
}  // namespace guardbit::tests
