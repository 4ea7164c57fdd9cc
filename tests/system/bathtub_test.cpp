// Norms alone over powers of two of their scale: a middle without a changed bit, overflow on the left, lost squares on
// the right; and the same bits as the replay of the same norm.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/support/run_guardbit.h"
#include "tests/support/short_trace.h"

namespace guardbit::tests {
namespace {

using Json = nlohmann::json;

constexpr int kTokens = 16;
/// Squares and sums between 2^-62 and 2^63 without subnormals; the rest of the unit and its input have more range.
const std::string kNarrowSums =
    " --residual-gain 16 --set norm.accumulator.format=e7m7 --set norm.accumulator.subnormals=flush "
    "--set norm.input=fp32 --set norm.arithmetic=fp32 ";
const std::string kRescaled = "--set norm.epsilon=rescaled ";

std::string on(const std::filesystem::path& trace, const std::string& accelerator) {
  return " " + trace.string() + " --accelerator " + shipped_accelerator(accelerator) + " --format json ";
}

Json run(const std::string& command) {
  const CommandResult result = run_guardbit(command);
  EXPECT_EQ(result.status, 0) << result.err;
  return Json::parse(result.out);
}

std::uint64_t tokens_with(const Json& point, const std::string& event) {
  return point.at("events").at(event).at("tokens").get<std::uint64_t>();
}

class BathtubTest : public testing::Test {
 protected:
  TemporaryDirectory directory_;
};

TEST_F(BathtubTest, OverflowLeftUnderflowRightAndTheSameBitsBetween) {
  const Json result = run("bathtub" + on(capture_short_trace(directory_, 1, kTokens), "edge") + kNarrowSums +
                          kRescaled + "--from -40 --to 50");
  EXPECT_EQ(result.at("schema"), "guardbit-bathtub/1");
  ASSERT_EQ(result.at("norms").size(), 9u);
  for (const Json& norm : result.at("norms")) {
    const Json& points = norm.at("points");
    ASSERT_EQ(points.size(), 91u);
    ASSERT_TRUE(norm.at("same_bits").is_object()) << norm.at("name");
    const int from = norm.at("same_bits").at("from");
    const int to = norm.at("same_bits").at("to");
    const auto at = [&points](int log2_scale) { return points.at(static_cast<std::size_t>(log2_scale + 40)); };
    EXPECT_GE(to - from, 20) << norm.at("name") << ": the norm does not change with s where its format has the range";
    for (int k = from; k <= to; ++k) {
      EXPECT_EQ(at(k).at("output_sha256"), at(from).at("output_sha256"));
      EXPECT_EQ(tokens_with(at(k), "overflow"), 0u) << norm.at("name") << " " << k;
    }
    const double least = at(from).at("error");
    EXPECT_LT(least, 0x1p-4) << "eight bits of precision";
    EXPECT_EQ(tokens_with(points.front(), "overflow"), kTokens);
    EXPECT_EQ(tokens_with(points.back(), "overflow"), 0u);
    EXPECT_EQ(tokens_with(points.back(), "underflow"), kTokens);
    for (const Json* edge : {&points.front(), &points.back()}) {
      EXPECT_TRUE(edge->at("error").is_null() || edge->at("error").get<double>() > 5 * least) << norm.at("name");
    }
    std::uint64_t overflowing = kTokens;
    std::uint64_t underflowing = 0;
    for (const Json& point : points) {
      EXPECT_LE(tokens_with(point, "overflow"), overflowing) << "a larger scale overflows no more";
      EXPECT_GE(tokens_with(point, "underflow"), underflowing) << "and underflows no less";
      overflowing = tokens_with(point, "overflow");
      underflowing = tokens_with(point, "underflow");
    }
  }
}

TEST_F(BathtubTest, APlainEpsilonIsNoLongerInvariant) {
  const auto trace = capture_short_trace(directory_, 1, kTokens);
  const Json raw = run("bathtub" + on(trace, "edge") + kNarrowSums + "--set norm.epsilon=raw --from 0 --to 12");
  const Json rescaled = run("bathtub" + on(trace, "edge") + kNarrowSums + kRescaled + "--from 0 --to 12");
  const auto changed = [](const Json& result) {
    const Json& points = result.at("norms").at(0).at("points");
    return points.at(4).at("output_sha256") != points.at(8).at("output_sha256");
  };
  EXPECT_TRUE(changed(raw));
  EXPECT_FALSE(changed(rescaled));
}

/// In open loop a replay's norm has the same input.
TEST_F(BathtubTest, PointsAreTheReplaysNorms) {
  const auto trace = capture_short_trace(directory_, 2, kTokens);
  const std::string options = "--residual-gain 16 ";
  const Json bathtub = run("bathtub" + on(trace, "edge") + options + "--from 0 --to 16 --threads 2");
  EXPECT_EQ(run("bathtub" + on(trace, "edge") + options + "--from 0 --to 16 --threads 1"), bathtub);
  const Json replay = run("replay" + on(trace, "edge") + options + "--open-loop --variants none,slanc,slanc_residual");
  std::size_t compared = 0;
  for (const Json& norm : bathtub.at("norms")) {
    for (const Json& variant : replay.at("variants")) {
      for (const Json& op : variant.at("ops")) {
        if (op.at("name") != norm.at("name")) continue;
        const double scale = op.value("norm_scale", 1.0);
        for (const Json& mark : norm.at("marks")) {
          if (mark.at("method") != variant.at("name")) continue;
          EXPECT_EQ(mark.at("scale"), scale);
        }
        const Json& point = norm.at("points").at(static_cast<std::size_t>(std::log2(scale)));
        EXPECT_EQ(point.at("output_sha256"), op.at("output_sha256")) << op.at("name") << " " << variant.at("name");
        for (const char* event : {"overflow", "underflow", "swamped"}) {
          EXPECT_EQ(point.at("events").at(event), op.at("norm").at("events").at(event));
        }
        // A replay compares with the norm of the unrounded input: fp16 rounds that as coarsely as the output, which
        // doubles the noise's power at most.
        const double sqnr_db = -20 * std::log10(point.at("error").get<double>());
        EXPECT_GT(sqnr_db, op.at("sqnr_db").get<double>() - 0.5);
        EXPECT_LT(sqnr_db, op.at("sqnr_db").get<double>() + 3.5);
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, 27u);
  EXPECT_EQ(bathtub.at("norms").at(8).at("marks").size(), 2u);
}

TEST_F(BathtubTest, ReportsAndBadInput) {
  const auto trace = capture_short_trace(directory_, 1, 4);
  const std::string command = "bathtub " + trace.string() + " --accelerator " + shipped_accelerator("edge");
  const CommandResult table = run_guardbit(command + " --from -1 --to 4");
  EXPECT_EQ(table.status, 0) << table.err;
  EXPECT_NE(table.out.find("layers.3.mlp_norm: ||x||"), std::string::npos) << table.out;
  const CommandResult csv = run_guardbit(command + " --from -1 --to 4 --format csv");
  EXPECT_EQ(std::count(csv.out.begin(), csv.out.end(), '\n'), 1 + 9 * 6);
  const CommandResult reversed = run_guardbit(command + " --from 3 --to 2");
  EXPECT_EQ(reversed.status, 2);
  EXPECT_NE(reversed.err.find("--from: got 3; expected at most --to, which is 2"), std::string::npos) << reversed.err;
  EXPECT_EQ(run_guardbit(command + " --to 101").status, 2);
  EXPECT_EQ(
      run_guardbit("bathtub " + (directory_ / "nothing").string() + " --accelerator " + shipped_accelerator("edge"))
          .status,
      66);
}

}  // namespace
}  // namespace guardbit::tests
