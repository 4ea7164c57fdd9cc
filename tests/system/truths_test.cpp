// `guardbit truths`: everything that is known holds, and docs/known_truths.md is what the program prints.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/run_guardbit.h"

namespace guardbit::tests {
namespace {

using Json = nlohmann::json;

TEST(TruthsTest, AllHoldAndThePageIsWhatTheProgramPrints) {
  const CommandResult result = run_guardbit("truths --format markdown");
  EXPECT_EQ(result.status, 0) << result.out;
  EXPECT_EQ(result.out.find("**does not hold**"), std::string::npos);
  EXPECT_EQ(result.out, content_of(std::string(GUARDBIT_SOURCE_DIR) + "/docs/known_truths.md"))
      << "build/release/guardbit truths --format markdown > docs/known_truths.md";
}

TEST(TruthsTest, NoVectorTargetChangesADigit) {
  EXPECT_EQ(run_guardbit("truths --format json --vector-target scalar").out, run_guardbit("truths --format json").out);
}

/// The issue's own numbers, once more and apart from the program's table of what it expects.
TEST(TruthsTest, PublishedNumbersComeOut) {
  const CommandResult result = run_guardbit("truths --format json");
  ASSERT_EQ(result.status, 0) << result.err;
  const Json truths = Json::parse(result.out).at("truths");
  const auto measured = [&truths](const std::string& name, const std::string& quantity) -> std::string {
    for (const Json& truth : truths) {
      if (truth.at("name") != name) continue;
      for (const Json& row : truth.at("rows")) {
        if (row.at("quantity") == quantity) return row.at("measured");
      }
    }
    ADD_FAILURE() << name << ": " << quantity;
    return "nan";
  };
  EXPECT_EQ(measured("topology", "sequential: sum"), "32768");
  EXPECT_EQ(measured("topology", "sequential: overflows"), "0");
  EXPECT_EQ(measured("topology", "sequential: swamped addends"), "2048");
  EXPECT_EQ(measured("topology", "tree of 16: sum"), "inf");
  const auto number = [&](const std::string& name, const std::string& quantity) {
    return std::stod(measured(name, quantity));
  };
  EXPECT_NEAR(std::log2(number("tensor_core", "hopper_fp8: rms error") / 1.4e-3), 0, std::log2(1.5));
  EXPECT_NEAR(std::log2(number("tensor_core", "hopper_fp8_promote128: rms error") / 1.2e-4), 0, std::log2(1.5));
  EXPECT_LT(number("smoothing_orders", "constant sign, rrs: mean error, %"),
            number("smoothing_orders", "constant sign, rotate: mean error, %"));
  EXPECT_LT(number("smoothing_orders", "spikes, rotate: mean error, %"),
            number("smoothing_orders", "spikes, rs: mean error, %"));
  EXPECT_NEAR(number("target_norm", "d = 4,096, norm 1: % lost"), 3.08, 0.1);
  EXPECT_NEAR(number("target_norm", "d = 16,384, norm 1: % lost"), 19.87, 0.3);
}

TEST(TruthsTest, SomeCanBeChosenAndUnknownOnesAreAUsageError) {
  const CommandResult some = run_guardbit("truths integer_groups stall");
  EXPECT_EQ(some.status, 0);
  EXPECT_NE(some.out.find("2 of 2 hold"), std::string::npos) << some.out;
  const CommandResult none = run_guardbit("truths lies");
  EXPECT_EQ(none.status, 2);
  EXPECT_NE(none.err.find("got lies; expected one of format_limits, "), std::string::npos) << none.err;
}

}  // namespace
}  // namespace guardbit::tests
