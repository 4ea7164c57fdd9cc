// Where a replay's methods get their calibration text from, what is refused, and what the provenance says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "sim/base/sha256.h"
#include "sim/trace/trace_bundle.h"
#include "tests/support/run_guardbit.h"
#include "tests/support/small_trace.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using tests::CommandResult;
using tests::run_guardbit;

const std::string kInteger = " -q --threads 1 -a " + tests::shipped_accelerator("edge") + " ";

/// The tiny model's bundle without calibration windows, and token windows of another text beside it.
struct Bundle {
  tests::TemporaryDirectory directory;
  fs::path trace = tests::make_small_trace(directory);
  fs::path tokens = directory.write("other.json", R"({"windows": [[3, 1, 4, 1, 0], [2, 2]]})");

  CommandResult replay(const std::string& options) const {
    return run_guardbit("replay " + trace.string() + kInteger + options);
  }
};

TEST(CalibrationTextTest, MethodsThatNeedATextAndGetNoneSayWhichOption) {
  const Bundle bundle;
  for (const std::string variant : {"gptq", "awq", "smoothquant"}) {
    const CommandResult result = bundle.replay("--variants none," + variant);
    EXPECT_EQ(result.status, 2) << variant;
    EXPECT_THAT(result.err, HasSubstr("--calibration: got none, and " + (bundle.trace / "trace.json").string() +
                                      " holds no calibration windows; expected "));
  }
}

TEST(CalibrationTextTest, ProvenanceNamesBothTexts) {
  const Bundle bundle;
  const CommandResult result =
      bundle.replay("--variants gptq,none --format json --calibration " + bundle.tokens.string());
  ASSERT_EQ(result.status, 0) << result.err;
  const auto provenance = nlohmann::json::parse(result.out).at("provenance");
  EXPECT_EQ(provenance.at("calibration"), "other.json");
  EXPECT_EQ(provenance.at("calibration_sha256"), sha256_of_file(bundle.tokens));
  EXPECT_EQ(provenance.at("calibration_windows"), "2");
  EXPECT_EQ(provenance.at("calibration_tokens"), "5");  // inputs: 4 and 1
  EXPECT_EQ(provenance.at("trace_origin"), "captured by guardbit from small; tokens.json");
  EXPECT_FALSE(provenance.contains("calibration_origin")) << "the file's name says it";
  const CommandResult without = bundle.replay("--variants none --format json");
  ASSERT_EQ(without.status, 0) << without.err;
  EXPECT_FALSE(nlohmann::json::parse(without.out).at("provenance").contains("calibration"));
}

TEST(CalibrationTextTest, TheFirstWindowsAloneIfAskedFor) {
  const Bundle bundle;
  const std::string gptq = "--variants gptq --format json --calibration ";
  const auto first = bundle.directory.write("first.json", R"({"windows": [[3, 1, 4, 1, 0]]})");
  const auto run = [&](const std::string& options) {
    CommandResult result = bundle.replay(gptq + options);
    EXPECT_EQ(result.status, 0) << result.err;
    return std::pair(nlohmann::json::parse(result.out), result.err);
  };
  const auto [alone, alone_said] = run(first.string());
  const auto [limited, limited_said] = run(bundle.tokens.string() + " --calibration-windows 1");
  const auto [whole, whole_said] = run(bundle.tokens.string() + " --calibration-windows 3");
  const auto digest = [](const nlohmann::json& result) { return result.at("variants")[0].at("digest"); };
  EXPECT_EQ(limited.at("provenance").at("calibration_windows"), "1");
  EXPECT_EQ(limited.at("provenance").at("calibration_tokens"), "4");
  EXPECT_EQ(digest(limited), digest(alone));
  EXPECT_NE(digest(limited), digest(whole));
  EXPECT_EQ(digest(run(bundle.tokens.string() + " --calibration-windows 0").first), digest(whole));
  EXPECT_EQ(limited_said, "");
  EXPECT_EQ(whole_said, "guardbit: warning: --calibration-windows: got 3; other.json has 2, all of which are used\n");
  EXPECT_EQ(whole.at("provenance").at("calibration_windows"), "2");
  const CommandResult unused = bundle.replay("--variants rrs --calibration-windows 1");
  EXPECT_EQ(unused.status, 0);
  EXPECT_THAT(unused.err, HasSubstr("--calibration-windows: got 1; no variant looks at a calibration text"));
  EXPECT_EQ(bundle.replay("--variants gptq --no-values --calibration-windows 1").status, 2);
}

