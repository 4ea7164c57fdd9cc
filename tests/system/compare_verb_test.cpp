// `guardbit compare` and the gates of `guardbit replay` as a user meets them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "tests/support/run_guardbit.h"
#include "tests/support/short_trace.h"

namespace guardbit::tests {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

class GateVerbTest : public testing::Test {
 protected:
  CommandResult replay(const std::string& rest) const {
    return run_guardbit("replay " + trace_.string() + " -a " + shipped_accelerator("edge") +
                        " --variants none,slanc --format csv -q " + rest);
  }
  TemporaryDirectory directory_;
  fs::path trace_ = capture_short_trace(directory_, 1, 4);
};

TEST_F(GateVerbTest, AFailedGateIsExitCodeOne) {
  EXPECT_EQ(replay("--fail-on 'events.invalid>0' --fail-on 'cycles<1'").status, 0);
  const CommandResult failed =
      replay("--fail-on 'cycles<1' --fail-on 'slanc:cycles>=1' --junit " + (directory_ / "gates.xml").string());
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(failed.err, HasSubstr("guardbit: gate slanc:cycles>=1 failed on slanc: cycles = "));
  EXPECT_THAT(failed.err, Not(HasSubstr("cycles<1 failed")));
  EXPECT_THAT(failed.out, HasSubstr("slanc")) << "the report comes all the same";
  EXPECT_THAT(content_of(directory_ / "gates.xml"), HasSubstr("tests=\"3\" failures=\"1\""));
  EXPECT_EQ(replay("--no-values --fail-on 'cycles>0'").status, 1);
}

TEST_F(GateVerbTest, AWrongGateIsRefusedBeforeAnythingRuns) {
  const auto refused = [this](const std::string& options, const char* problem) {
    const CommandResult result = replay(options + " -o " + (directory_ / "out").string());
    EXPECT_EQ(result.status, 2) << options;
    EXPECT_THAT(result.err, HasSubstr(problem));
    EXPECT_FALSE(fs::exists(directory_ / "out"));
  };
  refused("--fail-on 'cycles>'", "--fail-on: 'cycles>': position 8: got the end");
  refused("--fail-on 'cycle>1'", "position 1: unknown name cycle; did you mean cycles?");
  refused("--fail-on 'rrs:cycles>1'", "unknown variant rrs");
  refused("--no-values --fail-on 'perplexity>1'", "perplexity needs values");
  refused("--junit x.xml", "--junit requires --fail-on");
}

TEST(ProductGateTest, ProductsOfASuiteHaveGates) {
  const TemporaryDirectory directory;
  const std::string golden = (directory / "golden").string();
  const auto suite = [&](const std::string& gates) {
    return directory
        .write("suite.toml",
               "schema = \"guardbit-suite/1\"\n[[gemm]]\nname = \"p\"\nm = 4\nn = 4\nk = 64\n"
               "set = [\"accumulator.format=fp16\"]\nfail_on = [" +
                   gates + "]\n")
        .string();
  };
  const auto check = [&](const std::string& file, const std::string& options = "") {
    return run_guardbit("regress check " + file + " -q --golden " + golden + " " + options);
  };
  const std::string passes = suite("\"events.overflow>0\", \"macs!=1024\", \"product: cycles<1\"");
  ASSERT_EQ(run_guardbit("regress record " + passes + " -q -o " + golden).status, 0);
  const CommandResult passed = check(passes);
  EXPECT_EQ(passed.status, 0) << passed.out << passed.err;
  const fs::path xml = directory / "report.xml";
  const CommandResult failed = check(suite("\"events.inner_accumulator.inexact>0\""), "--junit " + xml.string());
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(failed.out, HasSubstr("p: gate events.inner_accumulator.inexact>0 failed on product: "));
  EXPECT_THAT(content_of(xml), HasSubstr("<testsuite name=\"p\" tests=\"3\" failures=\"1\""));
  for (const auto& [gate, problem] : {std::pair("perplexity>1", "unknown name perplexity"),
                                      std::pair("cycles.matrix>1", "unknown name cycles.matrix"),
                                      std::pair("none: cycles>1", "unknown variant none")}) {
    const CommandResult refused = check(suite(std::string("\"") + gate + "\""));
    EXPECT_EQ(refused.status, 78) << gate;
    EXPECT_THAT(refused.err, HasSubstr(problem));
    EXPECT_THAT(refused.err, HasSubstr("suite.toml:2: p: fail_on: "));
  }
}

class CompareTest : public testing::Test {
 protected:
  std::string replay(const std::string& name, const std::string& rest) const {
    const std::string out = (directory_ / name).string();
    const CommandResult result =
        run_guardbit("replay " + trace_.string() + " -a " + shipped_accelerator("edge") + " -q -o " + out + " " + rest);
    EXPECT_EQ(result.status, 0) << result.err;
    return out;
  }
  TemporaryDirectory directory_;
  fs::path trace_ = capture_short_trace(directory_, 1, 5);
};

TEST_F(CompareTest, ShowsWhatDiffersAndNothingElse) {
  const std::string a = replay("a", "--variants none,rrs --threads 1");
  const std::string same = replay("same", "--variants none,rrs --vector-target scalar");
  const CommandResult equal = run_guardbit("compare " + a + " " + same + "/result.json");
  EXPECT_EQ(equal.status, 0) << equal.out;
  EXPECT_EQ(equal.out, "none: equal\n\nrrs: equal\n\nequal\n");

  const std::string b = replay("b", "--variants none,slanc --set attention.accumulator.rounding=rtz");
  const CommandResult different = run_guardbit("compare " + a + " " + b + " --all");
  EXPECT_EQ(different.status, 1);
  EXPECT_THAT(different.out, HasSubstr("accelerator.keys.attention.accumulator.rounding"));
  EXPECT_THAT(different.out, HasSubstr("rrs: only in A\nslanc: only in B\ndifferent\n"));
  const Json json_a = Json::parse(content_of(a + "/result.json"))["variants"][0];
  const Json json_b = Json::parse(content_of(b + "/result.json"))["variants"][0];
  const Json report = Json::parse(run_guardbit("compare " + a + " " + b + " --format json").out);
  EXPECT_EQ(report["equal"], false);
  std::map<std::string, std::pair<std::string, std::string>> differences;
  for (const Json& row : report["variants"][0]["differences"]) differences[row["place"]] = {row["a"], row["b"]};
  std::size_t num_events = 0;
  for (const auto& [event, count] : json_a["events"].items()) {
    const bool differs = count != json_b["events"][event];
    ASSERT_EQ(differences.contains("events." + event), differs) << event;
    num_events += differs ? 1 : 0;
    if (!differs) continue;
    EXPECT_EQ(differences["events." + event].first, count.dump());
    EXPECT_EQ(differences["events." + event].second, json_b["events"][event].dump());
  }
  EXPECT_GT(num_events, 0U);
  for (std::size_t op = 0; op < json_a["ops"].size(); ++op) {
    const std::string place = "ops." + json_a["ops"][op]["name"].get<std::string>() + ".output_sha256";
    EXPECT_EQ(differences.contains(place), json_a["ops"][op]["output_sha256"] != json_b["ops"][op]["output_sha256"]);
  }
  EXPECT_EQ(differences["perplexity"].first, json_a["perplexity"].dump());
  // Rows of ops are in the model's order.
  const std::size_t scores = different.out.find("ops.layers.0.attn.scores.stages");
  const std::size_t softmax = different.out.find("ops.layers.0.attn.softmax.stages");
  ASSERT_NE(softmax, std::string::npos);
  EXPECT_LT(scores, softmax);
  EXPECT_LT(softmax, different.out.find("ops.final_norm.stages"));
}

TEST_F(CompareTest, VariantsBesideDoNotCount) {
  const std::string both = replay("both", "--variants none,rrs --no-values");
  const std::string alone = replay("alone", "--variants rrs --no-values");
  EXPECT_THAT(content_of(both + "/result.json"), HasSubstr("\"against_none\""));
  EXPECT_EQ(run_guardbit("compare " + both + " " + alone).out, "rrs: equal\n\nnone: only in A\ndifferent\n");
  EXPECT_EQ(run_guardbit("compare " + alone + " " + both).out, "rrs: equal\n\nnone: only in B\ndifferent\n");
}

TEST_F(CompareTest, RefusesWhatIsNoResult) {
  const std::string a = replay("a", "--variants none --no-values");
  EXPECT_EQ(run_guardbit("compare " + a + " " + (directory_ / "nowhere").string()).status, 66);
  const fs::path other = directory_.write("other.json", "{\"schema\": \"guardbit-replay/9\", \"variants\": []}");
  const CommandResult result = run_guardbit("compare " + a + " " + other.string());
  EXPECT_EQ(result.status, 65);
  EXPECT_THAT(result.err, HasSubstr("/schema: got \"guardbit-replay/9\"; expected \"guardbit-replay/1\""));
  EXPECT_EQ(run_guardbit("compare " + a + " " + directory_.write("cut.json", "{\"schema\"").string()).status, 65);
  EXPECT_EQ(run_guardbit("compare " + a).status, 2);
}

}  // namespace
}  // namespace guardbit::tests
