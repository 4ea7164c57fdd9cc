// `guardbit regress` as a user meets it: the committed goldens hold, another rounding
// is found down to the element's bits, and whatever is wrong is one clear refusal that leaves files as they were.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "models/numerics/codec.h"
#include "tests/support/run_guardbit.h"
#include "tests/support/short_trace.h"

namespace guardbit::tests {
namespace {

using testing::HasSubstr;
using testing::Not;
using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

const std::string kSuites = std::string(GUARDBIT_SOURCE_DIR) + "/configs/regress";

/// A suite of one product whose rows are all kept.
std::string gemm_suite(const std::string& rounding) {
  return "schema = \"guardbit-suite/1\"\n[[gemm]]\nname = \"product\"\nm = 5\nn = 7\nk = 64\nseed = 3\n"
         "set = [\"array.activation=fp8_e4m3\", \"array.weight=fp8_e4m3\", \"accumulator.format=fp16\", "
         "\"accumulator.rounding=" +
         rounding + "\"]\n";
}

/// Element (row, col) of the C that `guardbit gemm` writes for the same product.
float element_of_gemm(const TemporaryDirectory& directory, const std::string& rounding, std::size_t row,
                      std::size_t col) {
  const fs::path file = directory / ("c-" + rounding + ".npy");
  EXPECT_EQ(run_guardbit("gemm 5 7 64 --seed 3 --set array.activation=fp8_e4m3 --set array.weight=fp8_e4m3 "
                         "--set accumulator.format=fp16 --set accumulator.rounding=" +
                         rounding + " -o " + file.string())
                .status,
            0);
  const std::string bytes = content_of(file);
  float value = 0;
  std::memcpy(&value, bytes.data() + bytes.size() - (5 * 7 - (row * 7 + col)) * sizeof(float), sizeof value);
  return value;
}

class RegressTest : public testing::Test {
 protected:
  std::string golden() const { return (directory_ / "golden").string(); }
  CommandResult record(const fs::path& suite) const {
    return run_guardbit("regress record " + suite.string() + " -o " + golden());
  }
  CommandResult check(const fs::path& suite, const std::string& rest = "") const {
    return run_guardbit("regress check " + suite.string() + " --golden " + golden() + " " + rest);
  }
  TemporaryDirectory directory_;
};

TEST_F(RegressTest, CommittedGoldensHold) {
  const CommandResult result =
      run_guardbit("regress check " + kSuites + "/kjv.toml --golden " + kSuites + "/golden --format json");
  ASSERT_EQ(result.status, 0) << result.out << result.err
                              << "\nif the change is meant: guardbit regress record configs/regress/kjv.toml -o "
                                 "configs/regress/golden";
  const Json report = Json::parse(result.out);
  EXPECT_EQ(report["passed"], true);
  EXPECT_EQ(report["cases"].size(), 8U);
  EXPECT_GE(report["cases"][0]["gates"].size(), 3U);
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(kSuites + "/golden")) bytes += entry.file_size();
  EXPECT_LT(bytes, 300U * 1024);
}

/// A command line in which ties go away from zero instead of to even (tests/regress.cmake) computes otherwise, and is
/// found out.
TEST_F(RegressTest, AFlippedRoundingRuleIsCaught) {
  const fs::path report = directory_ / "report.json";
  const std::string command = std::string(GUARDBIT_FLIPPED) + " regress check " + kSuites + "/kjv.toml --golden " +
                              kSuites + "/golden --case edge --format json > " + report.string();
  const int status = std::system(command.c_str());
  ASSERT_EQ(WEXITSTATUS(status), 1);
  const Json edge = Json::parse(content_of(report))["cases"][0];
  EXPECT_TRUE(edge["inputs"].empty()) << "the rule alone is another one";
  for (const Json& variant : edge["variants"]) {
    EXPECT_EQ(variant["equal"], false);
    ASSERT_TRUE(variant["first"].contains("golden")) << variant.dump(1);
    EXPECT_NE(variant["first"]["golden"], variant["first"]["now"]);
    EXPECT_TRUE(variant["cycles"].empty());
  }
}

/// The first element at which two roundings differ, with the bits that `guardbit gemm` gives under each.
TEST_F(RegressTest, AnotherRoundingIsFoundDownToTheBits) {
  const fs::path suite = directory_.write("suite.toml", gemm_suite("rne"));
  ASSERT_EQ(record(suite).status, 0);
  EXPECT_EQ(check(suite).status, 0);
  directory_.write("suite.toml", gemm_suite("rtz"));
  const CommandResult result = check(suite, "--format json");
  ASSERT_EQ(result.status, 1) << result.err;
  const Json report = Json::parse(result.out)["cases"][0];
  EXPECT_EQ(report["inputs"][0], "accelerator.accumulator.rounding: golden the default, now rtz");
  const Json first = report["variants"][0]["first"];
  EXPECT_EQ(first["op"], "product");
  const std::size_t row = first["row"];
  const std::size_t col = first["column"];
  for (std::size_t i = 0; i <= row * 7 + col; ++i) {
    const float rne = element_of_gemm(directory_, "rne", i / 7, i % 7);
    const float rtz = element_of_gemm(directory_, "rtz", i / 7, i % 7);
    EXPECT_EQ(rne != rtz, i == row * 7 + col) << "the first element that differs is named: " << i;
    if (rne == rtz) continue;
    const auto bits = [](float value) {
      return fmt::format("0x{:04x} (fp16) = {}", numerics::from_carrier(value, numerics::kFp16), value);
    };
    EXPECT_EQ(first["golden"], bits(rne));
    EXPECT_EQ(first["now"], bits(rtz));
  }
  const CommandResult text = check(suite);
  EXPECT_THAT(text.out, HasSubstr("first diverging op: product (gemm); 1 of 1 ops differ"));
  EXPECT_THAT(text.out, HasSubstr("golden " + first["golden"].get<std::string>()));
  EXPECT_THAT(text.out, HasSubstr("product inner_accumulator.inexact"));
}

/// In a replay: the first op in op order, its counts before and after those of two plain replays.
TEST_F(RegressTest, ReplayNamesTheFirstOpAndItsCounts) {
  const fs::path trace = capture_short_trace(directory_, 2, 6);
  const auto suite_text = [&](const std::string& set) {
    return "schema = \"guardbit-suite/1\"\n[[replay]]\nname = \"edge\"\ntraces = [\"trace\"]\naccelerators = [\"" +
           shipped_accelerator("edge") + "\"]\nvariants = [\"none\", \"rrs\"]\nset = [" + set + "]\n";
  };
  const fs::path suite = directory_.write("suite.toml", suite_text(""));
  ASSERT_EQ(record(suite).status, 0);
  directory_.write("suite.toml", suite_text("\"attention.accumulator.rounding=rtz\""));
  const CommandResult result = check(suite, "--format json --threads 1");
  ASSERT_EQ(result.status, 1) << result.err;
  const Json variant = Json::parse(result.out)["cases"][0]["variants"][0];
  EXPECT_EQ(variant["variant"], "none");

  const std::string replay = "replay " + trace.string() + " -a " + shipped_accelerator("edge") +
                             " --variants none --format json --set attention.accumulator.rounding=";
  const Json before = Json::parse(run_guardbit(replay + "rne").out)["variants"][0];
  const Json after = Json::parse(run_guardbit(replay + "rtz").out)["variants"][0];
  EXPECT_EQ(variant["digest"]["golden"], before["digest"]);
  EXPECT_EQ(variant["digest"]["now"], after["digest"]);
  std::size_t op = 0;
  std::size_t differing = 0;
  for (std::size_t i = before["ops"].size(); i-- > 0;) {
    if (before["ops"][i]["output_sha256"] == after["ops"][i]["output_sha256"]) continue;
    op = i;
    ++differing;
  }
  EXPECT_EQ(variant["first"]["op"], before["ops"][op]["name"]);
  EXPECT_EQ(variant["first"]["op"], "layers.0.attn.scores");
  EXPECT_EQ(variant["differing_ops"], differing);
  ASSERT_TRUE(variant["first"].contains("golden")) << "all rows of so short a trace are kept";
  for (const Json& count : variant["events"]) {
    const std::string place = count["place"];
    const std::size_t blank = place.find(' ');
    const std::size_t dot = place.find('.', blank);
    const auto count_in = [&](const Json& ops) -> std::uint64_t {
      for (const Json& one : ops) {
        if (one["name"] != place.substr(0, blank)) continue;
        const std::string stage = place.substr(blank + 1, dot - blank - 1);
        return one["stages"].value(stage, Json::object()).value(place.substr(dot + 1), 0U);
      }
      return 0;
    };
    EXPECT_EQ(count["golden"], count_in(before["ops"])) << place;
    EXPECT_EQ(count["now"], count_in(after["ops"])) << place;
  }
  EXPECT_FALSE(variant["events"].empty());
  EXPECT_TRUE(variant["cycles"].empty());

  const fs::path slow = directory_.write("slow.toml", suite_text("\"dram.latency_cycles=200\""));
  const CommandResult slower = check(slow);
  EXPECT_EQ(slower.status, 1);
  EXPECT_THAT(slower.out, HasSubstr("load.busy"));
  EXPECT_THAT(slower.out, Not(HasSubstr("first diverging op"))) << "cycles alone";
}

TEST_F(RegressTest, DamagedGoldensAreNamed) {
  const fs::path suite = directory_.write("suite.toml", gemm_suite("rne"));
  const CommandResult missing = check(suite);
  EXPECT_EQ(missing.status, 66);
  EXPECT_THAT(missing.err, HasSubstr("product.golden.json"));
  ASSERT_EQ(record(suite).status, 0);
  const std::string text = content_of(directory_ / "golden/product.golden.json");
  const auto refused = [&](const std::string& content) {
    directory_.write("golden/product.golden.json", content);
    const CommandResult result = check(suite);
    EXPECT_EQ(result.status, 65) << result.out;
    EXPECT_THAT(result.err, HasSubstr("product.golden.json: "));
    return result.err;
  };
  std::string edited = text;
  edited.replace(edited.find("\"folds\":"), 9, "\"folds\":9");
  EXPECT_THAT(refused(edited), HasSubstr("edited or damaged"));
  EXPECT_THAT(refused(text.substr(0, text.size() - 40)), HasSubstr("ends before its last line"));
  EXPECT_THAT(refused(""), HasSubstr("no golden of guardbit regress"));
  std::string newer = text;
  newer.replace(newer.find("golden/1"), 8, "golden/9");
  EXPECT_THAT(refused(newer), HasSubstr("got \"guardbit-golden/9\""));
}

TEST_F(RegressTest, ASuiteHasAllItsProblemsInOneMessage) {
  const fs::path suite = directory_.write("suite.toml",
                                          "schema = \"guardbit-suite/1\"\n"
                                          "golde = 1\n"
                                          "[golden]\n"
                                          "rows_per_digest = 0\n"
                                          "[[replay]]\n"
                                          "name = \"a/b\"\n"
                                          "traces = []\n"
                                          "accelerators = \"edge.toml\"\n"
                                          "variants = [\"none\", 3]\n"
                                          "window = 1\n"
                                          "fail_on = [\"perplexity>>1\"]\n"
                                          "[[gemm]]\n"
                                          "name = \"g\"\n"
                                          "m = 0\n"
                                          "n = 1.5\n"
                                          "a = \"normal:x\"\n"
                                          "[[gemm]]\n"
                                          "name = \"g\"\n"
                                          "m = 1\nn = 1\nk = 1\n");
  const CommandResult result = check(suite);
  EXPECT_EQ(result.status, 78);
  for (const char* problem :
       {":2: golde: unknown key; did you mean golden?", ":4: golden.rows_per_digest: got 0; expected an integer 1..",
        ":6: replay[0].name: got a/b; it has a path separator", ":7: replay[0].traces: got none",
        ":8: replay[0].accelerators: got \"edge.toml\"; expected an array of strings",
        ":9: replay[0].variants: got 3; expected a string", ":10: replay[0].window: unknown key; did you mean windows?",
        ":11: replay[0].fail_on: 'perplexity>>1': position 12", ":14: gemm[0].m: got 0; expected an integer 1..",
        ":15: gemm[0].n: got 1.5; expected an integer", "gemm[0]: got no k; expected one", "gemm[0]: a: got 'x'",
        ":17: gemm[1]: got a second case g; the first is at "}) {
    EXPECT_THAT(result.err, HasSubstr(problem));
  }
  EXPECT_FALSE(fs::exists(golden()));
  const auto refused = [&](const std::string& text, int status, const char* problem) {
    const CommandResult refusal = record(directory_.write("bad.toml", text));
    EXPECT_EQ(refusal.status, status);
    EXPECT_THAT(refusal.err, HasSubstr(problem));
    EXPECT_FALSE(fs::exists(golden())) << "nothing is made before the suite is known to be good";
  };
  refused("schema = \"guardbit-suite/2\"\n[[gemm]]\n", 78, "got \"guardbit-suite/2\"; expected \"guardbit-suite/1\"");
  refused("schema = \"guardbit-suite/1\"\n", 78, "got no case");
  refused("schema = ", 78, "bad.toml:1:");
  const std::string replay = "schema = \"guardbit-suite/1\"\n[[replay]]\nname = \"r\"\naccelerators = [\"" +
                             shipped_accelerator("edge") + "\"]\n";
  refused(replay + "traces = [\"nowhere\"]\nvariants = [\"none\", \"rs\", \"none\"]\n", 78,
          ":6: replay[0].variants: got none twice");
  refused(replay + "traces = [\"nowhere\"]\nvariants = [\"rrs+a4+w4\", \"rrs+w4a4\"]\n", 78,
          ":6: replay[0].variants: got rrs+w4a4 twice");
  refused(replay + "traces = [\"" + included_trace() + "\"]\nvariants = [\"w16\"]\n", 78, "variant \"w16\": w16 with");
  refused(replay + "traces = [\"nowhere\"]\nvariants = [\"none\"]\n", 66, "bad.toml:2: r: ");
  refused(replay + "traces = [\"" + included_trace() + "\"]\nvariants = [\"slang\"]\n", 78, "variants: ");
  refused(replay + "traces = [\"" + included_trace() +
              "\"]\nvariants = [\"none\"]\nfail_on = [\"events.nrm.overflow>0\"]\n",
          78, "position 1: unknown name events.nrm.overflow; did you mean events.norm.overflow?");
  refused(replay + "traces = [\"" + included_trace() + "\"]\nvariants = [\"none\"]\nset = [\"norm.lane=3\"]\n", 78,
          "did you mean norm.lanes?");
}

TEST_F(RegressTest, GatesOfASuiteFailItAndJunitSaysSo) {
  capture_short_trace(directory_, 1, 4);
  const fs::path suite = directory_.write(
      "suite.toml",
      "schema = \"guardbit-suite/1\"\n[[replay]]\nname = \"edge\"\ntraces = [\"trace\"]\naccelerators = [\"" +
          shipped_accelerator("edge") +
          "\"]\nvariants = [\"none\", \"rrs\"]\nfail_on = [\"rrs: cycles<1e9\", \"cycles<1\"]\n");
  ASSERT_EQ(record(suite).status, 0);
  const fs::path xml = directory_ / "report.xml";
  const CommandResult result = check(suite, "--junit " + xml.string());
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.out, HasSubstr("edge: gate rrs: cycles<1e9 failed on rrs: cycles = "));
  EXPECT_THAT(result.out, HasSubstr("passed: cycles<1"));
  EXPECT_THAT(content_of(xml), HasSubstr("tests=\"6\" failures=\"1\""));
  EXPECT_THAT(content_of(xml), HasSubstr("<failure message=\"gate rrs: cycles&lt;1e9 failed on rrs: cycles = "));
  // Python's parser is the judge of well-formed XML.
  const std::string parse = "/usr/bin/python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' ";
  EXPECT_EQ(std::system((parse + xml.string()).c_str()), 0);
}

