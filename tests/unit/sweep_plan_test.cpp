// From a sweep file to keyed points: ranges, filters, samples, problems with their lines, the plan's file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <stdexcept>

#include "sim/base/error.h"
#include "sim/base/sha256.h"
#include "sim/config/sweep_range.h"
#include "sim/sweep/condition.h"
#include "sim/sweep/pareto.h"
#include "sim/sweep/planner.h"
#include "sim/sweep/sampling.h"
#include "sim/sweep/slurm.h"
#include "tests/support/small_trace.h"

namespace guardbit::sim {
namespace {

using testing::HasSubstr;

std::vector<double> numbers(const SweepRange& range) {
  std::vector<ConfigValue> values;
  EXPECT_EQ(expand(range, values), "");
  std::vector<double> result;
  for (const ConfigValue& value : values) {
    const auto* integer = std::get_if<std::int64_t>(&value);
    result.push_back(integer != nullptr ? static_cast<double>(*integer) : std::get<double>(value));
  }
  return result;
}

TEST(SweepRangeTest, BothEndsAreIncludedAndIntegersStayIntegers) {
  EXPECT_THAT(numbers({.from = std::int64_t{1}, .to = std::int64_t{10}, .step = std::int64_t{3}}),
              testing::ElementsAre(1, 4, 7, 10));
  EXPECT_THAT(numbers({.from = std::int64_t{8}, .to = std::int64_t{100}, .factor = std::int64_t{2}}),
              testing::ElementsAre(8, 16, 32, 64));
  EXPECT_THAT(numbers({.from = 0.1, .to = 0.5, .step = 0.1}), testing::ElementsAre(0.1, 0.2, 0.1 + 2 * 0.1, 0.4, 0.5));
  EXPECT_THAT(numbers({.from = std::int64_t{1}, .to = INT64_MAX, .factor = std::int64_t{1} << 31}),
              testing::SizeIs(3));  // 2^0, 2^31, 2^62: the next one overflows
  std::vector<ConfigValue> values;
  ASSERT_EQ(expand({.from = std::int64_t{1}, .to = std::int64_t{2}, .step = std::int64_t{1}}, values), "");
  EXPECT_TRUE(std::holds_alternative<std::int64_t>(values.front()));
}

TEST(SweepRangeTest, RangesWithoutEndAreRefused) {
  const auto problem = [](const SweepRange& range) {
    std::vector<ConfigValue> values;
    return expand(range, values);
  };
  const std::int64_t one = 1;
  EXPECT_THAT(problem({.from = one, .to = std::int64_t{5}, .step = std::int64_t{0}}), HasSubstr("step above 0"));
  EXPECT_THAT(problem({.from = one, .to = std::int64_t{5}, .step = -one}), HasSubstr("step above 0"));
  EXPECT_THAT(problem({.from = one, .to = std::int64_t{5}, .factor = one}), HasSubstr("factor above 1"));
  EXPECT_THAT(problem({.from = std::int64_t{0}, .to = std::int64_t{5}, .factor = std::int64_t{2}}),
              HasSubstr("above 0"));
  EXPECT_THAT(problem({.from = std::int64_t{6}, .to = std::int64_t{5}, .step = one}), HasSubstr("from <= to"));
  EXPECT_THAT(problem({.from = one, .to = std::int64_t{5}}), HasSubstr("incomplete"));
  EXPECT_THAT(problem({.from = one, .to = std::int64_t{5}, .step = one, .factor = one}), HasSubstr("incomplete"));
  EXPECT_THAT(problem({.from = one, .to = std::string("x"), .step = one}), HasSubstr("expected a number"));
  EXPECT_THAT(problem({.from = one, .to = std::int64_t{1'000'000}, .step = one}), HasSubstr("at most 100000"));
  EXPECT_THAT(problem({.from = 0.0, .to = 1.0, .step = 1e-9}), HasSubstr("at most 100000"));
}

bool holds(const std::string& text) {
  static const std::map<std::string, std::string> kValues = {{"a", "3"}, {"b.c", "0.5"}, {"flow", "ws"}};
  return Condition(text).holds([](std::string_view name) {
    const auto found = kValues.find(std::string(name));
    return found == kValues.end() ? nullptr : &found->second;
  });
}

TEST(ConditionTest, PrecedenceAndTypes) {
  EXPECT_TRUE(holds("a + 2 * b.c == 4"));
  EXPECT_TRUE(holds("(a + 2) * b.c == 2.5"));
  EXPECT_FALSE(holds("a - 1 - 1 == 3"));  // from the left
  EXPECT_TRUE(holds("12 / a / 2 == 2"));
  EXPECT_TRUE(holds("flow == 'ws' and not a > 3 or 1 > 2"));
  EXPECT_TRUE(holds("1 > 2 and 1 > 2 or a >= 3"));
  EXPECT_FALSE(holds("1 > 2 and (1 > 2 or a >= 3)"));
  EXPECT_TRUE(holds("-a < -2 and a <= 3 and a != 4 and flow != 'os'"));
}

TEST(ConditionTest, MistakesAreNamed) {
  const auto message = [](const std::string& text) -> std::string {
    try {
      (void)holds(text);
      return "";
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
  };
  EXPECT_THAT(message("a <"), HasSubstr("got the end in column 4"));
  EXPECT_THAT(message("a < 3)"), HasSubstr("column 6"));
  EXPECT_THAT(message("(a < 3"), HasSubstr("expected )"));
  EXPECT_THAT(message("flow == 'ws"), HasSubstr("closing quote"));
  EXPECT_THAT(message("flow < 3"), HasSubstr("expected two numbers"));
  EXPECT_THAT(message("flow == 3"), HasSubstr("two numbers or two texts"));
  EXPECT_THAT(message("a"), HasSubstr("expected a condition"));
  EXPECT_THAT(message("nothing < 3"), HasSubstr("got nothing; expected a key"));
  EXPECT_THAT(message(std::string(200, '(') + "a"), HasSubstr("less nesting"));
  EXPECT_THAT(message(""), HasSubstr("got the end"));
}

TEST(SamplingTest, RandomPointsAreDifferentAndRepeatable) {
  const std::vector<std::size_t> sizes = {1000, 1000, 1000, 1000};
  const auto all = [](const Coordinates&) { return true; };
  const auto sample = random_sample(sizes, 500, 7, all);
  EXPECT_EQ(sample, random_sample(sizes, 500, 7, all));
  EXPECT_NE(sample, random_sample(sizes, 500, 8, all));
  EXPECT_EQ(std::set<Coordinates>(sample.begin(), sample.end()).size(), 500u);
  const auto even = random_sample(sizes, 100, 7, [](const Coordinates& point) { return point[0] % 2 == 0; });
  EXPECT_EQ(even.size(), 100u);
  const std::vector<std::size_t> few = {3};
  EXPECT_EQ(random_sample(few, 10, 1, all).size(), 3u) << "no more than there are, and an end";
}

TEST(SamplingTest, HypercubeUsesEveryValueEquallyOften) {
  const std::vector<std::size_t> sizes = {4, 50, 7};
  const auto sample = latin_hypercube(sizes, 50, 3, [](const Coordinates&) { return true; });
  ASSERT_EQ(sample.size(), 50u);
  for (std::size_t dimension = 0; dimension < sizes.size(); ++dimension) {
    std::map<std::uint32_t, std::size_t> counts;
    for (const Coordinates& point : sample) ++counts[point[dimension]];
    ASSERT_EQ(counts.size(), sizes[dimension]);
    for (const auto& [value, count] : counts) {
      EXPECT_GE(count, 50 / sizes[dimension]) << dimension << " " << value;
      EXPECT_LE(count, 50 / sizes[dimension] + 1) << dimension << " " << value;
    }
  }
}

TEST(ParetoRowsTest, EqualsComparisonOfAllPairs) {
  std::mt19937 random(20261126);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<std::vector<double>> rows(40, std::vector<double>(1 + random() % 4));
    const std::size_t width = rows.front().size();
    for (auto& row : rows) {
      row.resize(width);
      for (double& value : row) value = static_cast<double>(random() % 6);
    }
    std::vector<std::size_t> expected;
    for (std::size_t a = 0; a < rows.size(); ++a) {
      bool beaten = false;
      for (const auto& b : rows) {
        bool no_worse = true;
        for (std::size_t i = 0; i < width; ++i) no_worse = no_worse && b[i] <= rows[a][i];
        beaten = beaten || (no_worse && b != rows[a]);
      }
      if (!beaten) expected.push_back(a);
    }
    ASSERT_EQ(pareto_rows(rows), expected) << "trial " << trial;
  }
}

TEST(SlurmTest, RangesAndWords) {
  EXPECT_EQ(array_ranges({0, 1, 2, 5, 7, 8}), "0-2,5,7-8");
  EXPECT_EQ(array_ranges({4}), "4");
  EXPECT_EQ(shell_word("a b'c$"), "'a b'\\''c$'");
}

/// A sweep file over a tiny trace, beside an accelerator.
class PlanTest : public testing::Test {
 protected:
  PlanTest() { tests::make_small_trace(directory_); }

