// What a user gets to read for each way in which an accelerator file can be wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/base/error.h"
#include "sim/config/accelerator.h"
#include "sim/config/toml_files.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::sim {
namespace {

using tests::TemporaryDirectory;

struct Case {
  const char* name;
  std::string text;     ///< of the file
  std::string message;  ///< all of it; FILE stands for the file's path
  std::vector<std::string> overrides = {};
};

void PrintTo(const Case& row, std::ostream* out) { *out << row.text; }

const std::vector<Case>& cases() {
  static const std::vector<Case> rows = {
      // CFG-01: unknown keys and sections
      {"UnknownKey", "[array]\nrwos = 4\n", "FILE:2: array.rwos: unknown key; did you mean array.rows?"},
      {"UnknownKeyOfOtherSection", "[norm]\nburst_bytes = 4\n",
       "FILE:2: norm.burst_bytes: unknown key; did you mean dma.burst_bytes?"},
      {"UnknownKeyWithoutNeighbour", "[array]\nvoltage = 4\n", "FILE:2: array.voltage: unknown key"},
      {"UnknownTopLevelKey", "rows = 4\n", "FILE:1: rows: unknown key; did you mean array.rows?"},
      {"UnknownSection", "[aray]\nrows = 4\ncols = 5\n[aray.x]\ny = 1\n",
       "FILE:1: aray: unknown section; did you mean array?"},
      {"UnknownSubsection", "[norm.accumulators]\nformat = \"fp16\"\n",
       "FILE:1: norm.accumulators: unknown section; did you mean norm.accumulator?"},
      {"QuotedKeyIsNotAPath", "\"array.rows\" = 4\n", "FILE:1: \"array.rows\": unknown key; did you mean array.rows?"},
      {"ControlCharactersInKey", "\"a\\u001b[31m\" = 4\n", R"(FILE:1: "a\x1B[31m": unknown key)"},
      // CFG-03: types
      {"StringForInteger", "[array]\nrows = \"32\"\n",
       "FILE:2: array.rows: got \"32\"; expected an integer 1..1024 (PEs)"},
      {"FloatForInteger", "[array]\nrows = 32.0\n", "FILE:2: array.rows: got 32.0; expected an integer 1..1024 (PEs)"},
      {"BooleanForInteger", "[array]\nrows = true\n",
       "FILE:2: array.rows: got true; expected an integer 1..1024 (PEs)"},
      {"ArrayForInteger", "[array]\nrows = [1]\n",
       "FILE:2: array.rows: got an array; expected an integer 1..1024 (PEs)"},
      {"DateForInteger", "[array]\nrows = 2020-01-01\n",
       "FILE:2: array.rows: got a date or time; expected an integer 1..1024 (PEs)"},
      {"TableForKey", "[array.rows]\nx = 1\n", "FILE:1: array.rows: got a table; expected an integer 1..1024 (PEs)"},
      {"IntegerForBoolean", "[smooth]\nsort = 1\n", "FILE:2: smooth.sort: got 1; expected true or false"},
      {"IntegerForName", "[array]\ndataflow = 1\n",
       "FILE:2: array.dataflow: got 1; expected one of \"os\", \"ws\", \"is\""},
      {"ValueForSection", "array = 3\n", "FILE:1: array: got 3; expected a section, [array]"},
      {"ArrayOfTables", "[[array]]\nrows = 3\n", "FILE:1: array: got an array; expected a section, [array]"},
      // CFG-04: NaN and infinity
      {"Nan", "[clock]\nmhz = nan\n", "FILE:2: clock.mhz: got nan; expected a number 0.001..100000 (MHz)"},
      {"Infinity", "[clock]\nmhz = inf\n", "FILE:2: clock.mhz: got inf; expected a number 0.001..100000 (MHz)"},
      // CFG-05: range
      {"OutOfRange", "[norm]\nlanes = 65\n", "FILE:2: norm.lanes: got 65; expected an integer 2..64 (elements)"},
      {"Negative", "[clock]\nmhz = -1\n", "FILE:2: clock.mhz: got -1; expected a number 0.001..100000 (MHz)"},
      {"SmallestInteger", "[array]\nrows = -9223372036854775808\n",
       "FILE:2: array.rows: got -9223372036854775808; expected an integer 1..1024 (PEs)"},
      // CFG-06: units
      {"UnitSuffix", "[scratchpad]\nbytes = \"64KiB\"\n",
       "FILE:2: scratchpad.bytes: got \"64KiB\"; expected an integer 1024..17179869184 (bytes)"},
      // CFG-08: version
      {"NewerSchema", "schema = \"guardbit-accelerator/2\"\n",
       "FILE:1: schema: got \"guardbit-accelerator/2\"; expected \"guardbit-accelerator/1\"; is the file made for "
       "another "
       "version of guardbit?"},
      // CFG-12: nothing to compute with
      {"NoRows", "[array]\nrows = 0\n", "FILE:2: array.rows: got 0; expected an integer 1..1024 (PEs)"},
      {"NoBanks", "[scratchpad]\nbanks = 0\n", "FILE:2: scratchpad.banks: got 0; expected an integer 1..1024"},
      // Names
      {"NameTypo", "[array]\npolicy = \"overlab\"\n",
       "FILE:2: array.policy: got \"overlab\"; expected one of \"serial\", \"overlap\"; did you mean \"overlap\"?"},
      {"ControlCharactersInValue", "[array]\npolicy = \"\\u001b[2J\\u0007\"\n",
       R"(FILE:2: array.policy: got "\x1B[2J\x07"; expected one of "serial", "overlap")"},
      // CFG-09: extends
      {"ExtendsMissing", "extends = [\"none.toml\"]\n",
       "FILE:1: extends: got \"none.toml\"; expected an existing file"},
      {"ExtendsItself", "extends = [\"bad.toml\"]\n",
       "FILE:1: extends: got \"bad.toml\"; expected a file that does not extend this one in turn (cycle)"},
      {"ExtendsOutside", "extends = [\"../other.toml\"]\n",
       "FILE:1: extends: got \"../other.toml\"; expected a relative path inside the directory of the first file"},
      {"ExtendsAbsolute", "extends = [\"/etc/passwd\"]\n",
       "FILE:1: extends: got \"/etc/passwd\"; expected a relative path inside the directory of the first file"},
      {"ExtendsString", "extends = \"a.toml\"\n", "FILE:1: extends: got \"a.toml\"; expected an array of file names"},
      {"ExtendsNumber", "extends = [3]\n", "FILE:1: extends: got 3; expected an array of file names"},
      // CFG-14: overrides
      {"OverrideOfAnUnknownSection",
       "",
       "--set: norm.acumulator.format: unknown key; did you mean norm.accumulator.format?",
       {"norm.acumulator.format=fp16"}},
      {"OverrideUnknown", "", "--set: array.rwos: unknown key; did you mean array.rows?", {"array.rwos=3"}},
      {"OverrideWithoutValue", "", "--set: got \"array.rows\"; expected section.key=value", {"array.rows"}},
      {"OverrideWithoutKey", "", "--set: got \"=3\"; expected section.key=value", {"=3"}},
      {"OverrideStrangeKey", "", "--set: got \"array rows=3\"; expected section.key=value", {"array rows=3"}},
      {"OverrideTwoLines",
       "",
       R"(--set: got "array.rows=3\x0Aarray.cols=4"; expected section.key=value on one line)",
       {"array.rows=3\narray.cols=4"}},
      {"OverrideTwice", "", "--set: array.rows: got 3 and 4; expected one value", {"array.rows=3", "array.rows=4"}},
      {"OverrideOutOfRange", "", "--set: array.rows: got 0; expected an integer 1..1024 (PEs)", {"array.rows=0"}},
      {"OverrideWordForInteger",
       "",
       "--set: array.rows: got \"many\"; expected an integer 1..1024 (PEs)",
       {"array.rows=many"}},
      {"OverrideNan", "", "--set: clock.mhz: got \"nan\"; expected a number 0.001..100000 (MHz)", {"clock.mhz=nan"}},
      {"OverrideSection", "", "--set: array: got 3; expected a section, [array]", {"array=3"}},
      // All at once, in the order of the lines
      {"EveryProblemInOneRun",
       "[norm]\nlanes = 1\n[array]\nrows = 0\npolicy = 3\nschema = 2\n[clock]\nmhz = 5\n",
       "FILE:2: norm.lanes: got 1; expected an integer 2..64 (elements)\n"
       "FILE:4: array.rows: got 0; expected an integer 1..1024 (PEs)\n"
       "FILE:5: array.policy: got 3; expected one of \"serial\", \"overlap\"\n"
       "FILE:6: array.schema: unknown key\n"
       "--set: array.cols: got 0; expected an integer 1..1024 (PEs)",
       {"array.cols=0"}},
  };
  return rows;
}

/// Loads and returns the message; fails the test if that works or exits with another code.
std::string message_of(const std::filesystem::path& file, const std::vector<std::string>& overrides = {},
                       ExitCode code = ExitCode::kConfiguration) {
  try {
    (void)load_accelerator(file, overrides);
  } catch (const UserError& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code));
    std::string text = error.what();
    for (std::size_t at; !file.empty() && (at = text.find(file.string())) != std::string::npos;) {
      text.replace(at, file.string().size(), "FILE");
    }
    return text;
  }
  ADD_FAILURE() << file << " was accepted";
  return "";
}

class ConfigErrorTest : public testing::TestWithParam<Case> {};

TEST_P(ConfigErrorTest, MessageNamesPlaceFindingAndExpectation) {
  const TemporaryDirectory directory;
  EXPECT_EQ(message_of(directory.write("bad.toml", GetParam().text), GetParam().overrides), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(Cases, ConfigErrorTest, testing::ValuesIn(cases()),
                         [](const auto& row) { return std::string(row.param.name); });

// CFG-02, CFG-05 and syntax: the TOML library's words, our place and exit code.
TEST(ConfigSyntaxTest, SyntaxErrorsHaveLineAndColumn) {
  const TemporaryDirectory directory;
  EXPECT_THAT(message_of(directory.write("a.toml", "[array]\nrows = 3\nrows = 4\n")),
              testing::StartsWith("FILE:3:8: not TOML: "));
  EXPECT_THAT(message_of(directory.write("b.toml", "[array]\nrows = \n")), testing::StartsWith("FILE:2:"));
  EXPECT_THAT(message_of(directory.write("c.toml", "[array]\nrows = 99999999999999999999\n")),
              testing::StartsWith("FILE:2:"));
  EXPECT_THAT(message_of(directory.write("d.toml", "[array]\nrows = 64KiB\n")), testing::StartsWith("FILE:2:"));
  EXPECT_THAT(message_of(directory.write("e.toml", std::string("[array]\n# \xFF\xFE\n"))),
              testing::StartsWith("FILE:2:"));
  EXPECT_THAT(message_of(directory.write("f.toml", "[array]\nrows = 3\n[array]\ncols = 3\n")),
              testing::StartsWith("FILE:3:"));
  EXPECT_THAT(message_of(directory.write("g.toml", "a = " + std::string(100000, '['))),
              testing::HasSubstr("more than 64 dots and brackets"));
}

// CFG-10: the accepted widths are named.
TEST(ConfigSyntaxTest, FormatsOutsideTheSupportedWidths) {
  const TemporaryDirectory directory;
  for (const std::string name : {"e0m3", "e1m3", "e9m3", "e5m0", "e5m24", "e-1m3", "e99999999999999999999m3"}) {
    EXPECT_THAT(message_of(directory.write("a.toml", "[storage]\nresidual = \"" + name + "\"\n")),
                testing::AllOf(testing::StartsWith("FILE:2: storage.residual: got \"" + name +
                                                   "\"; expected a float "
                                                   "format (fp32, tf32, "),
                               testing::HasSubstr("eXmY with X 2..8, Y 1..23")));
  }
  EXPECT_THAT(message_of(directory.write("b.toml", "[storage]\nresidual = \"fp15\"\n")),
              testing::EndsWith("; did you mean \"fp16\"?"));
}

TEST(ConfigMissingTest, NoFileIsExit66) {
  const TemporaryDirectory directory;
  EXPECT_THAT(message_of(directory.path() / "none.toml", {}, ExitCode::kMissingInput), testing::HasSubstr("FILE"));
  (void)message_of("", {}, ExitCode::kMissingInput);
}

TEST(ConfigMissingTest, DirectoriesAndHugeFilesAreExit65) {
  const TemporaryDirectory directory;
  (void)message_of(directory.path(), {}, ExitCode::kMalformedInput);
  const std::string huge(kMaxConfigBytes + 1, '#');
  (void)message_of(directory.write("huge.toml", huge), {}, ExitCode::kMalformedInput);
}

TEST(ConfigExtendsTest, CycleThroughAnotherFile) {
  const TemporaryDirectory directory;
  directory.write("b.toml", "extends = [\"a.toml\"]\n");
  EXPECT_THAT(message_of(directory.write("a.toml", "extends = [\"b.toml\"]\n")),
              testing::EndsWith("b.toml:1: extends: got \"a.toml\"; expected a file that does not extend this one in "
                                "turn (cycle)"));
}

TEST(ConfigExtendsTest, ChainsEndAtTheLimit) {
  const TemporaryDirectory directory;
  for (int i = 1; i <= kMaxExtendsDepth + 1; ++i) {
    const std::string next = "extends = [\"" + std::to_string(i + 1) + ".toml\"]\n";
    directory.write(std::to_string(i) + ".toml", i <= kMaxExtendsDepth ? next : "");
  }
  EXPECT_NO_THROW((void)load_accelerator(directory.path() / "2.toml")) << "a chain of exactly the limit";
  EXPECT_THAT(message_of(directory.path() / "1.toml"),
              testing::HasSubstr("8.toml:1: extends: got \"9.toml\"; expected a "
                                 "chain of at most 8 files"));
}

TEST(ConfigExtendsTest, ManyFilesInAllAreRefused) {
  // Each level doubles: 2^8 reads of the last one without a limit.
  const TemporaryDirectory directory;
  for (int i = 1; i <= 7; ++i) {
    const std::string next = "\"" + std::to_string(i + 1) + ".toml\"";
    directory.write(std::to_string(i) + ".toml", "extends = [" + next + ", " + next + "]\n");
  }
  directory.write("8.toml", "");
  EXPECT_THAT(message_of(directory.path() / "1.toml"), testing::HasSubstr("at most 64 files in all"));
}

TEST(ConfigExtendsTest, LinksDoNotLeadOutside) {
  const TemporaryDirectory directory;
  directory.write("outside.toml", "");
  directory.write("inner/a.toml", "extends = [\"link.toml\"]\n");
  std::filesystem::create_symlink(directory.path() / "outside.toml", directory.path() / "inner/link.toml");
  EXPECT_THAT(message_of(directory.path() / "inner/a.toml"),
              testing::HasSubstr("inside the directory of the first file"));
}

TEST(ConfigExtendsTest, ProblemsOfABaseAreReportedEvenIfOverridden) {
  const TemporaryDirectory directory;
  directory.write("base.toml", "[array]\nrows = 0\n");
  const auto file = directory.write("a.toml", "extends = [\"base.toml\"]\n[array]\nrows = 4\nrwos = 4\n");
  EXPECT_EQ(message_of(file), (directory.path() / "base.toml").string() +
                                  ":2: array.rows: got 0; expected an integer 1..1024 (PEs)\n"
                                  "FILE:4: array.rwos: unknown key; did you mean array.rows?");
}

}  // namespace
}  // namespace guardbit::sim