TEST(CalibrationTextTest, ABundleHoldsItsOwn) {
  const Bundle bundle;
  const fs::path out = bundle.directory / "with";
  const std::string model = (bundle.directory / "small.bin").string();
  const CommandResult captured =
      run_guardbit("capture " + model + " --tokens " + (bundle.directory / "tokens.json").string() +
                   " --calibration-tokens " + bundle.tokens.string() + " -q -o " + out.string());
  ASSERT_EQ(captured.status, 0) << captured.err;
  const Trace trace = load_trace(out);
  ASSERT_TRUE(trace.calibration.has_value());
  EXPECT_EQ(trace.calibration_sha256, sha256_of_file(*trace.calibration));
  const CommandResult own = run_guardbit("replay " + out.string() + kInteger + "--variants gptq --format json");
  ASSERT_EQ(own.status, 0) << own.err;
  const auto result = nlohmann::json::parse(own.out);
  EXPECT_EQ(result.at("provenance").at("calibration"), trace.name + "/calibration.json");
  EXPECT_EQ(result.at("provenance").at("trace_origin"),
            "captured by guardbit from small; tokens.json; calibration: other.json");
  const CommandResult given = bundle.replay("--variants gptq --format json --calibration " + bundle.tokens.string());
  EXPECT_EQ(nlohmann::json::parse(given.out).at("variants")[0].at("digest"), result.at("variants")[0].at("digest"));

  std::string altered = tests::content_of(*trace.calibration);
  altered[altered.find('4')] = '0';
  bundle.directory.write("with/calibration.json", altered);
  const CommandResult refused = run_guardbit("replay " + out.string() + kInteger + "--variants none");
  EXPECT_EQ(refused.status, 65);
  EXPECT_THAT(refused.err, HasSubstr("calibration.json: got SHA-256 "));
}

TEST(CalibrationTextTest, PointsOfASweepShareNoModelOfAnotherNumberOfWindows) {
  const Bundle bundle;
  const std::string at = bundle.directory.path().string();
  ASSERT_EQ(run_guardbit("capture " + at + "/small.bin --tokens " + at + "/tokens.json --calibration-tokens " +
                         bundle.tokens.string() + " -q -o " + at + "/with")
                .status,
            0);
  bundle.directory.write(
      "sweep.toml", "schema = \"guardbit-sweep/1\"\ntrace = \"with\"\nvariant = \"gptq\"\naccelerator = \"" +
                        tests::shipped_accelerator("edge") + "\"\n[axes]\nreplay.calibration_windows = [0, 1, 2]\n");
  ASSERT_EQ(run_guardbit("sweep plan " + at + "/sweep.toml -o " + at + "/store").status, 0);
  ASSERT_EQ(run_guardbit("sweep run " + at + "/store -q --jobs 1").status, 0);
  ASSERT_EQ(run_guardbit("sweep gather " + at + "/store -o " + at + "/db -q").status, 0);
  const CommandResult points =
      run_guardbit("query " + at + "/db \"SELECT replay_calibration_windows AS n, digest FROM points\" --format json");
  ASSERT_EQ(points.status, 0) << points.err;
  for (const auto& point : nlohmann::json::parse(points.out)) {
    const CommandResult alone = run_guardbit("replay " + at + "/with" + kInteger + "--variants gptq --format json " +
                                             "--calibration-windows " + std::to_string(point.at("n").get<int>()));
    ASSERT_EQ(alone.status, 0) << alone.err;
    EXPECT_EQ(nlohmann::json::parse(alone.out).at("variants")[0].at("digest"), point.at("digest")) << point;
  }
}

TEST(CalibrationTextTest, AnotherTracesWindowsAreOfTheSameModel) {
  const Bundle bundle;
  const std::string model = (bundle.directory / "small.bin").string();
  const fs::path other = bundle.directory / "other";
  ASSERT_EQ(
      run_guardbit("capture " + model + " --tokens " + bundle.tokens.string() + " -q -o " + other.string()).status, 0);
  const CommandResult result = bundle.replay("--variants smoothquant --format json --calibration " + other.string());
  ASSERT_EQ(result.status, 0) << result.err;
  const auto provenance = nlohmann::json::parse(result.out).at("provenance");
  EXPECT_EQ(provenance.at("calibration_sha256"), sha256_of_file(other / "trace.json"));
  EXPECT_EQ(provenance.at("calibration_origin"), "captured by guardbit from small; other.json");

  const CommandResult mismatch = bundle.replay("--variants gptq --calibration " + tests::included_trace());
  EXPECT_EQ(mismatch.status, 2);
  EXPECT_THAT(mismatch.err, HasSubstr("a trace of another model"));
}

TEST(CalibrationTextTest, TheTextIsNotTheEvaluations) {
  const Bundle bundle;
  const CommandResult itself = bundle.replay("--variants gptq --calibration " + bundle.trace.string());
  EXPECT_EQ(itself.status, 65);
  EXPECT_THAT(itself.err, HasSubstr("calibration window 0 is evaluation window 0; expected another text"));
  const auto tokens = bundle.directory.write("mixed.json", R"({"windows": [[1, 1], [4, 0]]})");
  const CommandResult captured = run_guardbit("capture " + (bundle.directory / "small.bin").string() + " --tokens " +
                                              (bundle.directory / "tokens.json").string() + " --calibration-tokens " +
                                              tokens.string() + " -q -o " + (bundle.directory / "refused").string());
  EXPECT_EQ(captured.status, 65);
  EXPECT_THAT(captured.err, HasSubstr("calibration window 1 is evaluation window 1"));
  EXPECT_FALSE(fs::exists(bundle.directory / "refused"));
}

TEST(CalibrationTextTest, TimeAloneNeedsNone) {
  const Bundle bundle;
  EXPECT_EQ(bundle.replay("--no-values --variants gptq,awq,smoothquant").status, 0);
  EXPECT_EQ(bundle.replay("--no-values --variants gptq --calibration " + bundle.tokens.string()).status, 2);
}

}  // namespace
}  // namespace guardbit::sim