  Plan plan(const std::string& text, PlanCounts& counts, std::uint64_t max_points = 1000) {
    directory_.write("base.toml", "[norm]\nlanes = 8\n");
    return make_plan(directory_.write("sweep.toml", "accelerator = \"base.toml\"\ntrace = \"small\"\n" + text),
                     max_points, counts);
  }
  Plan plan(const std::string& text) {
    PlanCounts counts;
    return plan(text, counts);
  }
  std::string problems(const std::string& text, ExitCode code = ExitCode::kConfiguration) {
    try {
      (void)plan(text);
      return "";
    } catch (const UserError& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      return error.what();
    }
  }

  tests::TemporaryDirectory directory_;
};

TEST_F(PlanTest, ProductZipFilterAndCounts) {
  PlanCounts counts;
  const Plan made = plan(
      "keep = [\"array.rows * norm.lanes <= 128\"]\n"
      "[axes]\nnorm.lanes = [2, 16]\nvariant = [\"none\", \"rs\"]\n"
      "[[zip]]\narray.rows = [8, 16]\n\"array.cols\" = [32, 64]\n",
      counts);
  EXPECT_EQ(counts.full_size, 8);
  EXPECT_EQ(counts.left_out, 2u);
  ASSERT_EQ(made.points.size(), 6u);
  PointResolver resolver(made.space);
  for (const PlanPoint& point : made.points) {
    resolver.choose(point.choice);
    EXPECT_EQ(resolver.accelerator().config().array.cols, resolver.accelerator().config().array.rows * 4);
  }
}

TEST_F(PlanTest, KeyIsTheHashOfCanonicalJson) {
  const Plan made = plan("[set]\narray.rows = 4\n[replay]\nseed = 9\n");
  ASSERT_EQ(made.points.size(), 1u);
  PointResolver resolver(made.space);
  resolver.choose(made.points[0].choice);
  const std::string text = resolver.description();
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json.dump(), text) << "sorted, without blanks";
  EXPECT_EQ(made.points[0].key, sha256_hex(text));
  EXPECT_EQ(json.at("accelerator").at("array.rows"), "4");
  EXPECT_EQ(json.at("accelerator").at("norm.lanes"), "8");
  EXPECT_EQ(json.at("replay").at("replay.seed"), "9");
  EXPECT_EQ(json.at("variant"), "none");
  EXPECT_EQ(json.at("numerics"), made.numerics_version);
  EXPECT_EQ(json.size(), 6u);
}

TEST_F(PlanTest, KeyDependsOnEverythingThatDecidesTheResultAndNothingElse) {
  std::set<std::string> keys;
  for (const char* text : {"", "[set]\narray.rows = 16\n", "[replay]\nseed = 2\n", "[replay]\ntokens = 2\n",
                           "[replay]\ncalibration_windows = 2\n", "variant = \"rs\"\n", "[set]\nnorm.lanes = 4\n"}) {
    EXPECT_TRUE(keys.insert(plan(text).points.at(0).key).second) << text;
  }
  EXPECT_EQ(plan("name = \"other\"\n").points[0].key, plan("").points[0].key);
  EXPECT_EQ(plan("variant = \"a16+rs+w16\"\n").points[0].key,
            plan("variant = \"rs(qkv=false)+w16a16\"\n").points[0].key);
  EXPECT_EQ(plan("[set]\nnorm.lanes = 8\n").points[0].key, plan("").points[0].key) << "the same, written otherwise";
}

TEST_F(PlanTest, TextRoundTripsAndEveryDamageIsFound) {
  const Plan made = plan("[axes]\narray.rows = [1, 2, 3]\nvariant = [\"none\", \"slanc\"]\n");
  const std::string text = plan_text(made);
  const Plan read = parse_plan(text, "p");
  EXPECT_EQ(plan_text(read), text);
  ASSERT_EQ(read.points.size(), 6u);
  EXPECT_EQ(read.points[5].choice, made.points[5].choice);
  for (std::size_t at = 0; at < text.size(); at += 7) {
    std::string flipped = text;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    EXPECT_THROW((void)parse_plan(flipped, "p"), UserError) << at;
    EXPECT_THROW((void)parse_plan(text.substr(0, at), "p"), UserError) << at;
  }
}

TEST_F(PlanTest, EveryProblemComesWithItsLineInOneRun) {
  const std::string found = problems(
      "nam = \"x\"\n"                        // line 3
      "variant = \"nonsense\"\n"             // 4
      "keep = [\"array.row < 3\",\n"         // 5
      "  \"array.rows <\"]\n"                // 6
      "[set]\nnorm.lanes = \"many\"\n"       // 8
      "[axes]\n"                             // 9
      "array.rows = [4, 4]\n"                // 10
      "array.cols = []\n"                    // 11
      "array.edge = { from = 1, to = 9 }\n"  // 12
      "array.dot_widht = [1]\n"              // 13
      "replay.window = [1]\n"                // 14
      "norm.lanes = [2]\n"                   // 15
      "[[zip]]\ndma.channels = [1, 2]\ndram.latency_cycles = [1, 2, 3]\n");
  for (const char* expected :
       {"sweep.toml:3: nam: unknown key; did you mean name?", "sweep.toml:4: variant:",
        "sweep.toml:5: keep: got array.row; expected a key, or a text in single quotes: 'array.row'; did you mean "
        "array.rows?",
        "sweep.toml:6: keep: got the end in column 13", "sweep.toml:8: norm.lanes: got \"many\"; expected an integer",
        "sweep.toml:10: array.rows: got 4 twice (line 10)", "sweep.toml:11: array.cols: got an empty list",
        "sweep.toml:12: array.edge: got an incomplete range",
        "sweep.toml:13: array.dot_widht: unknown key; did you mean array.dot_width?",
        "sweep.toml:14: replay.window: unknown key; did you mean replay.windows?",
        "sweep.toml:15: norm.lanes: is set in line 8 already",
        "sweep.toml:18: dram.latency_cycles: got 3 values; expected 2"}) {
    EXPECT_THAT(found, HasSubstr(expected));
  }
}

TEST_F(PlanTest, OtherMistakesInFiles) {
  EXPECT_THAT(problems("schema = \"guardbit-sweep/9\"\n"), HasSubstr("sweep.toml:3: schema: got \"guardbit-sweep/9\""));
  EXPECT_THAT(problems("[axes\n"), HasSubstr("not TOML"));
  EXPECT_THAT(problems("axes = 3\n"), HasSubstr("expected a section, [axes]"));
  EXPECT_THAT(problems("[sample]\nmethod = \"some\"\n"), HasSubstr("expected \"random\" or \"latin_hypercube\""));
  EXPECT_THAT(problems("[sample]\nmethod = \"random\"\n"), HasSubstr("sample.points: missing"));
  EXPECT_THAT(problems("[axes]\ntrace = [\"absent\"]\n"), HasSubstr("trace: is set in line 2 already"));
  EXPECT_THAT(problems("[[zip]]\narray.rows = [1, 1]\narray.cols = [2, 2]\n"), HasSubstr("got 1, 2 twice"));
  EXPECT_THAT(problems("[axes]\nclock.mhz = [1000, 1000.0]\n"), HasSubstr("got 1000 twice"));
  EXPECT_THAT(problems("keep = [\"array.rows > 5000\"]\n"), HasSubstr("got no points (1 left out by filters"));
  EXPECT_THAT(problems("keep = [\"array.dataflow > 3\"]\n"),
              HasSubstr("sweep.toml:3: keep: >: got a text and a number; expected two numbers"));
}

TEST_F(PlanTest, AbsentFilesAreNamedWithTheLine) {
  directory_.write("lonely.toml", "accelerator = \"none.toml\"\ntrace = \"nowhere\"\n");
  PlanCounts counts;
  try {
    (void)make_plan(directory_ / "lonely.toml", 10, counts);
    FAIL() << "planned without files";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("lonely.toml:1: accelerator: "));
    EXPECT_THAT(error.what(), HasSubstr("lonely.toml:2: trace: "));
  }
}

