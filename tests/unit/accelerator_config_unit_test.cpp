/// Every rule between keys, one violation each, and all of them at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "models/units/accelerator_config.h"

namespace guardbit::units {
namespace {

struct Violation {
  const char* what;
  std::function<void(AcceleratorConfig&)> break_rule;
  const char* key;
  const char* message;  ///< part of it
};

void make_integer(OperandConfig& operands, AccumulatorConfig& accumulator) {
  operands.activation = operands.weight = "int4";
  accumulator.format = "int16";
}

const std::vector<Violation>& violations() {
  static const std::vector<Violation> list = {
      {"mixed operands", [](auto& c) { c.linear.weight = "int4"; }, "array.weight",
       "got \"int4\" with activation \"fp16\""},
      {"wide integer operand", [](auto& c) { make_integer(c.head, c.head_accumulator), c.head.activation = "int9"; },
       "head.activation", "got \"int9\"; expected int2 to int8"},
      {"wide integer weight", [](auto& c) { make_integer(c.head, c.head_accumulator), c.head.weight = "int12"; },
       "head.weight", "got \"int12\"; expected int2 to int8"},
      {"operand_max without scale", [](auto& c) { c.linear.operand_max = 4; }, "array.operand_max",
       "array.scale = \"dynamic\""},
      {"operand_max beyond the format",
       [](auto& c) { c.head.operand_max = 500, c.head.scale = "dynamic", c.head.weight = "fp8_e4m3"; },
       "head.operand_max", "for fp8_e4m3; expected at most"},
      {"integer accumulator of floats", [](auto& c) { c.attention_accumulator.format = "int32"; },
       "attention.accumulator.format", "expected a float format"},
      {"float accumulator of integers", [](auto& c) { c.linear.activation = c.linear.weight = "int4"; },
       "accumulator.format", "expected int2 to int32"},
      {"accumulator narrower than a product",
       [](auto& c) { make_integer(c.linear, c.accumulator), c.accumulator.format = "int7"; }, "accumulator.format",
       "got \"int7\" for products of 8 bits"},
      {"rounded integer products",
       [](auto& c) { make_integer(c.linear, c.accumulator), c.accumulator.product = "fp16"; }, "accumulator.product",
       "integer products are not rounded"},
      {"integer tree",
       [](auto& c) { make_integer(c.linear, c.accumulator), c.accumulator.reduce = "tree", c.array.dot_width = 4; },
       "accumulator.reduce", "got \"tree\" with an integer accumulator"},
      {"interleaved chain of adders",
       [](auto& c) {
         c.array.dot_width = 4;
         c.attention_accumulator.interleave = 2;
       },
       "attention.accumulator.interleave", "got 2 with sequential reduction of array.dot_width = 4"},
      {"interleaved chain of fixed-point adders",
       [](auto& c) {
         c.array.dot_width = 2;
         c.head_accumulator.reduce = "fixed", c.head_accumulator.interleave = 4;
       },
       "head.accumulator.interleave", "got 4 with fixed reduction of array.dot_width = 2"},
      {"aligned integers", [](auto& c) { make_integer(c.linear, c.accumulator), c.accumulator.reduce = "aligned"; },
       "accumulator.reduce", "got \"aligned\" with an integer accumulator"},
      {"fraction bits of no alignment", [](auto& c) { c.accumulator.extra_bits = 13; }, "accumulator.extra_bits",
       "got 13 with reduce = \"sequential\"; expected 24, the default, or reduce = \"aligned\""},
      {"rounding of no alignment",
       [](auto& c) {
         c.array.dot_width = 4;
         c.attention_accumulator.reduce = "tree", c.attention_accumulator.align_rounding = "rdn";
       },
       "attention.accumulator.align_rounding", "got \"rdn\" with reduce = \"tree\"; expected \"rtz\""},
      {"accumulator of no alignment",
       [](auto& c) { c.accumulator.reduce = "fixed", c.accumulator.align_accumulator = false; },
       "accumulator.align_accumulator", "got false with reduce = \"fixed\"; expected true"},
      {"register of no fixed point",
       [](auto& c) { c.accumulator.reduce = "aligned", c.accumulator.fixed_format = "q36.18"; },
       "accumulator.fixed_format", "got \"q36.18\" with reduce = \"aligned\"; expected \"q64.64\""},
      {"rounding into no fixed point", [](auto& c) { c.head_accumulator.fixed_rounding = "rne"; },
       "head.accumulator.fixed_rounding", "or reduce = \"fixed\""},
      {"overflow of no fixed point", [](auto& c) { c.accumulator.fixed_overflow = "saturate"; },
       "accumulator.fixed_overflow", "got \"saturate\" with reduce = \"sequential\""},
      {"interleaved integers", [](auto& c) { make_integer(c.linear, c.accumulator), c.accumulator.interleave = 2; },
       "accumulator.interleave", "got 2 with an integer accumulator"},
      {"odd dot_width", [](auto& c) { c.array.dot_width = 6; }, "array.dot_width", "got 6; expected a power of two"},
      {"odd lanes", [](auto& c) { c.norm.lanes = 12; }, "norm.lanes", "got 12; expected a power of two"},
      {"tree of one", [](auto& c) { c.accumulator.reduce = "tree"; }, "accumulator.reduce", "array.dot_width = 1"},
      {"infinity in E4M3", [](auto& c) { c.accumulator.format = "fp8_e4m3"; }, "accumulator.overflow",
       "got \"infinity\" for fp8_e4m3, which has none; expected \"saturate\" or \"nan\""},
      {"infinity in a rounded product", [](auto& c) { c.accumulator.product = "fp8_e4m3"; }, "accumulator.overflow",
       "got \"infinity\" for fp8_e4m3"},
      {"NaN in E2M1",
       [](auto& c) { c.head_accumulator.buffer.format = "fp4_e2m1", c.head_accumulator.buffer.overflow = "nan"; },
       "head.accumulator.buffer.overflow", "got \"nan\" for fp4_e2m1, which has none; expected \"saturate\""},
      {"infinity in the norm", [](auto& c) { c.norm.accumulator.format = "fp8_e4m3"; }, "norm.accumulator.overflow",
       "got \"infinity\" for fp8_e4m3"},
      {"stochastic norm", [](auto& c) { c.norm.accumulator.rounding = "stochastic"; }, "norm.accumulator.rounding",
       "no random generator"},
      {"chunks that interleaving does not divide",
       [](auto& c) {
         c.attention_accumulator.interleave = 3;
         c.attention_accumulator.buffer.format = "fp32", c.attention_accumulator.buffer.promote_every = 128;
       },
       "attention.accumulator.buffer.promote_every",
       "got 128 with attention.accumulator.interleave = 3; expected a multiple of 3"},
      {"promotion without buffer", [](auto& c) { c.accumulator.buffer.promote_every = 32; },
       "accumulator.buffer.promote_every", "got 32 without a buffer"},
      {"wide cache codes", [](auto& c) { c.storage.kv_cache = "int12"; }, "storage.kv_cache",
       "got \"int12\"; expected int2 to int8"},
      {"zero points without codes", [](auto& c) { c.storage.kv_cache_zero_point = true; },
       "storage.kv_cache_zero_point", "got true with storage.kv_cache = \"fp16\"; expected false"},
  };
  return list;
}

AcceleratorConfig weight_stationary() {
  AcceleratorConfig config;
  config.array.dataflow = "ws";
  config.accumulator.buffer.format = config.attention_accumulator.buffer.format = "fp32";
  config.head_accumulator.buffer.format = "fp32";
  return config;
}

std::string text_of(const std::vector<ConfigProblem>& problems) {
  std::string text;
  for (const ConfigProblem& problem : problems) text += problem.key + ": " + problem.message + "\n";
  return text;
}

TEST(CrossFieldTest, DefaultsAndWeightStationaryWithBuffersAreConsistent) {
  EXPECT_EQ(text_of(AcceleratorConfig{}.cross_field_problems()), "");
  EXPECT_EQ(text_of(weight_stationary().cross_field_problems()), "");
}

TEST(CrossFieldTest, EveryRuleNamesItsKeyAndWhatItExpects) {
  for (const Violation& violation : violations()) {
    AcceleratorConfig config;
    violation.break_rule(config);
    const std::vector<ConfigProblem> problems = config.cross_field_problems();
    const bool found = std::ranges::any_of(problems, [&](const ConfigProblem& problem) {
      return problem.key == violation.key && problem.message.find(violation.message) != std::string::npos &&
             problem.message.starts_with("got ") && problem.message.find("; expected ") != std::string::npos;
    });
    EXPECT_TRUE(found) << violation.what << ": " << text_of(problems);
    if (std::string_view(violation.key) != "array.weight") {  // a mixed pair has no fitting accumulator either
      EXPECT_EQ(problems.size(), 1u) << violation.what << ": " << text_of(problems);
    }
  }
}

TEST(CrossFieldTest, EveryReductionTakesItsOwnKeys) {
  AcceleratorConfig config;
  config.array.dot_width = 32;
  config.accumulator.reduce = "aligned";
  config.accumulator.extra_bits = 13;
  config.accumulator.align_rounding = "rdn";
  config.accumulator.align_accumulator = false;
  config.accumulator.interleave = 2;
  config.attention_accumulator.reduce = "fixed";
  config.attention_accumulator.fixed_format = "q36.18";
  config.attention_accumulator.fixed_rounding = "rne";
  config.attention_accumulator.fixed_overflow = "saturate";
  EXPECT_EQ(text_of(config.cross_field_problems()), "");
}

TEST(CrossFieldTest, WeightStationaryRules) {
  AcceleratorConfig config = weight_stationary();
  config.array.rows = 48;
  config.accumulator.interleave = 2;
  config.head_accumulator.buffer.format = "";
  config.attention_accumulator.buffer.promote_every = 64;
  const std::vector<ConfigProblem> problems = config.cross_field_problems();
  std::set<std::string> keys;
  for (const ConfigProblem& problem : problems) keys.insert(problem.key);
  EXPECT_THAT(keys, testing::ElementsAre("accumulator.interleave", "attention.accumulator.buffer.promote_every",
                                         "head.accumulator.buffer.format", "smooth.group"))
      << text_of(problems);
  config.array.dataflow = "is";
  EXPECT_EQ(config.cross_field_problems().size(), problems.size()) << "sums flow down the columns as well";
  EXPECT_THAT(text_of(config.cross_field_problems()), testing::HasSubstr("array.dataflow = \"is\""));
  config = weight_stationary();
  config.accumulator.buffer.promote_every = 32;
  EXPECT_EQ(text_of(config.cross_field_problems()), "") << "the column's own length may be written out";
}

TEST(CrossFieldTest, AllViolationsAreReportedAtOnce) {
  AcceleratorConfig config;
  config.array.dot_width = 3;
  config.norm.lanes = 24;
  config.norm.accumulator.rounding = "stochastic";
  config.accumulator.buffer.promote_every = 8;
  config.head.operand_max = 1;
  EXPECT_EQ(config.cross_field_problems().size(), 5u) << text_of(config.cross_field_problems());
}

}  // namespace
}  // namespace guardbit::units
