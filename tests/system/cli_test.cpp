// The command line as a user meets it: results that do not depend on threads or vector targets, files that appear
// whole or not at all, and one clear error with the documented exit code for whatever is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/golden_file.h"
#include "tests/support/run_guardbit.h"
#include "tests/support/short_trace.h"

namespace guardbit::tests {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;

std::string replay_command(const std::filesystem::path& trace, const std::string& accelerator,
                           const std::string& rest) {
  return "replay " + trace.string() + " --accelerator " + shipped_accelerator(accelerator) + " " + rest;
}

/// A JSON result without the part that names the build and the host.
std::string without_provenance(const CommandResult& result) {
  EXPECT_EQ(result.status, 0) << result.err;
  Json json = Json::parse(result.out);
  json.erase("provenance");
  return json.dump(1) + "\n";
}

std::string result_json(const std::string& command) {
  return without_provenance(run_guardbit(command + " --format json"));
}

/// Sizes of scratchpad that give blocks of different shapes, and what must not depend on them.
std::string outputs_and_events(const std::string& command) {
  std::string text;
  const Json result = Json::parse(result_json(command));
  for (const Json& op : result["variants"][0]["ops"]) {
    text +=
        op["name"].get<std::string>() + " " + op["output_sha256"].get<std::string>() + " " + op["stages"].dump() + "\n";
    for (const char* report : {"exponent_histogram", "quantizers", "norm", "outliers", "group_scales"}) {
      if (op.contains(report)) text += op[report].dump() + "\n";
    }
  }
  EXPECT_FALSE(text.empty());
  return text;
}

class ReplayCliTest : public testing::Test {
 protected:
  TemporaryDirectory directory_;
};

TEST_F(ReplayCliTest, EveryThreadCountAndVectorTargetGivesTheSameResult) {
  const std::filesystem::path trace = capture_small_model(directory_, 40);
  int num_targets = 0;
  for (const char* accelerator : {"edge", "fp8", "fp16", "hopper"}) {
    const std::string command = replay_command(trace, accelerator, "--variants none,slanc+rrs");
    const std::string expected = result_json(command + " --threads 1");
    EXPECT_EQ(result_json(command + " --threads 2"), expected) << accelerator;
    EXPECT_EQ(result_json(command + " --threads 7"), expected) << accelerator;
    for (const char* target : {"scalar", "sse4", "avx2", "avx512"}) {
      const CommandResult result = run_guardbit(command + " --format json --vector-target " + target);
      if (result.status == 2) continue;  // this CPU does not have it
      EXPECT_EQ(without_provenance(result), expected) << accelerator << " " << target;
      ++num_targets;
    }
  }
  EXPECT_GE(num_targets, 3) << "every CPU has the scalar target";
}

TEST_F(ReplayCliTest, ShortReplayMatchesGolden) {
  const std::filesystem::path trace = capture_short_trace(directory_, 2, 10);
  for (const char* accelerator : {"edge", "fp8", "fp16", "hopper"}) {
    expect_golden(std::string("tests/golden/replay_") + accelerator + ".json",
                  result_json(replay_command(trace, accelerator, "--residual-gain 16")));
  }
}

TEST_F(ReplayCliTest, StochasticRoundingDependsOnTheSeedOnly) {
  const std::filesystem::path trace = capture_small_model(directory_, 40);
  const std::string command = replay_command(trace, "edge",
                                             "--variants none --set accumulator.buffer.rounding=stochastic "
                                             "--set attention.accumulator.rounding=stochastic ");
  const std::string expected = result_json(command + "--seed 7 --threads 1");
  EXPECT_EQ(result_json(command + "--seed 7 --threads 2 --vector-target scalar"), expected);
  EXPECT_NE(result_json(command + "--seed 8 --threads 1"), expected);
}

TEST_F(ReplayCliTest, BlockSizesChangeCyclesOnly) {
  const std::filesystem::path trace = capture_small_model(directory_, 40);
  for (const std::string& arithmetic :
       {std::string("--variants rrs"), std::string("--variants none --residual-gain 30000"),
        std::string(
            "--variants none --set attention.accumulator.format=e4m5 --set attention.accumulator.rounding=rdn")}) {
    const std::string command = replay_command(trace, "edge", arithmetic);
    const std::string expected = outputs_and_events(command);
    EXPECT_EQ(outputs_and_events(command + " --set scratchpad.bytes=9216"), expected) << arithmetic;
    EXPECT_EQ(outputs_and_events(command + " --set scratchpad.bytes=9216 --set array.rows=8"), expected) << arithmetic;
  }
}

TEST_F(ReplayCliTest, NarrowRotationFormatsGiveTheSameResultOnEveryTarget) {
  const std::filesystem::path trace = capture_small_model(directory_, 12);
  for (const char* format : {"fp8_e4m3", "fp8_e5m2", "tf32", "fp16"}) {
    const std::string command = replay_command(trace, "fp16",
                                               std::string("--variants rotate --set storage.activation=fp32 "
                                                           "--set rotate.format=") +
                                                   format);
    EXPECT_EQ(result_json(command), result_json(command + " --vector-target scalar")) << format;
  }
}

TEST_F(ReplayCliTest, OutputDirectoryHoldsEveryReport) {
  const std::filesystem::path trace = capture_short_trace(directory_, 1, 4);
  const std::filesystem::path output = directory_ / "new/deep/result";
  const std::string command = replay_command(trace, "edge", "--variants none -o " + output.string());
  ASSERT_EQ(run_guardbit(command).status, 0);
  for (const char* name : {"result.json", "result.jsonl", "result.csv", "result.txt"}) {
    EXPECT_TRUE(std::filesystem::exists(output / name)) << name;
  }
  EXPECT_EQ(run_guardbit(command).status, 0) << "a previous result is replaced";
  std::filesystem::create_directories(directory_ / "mine");
  directory_.write("mine/notes.txt", "not a result");
  const CommandResult refused =
      run_guardbit(replay_command(trace, "edge", "--variants none -o " + (directory_ / "mine").string()));
  EXPECT_EQ(refused.status, 73);
  EXPECT_THAT(refused.err, HasSubstr("notes.txt"));
}

TEST_F(ReplayCliTest, InterruptLeavesNothingBehind) {
  const std::filesystem::path out = directory_ / "out";
  std::filesystem::create_directories(out);
  const std::string command =
      std::string("exec timeout --foreground --preserve-status --signal=INT 0.4 ") + GUARDBIT_BINARY + " " +
      replay_command(included_trace(), "edge", "-o " + (out / "result").string()) + " >/dev/null 2>&1";
  const int status = std::system(command.c_str());
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  EXPECT_EQ(code, 128 + SIGINT);
  EXPECT_TRUE(std::filesystem::is_empty(out));
}

TEST_F(ReplayCliTest, StandardOutputThatCannotBeWrittenIsAnError) {
  const std::filesystem::path trace = capture_short_trace(directory_, 1, 2);
  for (const std::string& sink :
       {std::string("--format json >/dev/full"), std::string(">/dev/full"), std::string(">&-")}) {
    const CommandResult result = run_guardbit(replay_command(trace, "edge", "--variants none " + sink));
    EXPECT_EQ(result.status, 74) << sink;
    EXPECT_THAT(result.err, HasSubstr("standard output"));
  }
  EXPECT_EQ(run_guardbit("--help >/dev/full").status, 74);
}

TEST(ErrorCliTest, UnwritableStandardErrorKeepsTheStatus) {
  EXPECT_EQ(
      std::system((std::string("exec ") + GUARDBIT_BINARY + " config check /nowhere.toml 2>/dev/full").c_str()) >> 8,
      66);
}

TEST(ErrorCliTest, EveryProblemHasALineOfItsOwn) {
  const TemporaryDirectory directory;
  const auto file = directory.write("bad.toml", "[array]\nrows = 0\ncolls = 3\n");
  const CommandResult result = run_guardbit("config check " + file.string());
  EXPECT_EQ(result.status, 78);
  EXPECT_THAT(result.err, HasSubstr("bad.toml:2: array.rows: got 0"));
  EXPECT_THAT(result.err, HasSubstr("\n" + directory.path().string() + "/bad.toml:3: array.colls"));
}

TEST(ErrorCliTest, DeepKeysAreRefusedBeforeTheyAreParsed) {
  const TemporaryDirectory directory;
  std::string key = "a";
  for (int i = 0; i < 30000; ++i) key += ".a";
  const CommandResult result = run_guardbit("config check " + directory.write("deep.toml", key + " = 1\n").string());
  EXPECT_EQ(result.status, 78) << result.err;
  EXPECT_THAT(result.err, HasSubstr("deep.toml:1: got a line with more than 64"));
}

TEST_F(ReplayCliTest, AlteredTokensAreRefused) {
  const std::filesystem::path trace = capture_small_model(directory_, 12);
  std::ifstream stream(trace / "trace.json");
  Json json = Json::parse(stream);
  json["windows"][0]["tokens"][12] = 1;
  directory_.write("trace/trace.json", json.dump());
  const CommandResult result = run_guardbit(replay_command(trace, "edge", ""));
  EXPECT_EQ(result.status, 65);
  EXPECT_THAT(result.err, HasSubstr("/windows/0/reference_nll"));
}

struct BadCommand {
  const char* name;
  std::string arguments;
  int status;
  const char* message;
};
void PrintTo(const BadCommand& command, std::ostream* out) { *out << command.name; }

class BadCommandTest : public testing::TestWithParam<BadCommand> {};

TEST_P(BadCommandTest, GivesOneClearErrorAndTheDocumentedStatus) {
  const CommandResult result = run_guardbit(GetParam().arguments);
  EXPECT_EQ(result.status, GetParam().status) << result.err;
  EXPECT_THAT(result.err, HasSubstr(GetParam().message));
  EXPECT_EQ(result.out, "");
}

INSTANTIATE_TEST_SUITE_P(
    All, BadCommandTest,
    testing::Values(
        BadCommand{"NoVerb", "", 2, "subcommand"}, BadCommand{"UnknownVerb", "reply", 2, "reply"},
        BadCommand{"NoAccelerator", "replay " + included_trace(), 2, "--accelerator is required"},
        BadCommand{"MissingTrace", replay_command("/nowhere", "edge", ""), 66, "/nowhere"},
        BadCommand{"MissingAccelerator", "replay " + included_trace() + " -a /nowhere.toml", 66, "/nowhere.toml"},
        BadCommand{"UnknownVariant", replay_command(included_trace(), "edge", "--variants slnc"), 2, "slanc"},
        BadCommand{"UnknownKey", replay_command(included_trace(), "edge", "--set norm.lane=8"), 78, "norm.lane"},
        BadCommand{"KeyOutOfRange", replay_command(included_trace(), "edge", "--set array.rows=0"), 78, "array.rows"},
        BadCommand{"ImpossibleCombination", replay_command(included_trace(), "edge", "--set accumulator.format=fp16"),
                   78, "accumulator.format"},
        BadCommand{"TinyScratchpad", replay_command(included_trace(), "edge", "--set scratchpad.bytes=1024"), 78,
                   "needs at least"},
        BadCommand{"UnknownFormat", replay_command(included_trace(), "edge", "--format xml"), 2, "xml"},
        BadCommand{"GainOutOfRange", replay_command(included_trace(), "edge", "--residual-gain 0"), 2, "residual-gain"},
        BadCommand{"GainIsNotANumber", replay_command(included_trace(), "edge", "--residual-gain nan"), 2,
                   "residual-gain"},
        BadCommand{"NegativeWindows", replay_command(included_trace(), "edge", "--windows -1"), 2, "windows"},
        BadCommand{"EmptyOutput", replay_command(included_trace(), "edge", "-o ''"), 2, "expected a path"},
        BadCommand{"TooManyChannels", replay_command(included_trace(), "edge", "--channel-gain 8 --channels 257"), 2,
                   "channels"},
        BadCommand{"CaptureMissingModel", "capture /nowhere --tokens /nowhere.json -o /tmp/guardbit-never", 66,
                   "/nowhere"}),
    [](const auto& row) { return row.param.name; });

TEST(ListCliTest, PrintsFormatsMethodsFamiliesAndReports) {
  EXPECT_THAT(run_guardbit("list formats").out, HasSubstr("fp8_e4m3"));
  EXPECT_THAT(run_guardbit("list methods").out, HasSubstr("slanc_residual"));
  EXPECT_THAT(run_guardbit("list families").out, HasSubstr("llama"));
  EXPECT_THAT(run_guardbit("list reports").out, HasSubstr("jsonl"));
}

TEST(ConfigCliTest, ShowGivesAFileThatLoadsTheSame) {
  const TemporaryDirectory directory;
  const CommandResult shown = run_guardbit("config show " + shipped_accelerator("fp8") + " --set array.rows=16");
  ASSERT_EQ(shown.status, 0) << shown.err;
  const std::filesystem::path copy = directory.write("copy.toml", shown.out);
  EXPECT_EQ(run_guardbit("config check " + copy.string()).status, 0);
  EXPECT_THAT(run_guardbit("config show " + copy.string()).out, HasSubstr("rows = 16"));
  EXPECT_EQ(run_guardbit("config schema").status, 0);
}

}  // namespace
}  // namespace guardbit::tests