TEST_F(RegressTest, CasesCanBeChosenAndRecordingIsAllOrNothing) {
  const std::string good = gemm_suite("rne");
  const fs::path suite =
      directory_.write("suite.toml", good + "[[gemm]]\nname = \"large\"\nm = 1048576\nn = 1048576\nk = 1048576\n");
  const CommandResult result = record(suite);
  EXPECT_EQ(result.status, 69) << "does not fit in memory";
  EXPECT_THAT(result.err, HasSubstr("suite.toml:9: large: "));
  EXPECT_FALSE(fs::exists(directory_ / "golden/product.golden.json"));
  EXPECT_EQ(run_guardbit("regress record " + suite.string() + " --case product -o " + golden()).status, 0);
  EXPECT_EQ(check(suite, "--case product").status, 0);
  EXPECT_EQ(check(suite, "--case products").status, 2);
  const fs::path file = directory_.write("file", "");
  EXPECT_EQ(run_guardbit("regress record " + suite.string() + " --case product -o " + file.string()).status, 73);
}

/// A signal to the command alone ends the process that computes a case as well.
TEST_F(RegressTest, InterruptEndsTheCaseAndWritesNothing) {
  const std::string command = "timeout --foreground --preserve-status -s INT 0.6 " + std::string(GUARDBIT_BINARY) +
                              " regress record " + kSuites + "/kjv.toml --threads 1 -o " + golden();
  const int status = std::system(command.c_str());
  EXPECT_TRUE(WIFSIGNALED(status) ? WTERMSIG(status) == SIGINT : WEXITSTATUS(status) == 130) << status;
  EXPECT_TRUE(!fs::exists(golden()) || fs::is_empty(golden()));
}

}  // namespace
}  // namespace guardbit::tests