TEST_F(PlanTest, RulesBetweenKeysAreRefusedOrSkipped) {
  const std::string text = "[axes]\narray.dataflow = [\"os\", \"ws\"]\n";
  EXPECT_THAT(problems(text), HasSubstr("sweep.toml:1: attention.accumulator.buffer.format: got none with "
                                        "array.dataflow = \"ws\""));
  PlanCounts counts;
  EXPECT_EQ(plan("invalid = \"skip\"\n" + text, counts).points.size(), 1u);
  EXPECT_EQ(counts.invalid, 1u);
  const std::string widths = "[axes]\nvariant = [\"none\", \"w8a8\"]\n";
  EXPECT_THAT(problems(widths), HasSubstr("sweep.toml:4: variant: variant \"w8a8\": "));
  EXPECT_EQ(plan("invalid = \"skip\"\n" + widths, counts).points.size(), 1u);
}

TEST_F(PlanTest, OneVariantWrittenInTwoWaysIsRefused) {
  EXPECT_THAT(problems("[axes]\nvariant = [\"rs+a16+w16\", \"rs+w16a16\"]\n"), HasSubstr("got the same value twice"));
}

TEST_F(PlanTest, AbsurdSizesAreRefusedBeforeTheyAreMade) {
  const std::string ten = "{ from = 1, to = 1000, step = 1 }\n";
  const std::string huge = "[axes]\narray.rows = " + ten + "array.cols = " + ten + "dram.latency_cycles = " + ten +
                           "replay.seed = " + ten + "replay.stall_seed = " + ten;
  EXPECT_THAT(problems(huge, ExitCode::kRefused), HasSubstr("has 1e+15 points; expected at most 1000 (--max-points)"));
  EXPECT_EQ(describe_size(3'145'728), "3145728");
  EXPECT_THAT(problems("keep = [\"array.rows == 1\"]\n" + huge, ExitCode::kRefused), HasSubstr("before filters"));
  PlanCounts counts;
  EXPECT_EQ(plan(huge + "[sample]\nmethod = \"random\"\npoints = 20\n", counts).points.size(), 20u);
  EXPECT_EQ(plan(huge + "[sample]\nmethod = \"latin_hypercube\"\npoints = 20\n", counts).points.size(), 20u);
  EXPECT_THAT(problems(huge + "[sample]\nmethod = \"random\"\npoints = 2000\n", ExitCode::kRefused),
              HasSubstr("the sample has 2000 points"));
}

}  // namespace
}  // namespace guardbit::sim
