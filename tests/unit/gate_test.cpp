// Gates: the grammar with the place of every error, names with the nearest one, and values out of a result.
#include "sim/regress/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/regress/junit.h"
#include "tests/support/expect_error.h"
#include "tests/support/synthetic_result.h"

namespace guardbit::tests {
namespace {

using testing::HasSubstr;

sim::ReplayResult one_variant() {
  sim::ReplayResult result = synthetic_result();
  result.variants.resize(1);
  result.variants[0].perplexity = 4;
  return result;
}

double evaluate(const std::string& sum) {
  // "sum > x" fails for every x below its value: the detail says both sides.
  const sim::ReplayResult result = one_variant();
  const sim::GateOutcome outcome = sim::run_gates({sim::parse_gate(sum + " == 0", "")}, result).at(0);
  const std::size_t begin = outcome.detail.find("sides ") + 6;
  return std::stod(outcome.detail.substr(begin));
}

bool fails(const std::string& gate) {
  const std::vector<sim::GateOutcome> outcomes = sim::run_gates({sim::parse_gate(gate, "")}, one_variant());
  EXPECT_EQ(outcomes.size(), 1U) << gate;
  return outcomes.at(0).failed;
}

TEST(GateTest, ArithmeticBindsAsUsual) {
  EXPECT_EQ(evaluate("1 + 2*3"), 7);
  EXPECT_EQ(evaluate("(1 + 2)*3"), 9);
  EXPECT_EQ(evaluate("10 - 4 - 3"), 3) << "from the left";
  EXPECT_EQ(evaluate("24 / 4 / 3"), 2);
  EXPECT_EQ(evaluate("-2*3 + --1"), -5);
  EXPECT_EQ(evaluate("2*-3"), -6);
  EXPECT_EQ(evaluate("2e3+0.5"), 2000.5);
  EXPECT_EQ(evaluate("((((((((1))))))))"), 1);
  EXPECT_EQ(evaluate("\t1+ 1 "), 2);
}

TEST(GateTest, EveryRelationFailsWhereItHolds) {
  EXPECT_TRUE(fails("2>1"));
  EXPECT_FALSE(fails("1>1"));
  EXPECT_TRUE(fails("1>=1"));
  EXPECT_FALSE(fails("1>=2"));
  EXPECT_TRUE(fails("1<2"));
  EXPECT_FALSE(fails("1<1"));
  EXPECT_TRUE(fails("1<=1"));
  EXPECT_FALSE(fails("2<=1"));
  EXPECT_TRUE(fails("1==1"));
  EXPECT_FALSE(fails("1==2"));
  EXPECT_TRUE(fails("1!=2"));
  EXPECT_FALSE(fails("1!=1"));
}

TEST(GateTest, NamesAreTheResultsNumbers) {
  const sim::ReplayResult result = one_variant();
  const sim::VariantResult& plain = result.variants[0];
  const auto value = [&](const char* name) { return sim::gate_value(name, result, plain).value_or(-1); };
  EXPECT_EQ(value("perplexity"), 4);
  EXPECT_EQ(value("reference"), 24.987654321);
  EXPECT_EQ(value("top1_agreement"), 0.125);
  EXPECT_EQ(value("cycles"), 1234567);
  EXPECT_EQ(value("macs"), 10000);
  EXPECT_EQ(value("energy_pj"), 1.25e6);
  EXPECT_EQ(value("windows"), 2);
  EXPECT_EQ(value("tokens"), 1024);
  EXPECT_EQ(value("events.overflow"), 17) << "both norms";
  EXPECT_EQ(value("events.norm.overflow"), 17) << "a kind";
  EXPECT_EQ(value("events.linear.overflow"), 0);
  EXPECT_EQ(value("events.square.overflow"), 5) << "a stage";
  EXPECT_EQ(value("events.layers.0.attn_norm.overflow"), 12) << "an op";
  EXPECT_EQ(value("events.layers.0.attn_norm.sum_of_squares.overflow"), 12) << "an op's stage";
  EXPECT_EQ(value("events.layers.0.attn_norm.rsqrt.overflow"), 0);
  EXPECT_EQ(value("cycles.matrix"), 20 + 40 + 60 + 80) << "busy";
  EXPECT_EQ(value("cycles.matrix.input_stall"), 1000);
  EXPECT_EQ(value("cycles.matrix.token_wait"), 200);
  EXPECT_EQ(value("cycles.matrix.output_stall"), 0);
  EXPECT_EQ(value("cycles.matrix.idle"), 1234567 - 200 - 1200);
  EXPECT_EQ(value("cycles.layers.0.attn.q"), 300);
  EXPECT_EQ(value("max_abs.head"), 3.5);
  EXPECT_EQ(value("sqnr_db.head"), 20.123456789 + 4);
  for (const char* unknown :
       {"event", "events.norm", "events.overflow.norm", "cycles.pe", "max_abs.tail", "sqnr_db."}) {
    EXPECT_EQ(sim::gate_value(unknown, result, plain), std::nullopt) << unknown;
  }
}

TEST(GateTest, WhatIsNotANumberFails) {
  EXPECT_TRUE(fails("0/0 > 1"));
  EXPECT_TRUE(fails("1 < 0/0"));
  sim::ReplayResult result = one_variant();
  result.variants[0].perplexity = std::numeric_limits<double>::quiet_NaN();
  const sim::GateOutcome outcome = sim::run_gates({sim::parse_gate("perplexity > 1.02*reference", "")}, result).at(0);
  EXPECT_TRUE(outcome.failed);
  EXPECT_THAT(outcome.detail, HasSubstr("perplexity = nan, reference = 24.98"));
}

TEST(GateTest, SelectsVariants) {
  const sim::ReplayResult result = synthetic_result();
  ASSERT_EQ(result.variants.size(), 3U);
  EXPECT_EQ(sim::run_gates({sim::parse_gate("cycles>0", "")}, result).size(), 3U);
  const std::string name = result.variants[1].name;
  const auto outcomes = sim::run_gates({sim::parse_gate(" " + name + " : cycles>0", "")}, result);
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(outcomes[0].variant, name);
  EXPECT_EQ(sim::parse_gate("rrs(qkv=false)+a4+w4 : cycles>0", "").variant, "rrs+w4a4") << "as results name it";
}

TEST(GateTest, EveryErrorHasItsPosition) {
  const auto refused = [](const std::string& gate, const std::string& problem) {
    return refuses([&] { (void)sim::parse_gate(gate, "--fail-on: "); }, sim::ExitCode::kUsage,
                   "--fail-on: '" + gate + "': position " + problem);
  };
  EXPECT_TRUE(refused("", "1: got the end; expected a number, a name or '('"));
  EXPECT_TRUE(refused("perplexity", "11: got the end; expected one of > >= < <= == !="));
  EXPECT_TRUE(refused("perplexity>", "12: got the end; expected a number, a name or '('"));
  EXPECT_TRUE(refused("perplexity>>2", "12: got '>'; expected a number, a name or '('"));
  EXPECT_TRUE(refused("perplexity=2", "11: got '='; expected one of > >="));
  EXPECT_TRUE(refused("a>1 2", "5: got '2'; expected the end, or one of + - * /"));
  EXPECT_TRUE(refused("a>1>2", "4: got '>'; expected the end"));
  EXPECT_TRUE(refused("(a>1", "3: got '>'; expected ')', or one of + - * /"));
  EXPECT_TRUE(refused("a>2x", "3: got '2x'; expected a decimal number"));
  EXPECT_TRUE(refused("a>0x10", "3: got '0x10'; expected a decimal number"));
  EXPECT_TRUE(refused("a>1.2.3", "3: got '1.2.3'; expected a decimal number"));
  EXPECT_TRUE(refused("a>1e999", "3: got '1e999'; expected a decimal number"));
  EXPECT_TRUE(refused(":a>1", "1: got ':'; expected a variant before it"));
  EXPECT_TRUE(refused("a>$", "3: got '$'; expected a number, a name or '('"));
  EXPECT_TRUE(refuses([] { (void)sim::parse_gate("a>1\x1b", ""); }, sim::ExitCode::kUsage, "got '\\x1B'"));
  const std::string deep(40, '(');
  EXPECT_TRUE(refused(deep + "1" + std::string(40, ')') + ">0", "33: got too many brackets; expected at most 32"));
  EXPECT_TRUE(
      refuses([] { (void)sim::parse_gate(std::string(2000, '1'), ""); }, sim::ExitCode::kUsage, "at most 1024"));
}

TEST(GateTest, UnknownNamesAreRefusedWithTheNearest) {
  sim::GateScope scope{.variants = {"none", "slanc+rrs"}, .ops = {{"layers.0.attn_norm", "norm"}, {"head", "linear"}}};
  const auto refused = [&scope](const std::string& gate, const std::string& problem) {
    return refuses([&] { sim::check_gate(sim::parse_gate(gate, ""), scope, "--fail-on: "); }, sim::ExitCode::kUsage,
                   problem);
  };
  EXPECT_TRUE(refused("perplexty>2", "position 1: unknown name perplexty; did you mean perplexity?"));
  EXPECT_TRUE(refused("1<events.norm.overflows",
                      "position 3: unknown name events.norm.overflows; did you mean "
                      "events.norm.overflow?"));
  EXPECT_TRUE(refused("events.softmax.overflow>0", "unknown name events.softmax.overflow")) << "no such op";
  EXPECT_TRUE(refused("slanc+rs:cycles>1",
                      "unknown variant slanc+rs; expected one that is replayed; did you mean "
                      "slanc+rrs?"));
  EXPECT_TRUE(refused("zzzzzzzz>1", "docs/regression.md"));
  for (const char* good : {"slanc+rrs: events.layers.0.attn_norm.square.overflow>0", "cycles.matrix.busy>cycles.head",
                           "perplexity>1.02*reference", "events.norm.overflow>0", "cycles>2e7", "sqnr_db.head<20"}) {
    sim::check_gate(sim::parse_gate(good, ""), scope, "");
  }
  scope.values = false;
  sim::check_gate(sim::parse_gate("cycles.head + energy_pj > 1", ""), scope, "");
  EXPECT_TRUE(refused("events.norm.overflow>0", "events.norm.overflow needs values"));
  EXPECT_TRUE(refused("perplexity>0", "perplexity needs values"));
}

/// Every name that passes the check has a value: both are written once each, in gate.cpp.
TEST(GateTest, EveryKnownNameHasAValue) {
  const sim::ReplayResult result = one_variant();
  sim::GateScope scope{.variants = {"plain"}, .ops = {}};
  for (const sim::OpResult& op : result.variants[0].ops) scope.ops.emplace_back(op.name, op.kind);
  for (const char* name : {"utilization", "sqnr_db", "events.zeroed", "events.norm.zeroed", "events.rotate.swamped",
                           "events.head.storage.flushed", "cycles.rotate.idle", "cycles.layers.0.mlp_norm"}) {
    sim::check_gate(sim::parse_gate(std::string(name) + ">0", ""), scope, "");
    EXPECT_NE(sim::gate_value(name, result, result.variants[0]), std::nullopt) << name;
  }
}

TEST(JunitTest, EscapesWhatXmlCannotHold) {
  EXPECT_EQ(sim::xml_escaped("a<b>&\"c\"'"), "a&lt;b&gt;&amp;&quot;c&quot;&apos;");
  EXPECT_EQ(sim::xml_escaped("1\n2\t3"), "1&#10;2&#9;3");
  EXPECT_EQ(sim::xml_escaped(std::string("\x01\x1b\xff\0", 4)), "\\x01\\x1B\\xFF\\x00");
  EXPECT_EQ(sim::xml_escaped("\xEF\xBF\xBE\xEF\xBF\xBF"), "\\xEF\\xBF\\xBE\\xEF\\xBF\\xBF") << "no XML characters";
  EXPECT_EQ(sim::xml_escaped("\xC3\xA9"), "\xC3\xA9");
}

TEST(JunitTest, CountsFailures) {
  const std::string xml = sim::junit_xml(
      {{.name = "a<", .seconds = 1.5, .tests = {{"x", ""}, {"y", "bad\nworse"}}}, {.name = "b", .tests = {{"z", ""}}}});
  EXPECT_EQ(xml,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<testsuites name=\"guardbit\" tests=\"3\" failures=\"1\" errors=\"0\">\n"
            "  <testsuite name=\"a&lt;\" tests=\"2\" failures=\"1\" errors=\"0\" time=\"1.500\">\n"
            "    <testcase classname=\"guardbit.a&lt;\" name=\"x\"/>\n"
            "    <testcase classname=\"guardbit.a&lt;\" name=\"y\">\n"
            "      <failure message=\"bad\">bad&#10;worse</failure>\n"
            "    </testcase>\n"
            "  </testsuite>\n"
            "  <testsuite name=\"b\" tests=\"1\" failures=\"0\" errors=\"0\" time=\"0.000\">\n"
            "    <testcase classname=\"guardbit.b\" name=\"z\"/>\n"
            "  </testsuite>\n"
            "</testsuites>\n");
}

}  // namespace
}  // namespace guardbit::tests
