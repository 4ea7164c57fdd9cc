// `guardbit quantize` as a user meets it: codes of the reference, scales, events, and files that appear whole or not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "models/arith/float_ops.h"
#include "models/numerics/codec.h"
#include "tests/support/golden_file.h"
#include "tests/support/npy_writer.h"
#include "tests/support/run_guardbit.h"

namespace guardbit::tests {
namespace {

using numerics::Event;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

class QuantizeVerbTest : public testing::Test {
 protected:
  std::string write(const std::vector<float>& values, const std::string& shape) {
    return directory_.write("x.npy", npy_file(npy_header("<f4", shape), raw_bytes(values))).string();
  }
  Json quantize(const std::string& arguments) {
    const CommandResult result = run_guardbit("quantize " + arguments + " --format json");
    EXPECT_EQ(result.status, 0) << arguments << "\n" << result.err;
    return result.status == 0 ? Json::parse(result.out) : Json();
  }
  std::string out(const char* name) { return (directory_ / name).string(); }
  TemporaryDirectory directory_;
};

/// Values around every boundary of small formats: all exponents, ties, extremes, specials.
std::vector<float> boundary_values() {
  std::vector<float> values = {0.0F, -0.0F, 0x1p-149F, 3e38F, std::nanf(""), HUGE_VALF, -HUGE_VALF};
  for (int exponent = -30; exponent <= 20; ++exponent) {
    for (const float significand : {1.0F, 1.0625F, 1.125F, 1.1875F, 1.5F, 1.75F, 1.9375F, 1.99F}) {
      values.push_back(std::ldexp(significand, exponent));
      values.push_back(-std::ldexp(significand, exponent));
    }
  }
  return values;
}

TEST_F(QuantizeVerbTest, CodesAndEventsAreTheReferencesConversions) {
  const std::vector<float> values = boundary_values();
  const std::string input = write(values, "(" + std::to_string(values.size()) + ",)");
  for (const std::string format_name : {"fp8_e4m3", "fp8_e5m2", "fp4_e2m1", "fp8_e4m3fnuz", "e3m4"}) {
    for (const std::string rounding : {"rne", "rtz", "rup", "rdn", "rna", "odd"}) {
      for (const std::string overflow : {"saturate", "infinity"}) {
        const Json json = quantize(input + " --format " + format_name + " --rounding " + rounding + " --overflow " +
                                   overflow + " -o " + out("y.npy"));
        const auto format = *numerics::parse_float_format(format_name);
        const numerics::FloatSpec spec{.format = format,
                                       .rounding = *numerics::parse_rounding(rounding),
                                       .overflow = *numerics::parse_overflow(overflow)};
        const auto codes = npy_elements<std::uint8_t>(content_of(directory_ / "y.npy"));
        ASSERT_EQ(codes.size(), values.size());
        numerics::EventCounts events;
        for (std::size_t i = 0; i < values.size(); ++i) {
          const auto expected = arith::convert(std::bit_cast<std::uint32_t>(values[i]), numerics::kFp32, spec);
          events.add(expected.events);
          EXPECT_EQ(codes[i], expected.code) << format_name << " " << rounding << " " << overflow << " " << values[i];
          if (expected.events.has(Event::kOverflow)) ++events[Event::kClipped];
          if (values[i] != 0 && numerics::to_carrier(expected.code, format) == 0) ++events[Event::kZeroed];
        }
        for (std::size_t e = 0; e < numerics::kNumEvents; ++e) {
          EXPECT_EQ(json["tensors"][0]["events"][std::string(numerics::kEventNames[e])], events.counts[e])
              << format_name << " " << rounding << " " << overflow << " " << numerics::kEventNames[e];
        }
      }
    }
  }
}

TEST_F(QuantizeVerbTest, WiderFormatsHaveWiderCodes) {
  const std::string input = write({1, -1.5F}, "(2,)");
  quantize(input + " --format bf16 -o " + out("h.npy"));
  EXPECT_EQ(npy_elements<std::uint16_t>(content_of(directory_ / "h.npy")),
            (std::vector<std::uint16_t>{0x3F80, 0xBFC0}));
  quantize(input + " --format tf32 -o " + out("w.npy"));
  EXPECT_EQ(npy_elements<std::uint32_t>(content_of(directory_ / "w.npy")),
            (std::vector<std::uint32_t>{0x3F80 << 3, 0xBFC0 << 3}));
  quantize(input + " --format fp8_e4m3 --carrier -o " + out("c.npy"));
  EXPECT_EQ(npy_elements<float>(content_of(directory_ / "c.npy")), (std::vector<float>{1, -1.5F}));
}

TEST_F(QuantizeVerbTest, ScalesMakeTheLargestElementTheLargestValue) {
  // Rows with maxima 896 = 2 * 448 and 7: scales 2 and 7 / 448 = 2^-6.
  const std::string input = write({896, 2, -4, 7, -3.5F, 0}, "(2, 3)");
  const Json json = quantize(input + " --format fp8_e4m3 --scale row -o " + out("y.safetensors"));
  EXPECT_EQ(json["tensors"][0]["scales"].dump(), R"({"count":2,"min":0.015625,"max":2.0})");
  const std::string file = content_of(directory_ / "y.safetensors");
  std::uint64_t num_header_bytes = 0;
  std::memcpy(&num_header_bytes, file.data(), sizeof num_header_bytes);
  const Json header = Json::parse(file.substr(8, num_header_bytes));
  EXPECT_EQ(header["__metadata__"]["guardbit.format"], "fp8_e4m3");
  EXPECT_EQ(header["tensor"]["dtype"], "U8");
  EXPECT_EQ(header["tensor"]["shape"].dump(), "[2,3]");
  EXPECT_EQ(header["tensor.scale"]["shape"].dump(), "[2]");
  const std::string data = file.substr(file.size() - 14);
  EXPECT_EQ(data.substr(0, 8), raw_bytes<float>({2, 0.015625F}));
  EXPECT_EQ(data.substr(8), "\x7E\x38\xC0\x7E\xF6" + std::string(1, '\0'));

  const Json tensor = quantize(input + " --format fp8_e4m3 --scale tensor -o " + out("t.safetensors"));
  EXPECT_EQ(tensor["tensors"][0]["scales"].dump(), R"({"count":1,"min":2.0,"max":2.0})");
  const std::string odd = write({900, 1}, "(2,)");
  const Json pow2 = quantize(odd + " --format fp8_e4m3 --scale pow2 -o " + out("p.safetensors"));
  EXPECT_EQ(pow2["tensors"][0]["scales"]["max"], 4.0) << "900 / 448 = 2.009, rounded up to a power of two";
}

TEST_F(QuantizeVerbTest, IntegersAreClampedToTheirRange) {
  const std::string input = write({7.4F, 100, -100, 0.5F, 1.5F, -0.2F}, "(6,)");
  const Json json = quantize(input + " --format int4 -o " + out("i.npy"));
  EXPECT_EQ(npy_elements<std::int8_t>(content_of(directory_ / "i.npy")), (std::vector<std::int8_t>{7, 7, -8, 0, 2, 0}));
  EXPECT_EQ(json["tensors"][0]["events"]["clipped"], 2);
  EXPECT_EQ(json["tensors"][0]["events"]["zeroed"], 2);
  EXPECT_EQ(json["tensors"][0]["below_range"], 2) << "0.5 and -0.2 lie below 1";
  EXPECT_EQ(json["tensors"][0]["above_range"], 2);
  EXPECT_EQ(json["tensors"][0]["error"]["max_abs"], 93.0);
}

TEST_F(QuantizeVerbTest, StochasticRoundingDependsOnTheSeedOnly) {
  std::vector<float> values(20000, 1.03125F);  // a quarter of the way from 1 to 1.125
  const std::string input = write(values, "(100, 200)");
  const auto codes = [&](const std::string& options) {
    quantize(input + " --format fp8_e4m3 --rounding stochastic " + options + " -o " + out("s.npy"));
    return npy_elements<std::uint8_t>(content_of(directory_ / "s.npy"));
  };
  const auto expected = codes("--seed 1 --threads 1");
  EXPECT_EQ(codes("--seed 1 --threads 2"), expected);
  EXPECT_NE(codes("--seed 2"), expected);
  const auto num_up = std::count(expected.begin(), expected.end(), 0x39);
  EXPECT_EQ(num_up + std::count(expected.begin(), expected.end(), 0x38), 20000);
  EXPECT_NEAR(static_cast<double>(num_up), 5000, 300) << "a quarter; 300 is five standard deviations";
}

TEST_F(QuantizeVerbTest, EveryTensorOfASafetensorsFile) {
  std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                       R"("b":{"dtype":"F16","shape":[1,2],"data_offsets":[8,12]}})";
  header.append((8 - header.size() % 8) % 8, ' ');
  const std::string input =
      directory_
          .write("in.safetensors", raw_bytes<std::uint64_t>({header.size()}) + header + raw_bytes<float>({1, 2}) +
                                       raw_bytes<std::uint16_t>({0x3C00, 0x4400}))
          .string();
  const Json json = quantize(input + " --format fp8_e4m3 -o " + out("o.safetensors"));
  ASSERT_EQ(json["tensors"].size(), 2U);
  EXPECT_EQ(json["tensors"][1]["name"], "b");
  const std::string file = content_of(directory_ / "o.safetensors");
  EXPECT_EQ(file.substr(file.size() - 4), "\x38\x40\x38\x48");
  quantize(input + " --tensor b --format fp8_e4m3 -o " + out("b.npy"));
  EXPECT_EQ(npy_elements<std::uint8_t>(content_of(directory_ / "b.npy")), (std::vector<std::uint8_t>{0x38, 0x48}));
  for (const char* options : {"--tensor c -o o.safetensors", "-o o.npy"}) {
    EXPECT_EQ(run_guardbit("quantize " + input + " --format fp16 " + options).status, 2) << options;
  }
}

TEST_F(QuantizeVerbTest, ReportMatchesGolden) {
  const std::string input = write({1, -2.5F, 1000, 1e-5F, 0, 3.3F}, "(2, 3)");
  Json json = quantize(input + " --format fp8_e4m3 -o " + out("y.npy"));
  for (const char* key : {"provenance", "input", "output"}) json.erase(key);
  expect_golden("tests/golden/quantize_small.json", json.dump(1) + "\n");
}

TEST_F(QuantizeVerbTest, WhatIsWrongIsSaidAndNothingIsWritten) {
  const std::string input = write({1, 2}, "(2,)");
  struct Row {
    std::string arguments;
    int status;
    const char* message;
  };
  const std::string to = " -o " + out("y.npy");
  const std::vector<Row> rows = {{input + to, 2, "--format"},
                                 {input + " --format fp9" + to, 2, "--format: got 'fp9'"},
                                 {input + " --format int33" + to, 2, "intN or uintN with N 2..32"},
                                 {input + " --format uint1" + to, 2, "intN or uintN with N 2..32"},
                                 {input + " --format q8.8" + to, 2, "a block format"},
                                 {input + " --format json" + to, 2, "--format: got ''"},
                                 {input + " --format fp16 --format bf16" + to, 2, "one number format"},
                                 {input + " --format int4 --rounding rtz" + to, 2, "expected rne"},
                                 {input + " --format uint8 --overflow infinity" + to, 2, "expected saturate"},
                                 {input + " --format uint8 --subnormals flush" + to, 2, "expected keep"},
                                 {input + " --format uint8 --scale tensor" + to, 2, "no place for scales"},
                                 {input + " --format uint8 --axis 0" + to, 2, "--axis: got 0 for uint8"},
                                 {input + " --format mxfp4_e2m1" + to, 2, "no place for scales"},
                                 {input + " --format nvfp4 --scale row --carrier" + to, 2, "scales of their own"},
                                 {input + " --format mxint8 --overflow nan --carrier" + to, 2, "expected saturate"},
                                 {input + " --format mxint8 --axis 1 --carrier" + to, 2, "--axis: got 1 for tensor"},
                                 {input + " --format mxint8 --axis -2 --carrier" + to, 2, "expected -1..0"},
                                 {input + " --format fp16 --seed -1" + to, 2, "--seed"},
                                 {input + " --format fp16 --rounding up" + to, 2, "--rounding: got 'up'"},
                                 {input + " --format fp16 --overflow wrap" + to, 2, "--overflow: got 'wrap'"},
                                 {input + " --format fp16 --scale group" + to, 2, "group"},
                                 {input + " --format fp16 --scale row" + to, 2, "no place for scales"},
                                 {input + " --format fp16 --tensor x" + to, 2, "--tensor"},
                                 {input + " --format fp16 -o " + out("y.bin"), 2, "ends in .npy or .safetensors"},
                                 {"x.bin --format fp16" + to, 2, "x.bin"},
                                 {"none.npy --format fp16" + to, 66, "none.npy"},
                                 {input + " --format fp16 -o /nonexistent/y.npy", 73, "/nonexistent"}};
  for (const Row& row : rows) {
    const CommandResult result = run_guardbit("quantize " + row.arguments);
    EXPECT_EQ(result.status, row.status) << row.arguments << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(row.message)) << row.arguments;
  }
  EXPECT_EQ(directory_.num_entries(), 1U) << "only the input";
}

}  // namespace
}  // namespace guardbit::tests
