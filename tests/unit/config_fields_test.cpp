// Every key of the accelerator, walked from the structs' own lists: names, rules, defaults, types.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "models/numerics/edit_distance.h"
#include "sim/config/fields.h"
#include "sim/config/suggest.h"

namespace guardbit::sim {
namespace {

TEST(ConfigFieldsTest, KeysAreUniqueAndDescribed) {
  units::AcceleratorConfig config;
  std::set<std::string> keys;
  for (const Field& field : fields_of(config)) {
    EXPECT_TRUE(keys.insert(field.key).second) << field.key << " is listed twice";
    EXPECT_TRUE(field.key.starts_with(field.section + ".")) << field.key;
    EXPECT_GT(field.sentence.size(), 10u) << field.key;
  }
  EXPECT_TRUE(keys.contains("array.rows"));
  EXPECT_TRUE(keys.contains("array.activation")) << "the operands of linear layers share the section";
  EXPECT_TRUE(keys.contains("head.accumulator.buffer.promote_every"));
}

// The member type must fit the rule, and every default must be a value that a file could set.
TEST(ConfigFieldsTest, EveryDefaultPassesItsOwnRule) {
  units::AcceleratorConfig config;
  for (const Field& field : fields_of(config)) {
    const std::string before = value_text(field);
    ConfigValue value;
    std::visit([&](const auto* member) { value = *member; }, field.member);
    EXPECT_EQ(assign(field, value), std::nullopt) << field.key;
    EXPECT_EQ(value_text(field), before) << field.key;
  }
}

TEST(ConfigFieldsTest, RangesIncludeTheirEndsAndNothingBeyond) {
  units::AcceleratorConfig config;
  int num_ranges = 0;
  for (const Field& field : fields_of(config)) {
    const auto* range = std::get_if<units::IntRange>(&field.rule);
    if (range == nullptr) continue;
    ++num_ranges;
    const auto& member = *std::get<std::int64_t*>(field.member);
    EXPECT_EQ(assign(field, range->min), std::nullopt) << field.key;
    EXPECT_EQ(member, range->min);
    EXPECT_EQ(assign(field, range->max), std::nullopt) << field.key;
    EXPECT_EQ(member, range->max);
    EXPECT_NE(assign(field, range->min - 1), std::nullopt) << field.key;
    EXPECT_NE(assign(field, range->max + 1), std::nullopt) << field.key;
    EXPECT_EQ(member, range->max) << field.key << ": a refused value must not be stored";
  }
  EXPECT_GT(num_ranges, 20);
}

TEST(ConfigFieldsTest, RealsTakeIntegersButNoNanInfinityOrNeighboursOfTheRange) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  units::AcceleratorConfig config;
  int num_reals = 0;
  for (const Field& field : fields_of(config)) {
    const auto* range = std::get_if<units::RealRange>(&field.rule);
    if (range == nullptr) continue;
    ++num_reals;
    EXPECT_EQ(assign(field, range->min), std::nullopt) << field.key;
    EXPECT_EQ(assign(field, range->max), std::nullopt) << field.key;
    EXPECT_NE(assign(field, std::nextafter(range->min, -kInfinity)), std::nullopt) << field.key;
    EXPECT_NE(assign(field, std::nextafter(range->max, kInfinity)), std::nullopt) << field.key;
    for (const double bad : {kInfinity, -kInfinity, std::nan("")}) {
      EXPECT_NE(assign(field, bad), std::nullopt) << field.key << " = " << bad;
    }
    EXPECT_EQ(assign(field, std::int64_t{1}), std::nullopt) << field.key;
    EXPECT_EQ(value_text(field), "1") << field.key;
  }
  EXPECT_EQ(num_reals, 26) << "five, and the tables of energy and area";
}

TEST(ConfigFieldsTest, FormatsOfTensorsAloneAreRefusedWithTheReason) {
  units::AcceleratorConfig config;
  for (const Field& field : fields_of(config)) {
    if (!std::holds_alternative<units::FormatName>(field.rule)) continue;
    const auto reason = [&](const char* name) { return assign(field, std::string(name)).value_or("accepted"); };
    EXPECT_NE(reason("uint8").find("; unsigned integers are formats of guardbit quantize: a PE"), std::string::npos)
        << field.key << ": " << reason("uint8");
    EXPECT_NE(reason("mxfp4_e2m1").find("; block formats are formats of guardbit quantize:"), std::string::npos)
        << field.key << ": " << reason("mxfp4_e2m1");
  }
}

TEST(ConfigFieldsTest, FixedPointNamesAreThoseOfNumerics) {
  units::AcceleratorConfig config;
  int num_names = 0;
  for (const Field& field : fields_of(config)) {
    if (!std::holds_alternative<units::FixedFormatName>(field.rule)) continue;
    ++num_names;
    EXPECT_EQ(assign(field, std::string("q1.320")), std::nullopt) << field.key;
    EXPECT_EQ(value_text(field), "q1.320");
    for (const char* bad : {"q0.8", "q321.0", "q8", "q1.0", "Q8.8", "q08.8", "fp16", ""}) {
      EXPECT_NE(assign(field, std::string(bad)), std::nullopt) << bad;
    }
    EXPECT_EQ(value_text(field), "q1.320") << "a refused value must not be stored";
  }
  EXPECT_EQ(num_names, 3) << "linear layers, attention, head";
}

TEST(ConfigFieldsTest, TypesAreStrict) {
  units::AcceleratorConfig config;
  const std::vector<ConfigValue> values = {true, std::int64_t{1}, 1.0, std::string("1"), OtherValue{"an array"}};
  for (const Field& field : fields_of(config)) {
    for (const ConfigValue& value : values) {
      const bool same = std::visit(
          []<class M, class V>(const M*, const V&) {
            return std::is_same_v<M, V> || (std::is_same_v<M, double> && std::is_same_v<V, std::int64_t>);
          },
          field.member, value);
      if (same) continue;
      const auto problem = assign(field, value);
      ASSERT_NE(problem, std::nullopt) << field.key << " took " << describe(value);
      EXPECT_TRUE(problem->starts_with("got " + as_written(value) + "; expected ")) << *problem;
    }
  }
}

TEST(ConfigFieldsTest, NamesAreExactlyThoseOfTheRule) {
  units::AcceleratorConfig config;
  for (const Field& field : fields_of(config)) {
    if (const auto* one_of = std::get_if<units::OneOf>(&field.rule)) {
      for (const std::string_view name : one_of->values) {
        EXPECT_EQ(assign(field, std::string(name)), std::nullopt) << field.key << " " << name;
      }
      EXPECT_NE(assign(field, std::string()), std::nullopt) << field.key;
      EXPECT_NE(assign(field, std::string("OS")), std::nullopt) << field.key;
    }
    if (const auto* format = std::get_if<units::FormatName>(&field.rule)) {
      for (const auto& row : numerics::kFloatFormats) {
        EXPECT_EQ(assign(field, std::string(row.name)), std::nullopt) << field.key << " " << row.name;
      }
      EXPECT_EQ(assign(field, std::string("e6m9")), std::nullopt) << field.key;
      EXPECT_EQ(!assign(field, std::string("int8")).has_value(), format->integers) << field.key;
      EXPECT_EQ(!assign(field, std::string()).has_value(), format->empty) << field.key;
      EXPECT_EQ(!assign(field, std::string("exact")).has_value(), format->exact) << field.key;
      for (const char* bad : {"fp17", "FP16", "e1m3", "e9m3", "e5m0", "e5m24", "e-5m3", "int1", "int33", "int08"}) {
        EXPECT_NE(assign(field, std::string(bad)), std::nullopt) << field.key << " " << bad;
      }
    }
  }
}

TEST(ConfigFieldsTest, RealsPrintShortestAndReadBack) {
  units::AcceleratorConfig config;
  for (const Field& field : fields_of(config)) {
    if (field.key != "dram.bandwidth_bytes_per_cycle") continue;
    for (const double value : {0.1, 1.0 / 1024, 12.8, 65536.0, 1.0 / 3}) {
      ASSERT_EQ(assign(field, value), std::nullopt);
      EXPECT_EQ(std::stod(value_text(field)), value);
    }
    ASSERT_EQ(assign(field, 0.1), std::nullopt);
    EXPECT_EQ(value_text(field), "0.1");
  }
}

TEST(ConfigSuggestTest, EditDistance) {
  EXPECT_EQ(numerics::edit_distance("", ""), 0u);
  EXPECT_EQ(numerics::edit_distance("rows", "rows"), 0u);
  EXPECT_EQ(numerics::edit_distance("", "abc"), 3u);
  EXPECT_EQ(numerics::edit_distance("abc", ""), 3u);
  EXPECT_EQ(numerics::edit_distance("kitten", "sitting"), 3u);  // k/s, e/i, +g
  EXPECT_EQ(numerics::edit_distance("rwos", "rows"), 1u);       // a swap
  EXPECT_EQ(numerics::edit_distance("ca", "abc"), 3u);          // not 2: a swap's part is not edited again
}

TEST(ConfigSuggestTest, OnlyNearNamesAreSuggested) {
  const std::vector<std::string> names = {"lanes", "latency", "rows"};
  EXPECT_EQ(nearest("lane", names), "lanes");
  EXPECT_EQ(nearest("row", names), "rows");
  EXPECT_EQ(nearest("latenzy", names), "latency");
  EXPECT_EQ(nearest("columns", names), std::nullopt);
  EXPECT_EQ(nearest("", names), std::nullopt);
  EXPECT_EQ(nearest(std::string(1000, 'l'), names), std::nullopt);
}

}  // namespace
}  // namespace guardbit::sim
