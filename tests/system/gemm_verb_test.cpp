// `guardbit gemm` as a user meets it: bits and events of the reference, exact errors, cycles of the policy table, one
// clear refusal for whatever is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "models/arith/accumulator.h"
#include "models/arith/presets.h"
#include "models/numerics/codec.h"
#include "sim/base/sha256.h"
#include "tests/support/golden_file.h"
#include "tests/support/npy_writer.h"
#include "tests/support/run_guardbit.h"
#include "tests/support/vcd_reader.h"

namespace guardbit::tests {
namespace {

using numerics::Event;
using numerics::Matrix;
using testing::HasSubstr;
using Json = nlohmann::ordered_json;

Json gemm(const std::string& arguments) {
  const CommandResult result = run_guardbit("gemm " + arguments + " --format json");
  EXPECT_EQ(result.status, 0) << arguments << "\n" << result.err;
  return result.status == 0 ? Json::parse(result.out) : Json();
}

/// Values of a format, most of them near 1, some at its ends.
Matrix<float> random_operand(std::size_t rows, std::size_t cols, const numerics::FloatFormat& format, unsigned seed) {
  std::mt19937 random(seed);
  Matrix<float> matrix(rows, cols);
  for (float& value : matrix.data()) {
    const bool any = random() % 16 == 0;
    const auto bits = static_cast<std::uint32_t>(random());
    const std::uint32_t code =
        any ? bits % format.max_finite_code() : numerics::from_carrier(1, format) + bits % (4U << format.trailing_bits);
    value = numerics::to_carrier(code, format) * (random() % 2 == 0 ? 1 : -1);
  }
  return matrix;
}

class GemmVerbTest : public testing::Test {
 protected:
  std::string write(const std::string& name, const Matrix<float>& matrix) {
    const std::string shape = "(" + std::to_string(matrix.rows()) + ", " + std::to_string(matrix.cols()) + ")";
    return directory_.write(name, npy_file(npy_header("<f4", shape), raw_bytes(matrix.data()))).string();
  }
  TemporaryDirectory directory_;
};

void expect_events(const Json& events, const char* stage, const numerics::EventCounts& counts) {
  for (std::size_t i = 0; i < numerics::kNumEvents; ++i) {
    const std::string event(numerics::kEventNames[i]);
    const Json count = events.contains(stage) ? events[stage][event] : Json(0);
    EXPECT_EQ(count, counts.counts[i]) << stage << " " << event;
  }
}

/// C and events of the command against arith::gemm_reference on the operands that this test wrote.
void expect_reference(const std::string& options, const Matrix<float>& a, const Matrix<float>& b,
                      const arith::AccumulationSpec& spec, const std::filesystem::path& output) {
  const Json json = gemm(options + " -o " + output.string());
  Matrix<float> expected(a.rows(), b.cols());
  arith::AccumulationEvents events;
  arith::gemm_reference(a.view(), b.view(), spec, {}, {}, {}, expected.view(), events);
  const std::vector<float> c = npy_elements<float>(content_of(output));
  ASSERT_EQ(c.size(), expected.data().size());
  EXPECT_EQ(raw_bytes(c), raw_bytes(expected.data())) << options;
  EXPECT_EQ(json["result"]["digest"], sim::sha256_hex(raw_bytes(expected.data())));
  expect_events(json["result"]["events"], "product", events.product);
  expect_events(json["result"]["events"], "inner_accumulator", events.inner);
  expect_events(json["result"]["events"], "outer_accumulator", events.outer);

  // Errors by long double sums of at most 37 products of 22 bits: exact, or nearly so.
  double max_abs = 0;
  std::uint64_t left_out = 0;
  for (std::size_t m = 0; m < a.rows(); ++m) {
    for (std::size_t n = 0; n < b.cols(); ++n) {
      if (!std::isfinite(expected(m, n))) {
        ++left_out;
        continue;
      }
      long double sum = 0;
      for (std::size_t k = 0; k < a.cols(); ++k) {
        sum += static_cast<long double>(a(m, k)) * static_cast<long double>(b(k, n));
      }
      max_abs = std::max(max_abs, static_cast<double>(std::fabs(static_cast<long double>(expected(m, n)) - sum)));
    }
  }
  EXPECT_NEAR(json["result"]["error"]["max_abs"].get<double>(), max_abs, 1e-5 * max_abs);  // printed with six digits
  EXPECT_EQ(json["result"]["error"]["left_out"], left_out);
}

TEST_F(GemmVerbTest, BitsAndEventsAreTheReferences) {
  const Matrix<float> a = random_operand(5, 37, numerics::kFp16, 1);
  const Matrix<float> b = random_operand(37, 11, numerics::kFp16, 2);
  const std::string operands = "5 11 37 --a " + write("a.npy", a) + " --b " + write("b.npy", b);
  const numerics::FloatSpec fp16{.format = numerics::kFp16};
  expect_reference(operands + " --set accumulator.format=fp16", a, b, {.inner = fp16}, directory_ / "c.npy");
  expect_reference(operands +
                       " --set accumulator.format=fp16 --set accumulator.product=fp16 --set array.dot_width=4 "
                       "--set accumulator.reduce=tree --set accumulator.buffer.format=fp32 "
                       "--set accumulator.buffer.promote_every=16",
                   a, b,
                   {.reduce = arith::Reduce::kTree,
                    .width = 4,
                    .product = fp16,
                    .inner = fp16,
                    .promote_every = 16,
                    .outer = {.format = numerics::kFp32}},
                   directory_ / "c.npy");
}

TEST_F(GemmVerbTest, EveryPresetEqualsItsReference) {
  for (const arith::Preset& preset : arith::presets()) {
    const Matrix<float> a = random_operand(3, 37, preset.a, 3);
    const Matrix<float> b = random_operand(37, 5, preset.b, 4);
    const std::string name(preset.name);
    expect_reference(
        "3 5 37 --preset " + name + " --a " + write(name + "_a.npy", a) + " --b " + write(name + "_b.npy", b), a, b,
        preset.spec, directory_ / (name + "_c.npy"));
  }
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"no_such", "expected one of volta_fp16"},
      {"hopper_fp8 --set accumulator.format=fp16", "got accumulator.format = fp16 (--set)"},
      {"hopper_fp8 --set array.dot_width=2", "expected 32"},
      {"hopper_fp8 --set array.activation=int4 --set array.weight=int4 --set accumulator.format=int32", "accumulator"}};
  for (const auto& [options, message] : refused) {
    const CommandResult result = run_guardbit("gemm 2 2 2 --preset " + options);
    EXPECT_EQ(result.status, 2) << options;
    EXPECT_THAT(result.err, HasSubstr(message));
  }
}

TEST_F(GemmVerbTest, APresetIsTheSameWrittenOutInKeys) {
  const std::string size = "9 7 300 --seed 5 ";
  for (const arith::Preset& preset : arith::presets()) {
    const Json named = gemm(size + "--preset " + std::string(preset.name));
    std::string keys;
    for (const auto& [key, value] : named["accelerator"]["keys"].items()) {
      keys += " --set " + key + "=" + value.get<std::string>();
    }
    const Json written_out = gemm(size + keys);
    EXPECT_EQ(written_out["result"], named["result"]) << keys;
    EXPECT_EQ(written_out["timing"], named["timing"]) << keys;
  }
  const std::string operands = "--set array.activation=fp8_e4m3 --set array.weight=fp8_e4m3 ";
  const Json hopper = gemm(size + operands +
                           "--set array.dot_width=32 --set accumulator.reduce=aligned --set accumulator.extra_bits=13 "
                           "--set accumulator.format=e8m13 --set accumulator.rounding=rtz "
                           "--set accumulator.buffer.format=fp32 --set accumulator.buffer.promote_every=128");
  EXPECT_EQ(hopper["result"], gemm(size + "--preset hopper_fp8_promote128")["result"]);
  const Json kulisch = gemm(size + operands +
                            "--set accumulator.reduce=fixed --set accumulator.fixed_format=q36.18 "
                            "--set accumulator.fixed_overflow=saturate --set accumulator.format=fp32");
  EXPECT_EQ(kulisch["result"], gemm(size + "--preset kulisch_fp8")["result"]);
  EXPECT_NE(kulisch["result"]["digest"], hopper["result"]["digest"]);
  const Json coarser = gemm(size + operands + "--set accumulator.reduce=aligned --set accumulator.extra_bits=3");
  EXPECT_GT(coarser["result"]["error"]["rms"], hopper["result"]["error"]["rms"]);
}

TEST_F(GemmVerbTest, FilesTransposedAndFromSafetensors) {
  const Matrix<float> a = random_operand(4, 6, numerics::kFp8E4M3, 5);
  const Matrix<float> b = random_operand(6, 3, numerics::kFp8E4M3, 6);
  Matrix<float> b_rows(3, 6);
  for (std::size_t k = 0; k < 6; ++k) {
    for (std::size_t n = 0; n < 3; ++n) b_rows(n, k) = b(k, n);
  }
  std::string header = R"({"other":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                       R"("w":{"dtype":"F32","shape":[3,6],"data_offsets":[4,76]}})";
  header.append((8 - header.size() % 8) % 8, ' ');
  const std::string weights = directory_
                                  .write("w.safetensors", raw_bytes<std::uint64_t>({header.size()}) + header +
                                                              raw_bytes<float>({0}) + raw_bytes(b_rows.data()))
                                  .string();
  const std::string common =
      "4 3 6 --set array.activation=fp8_e4m3 --set array.weight=fp8_e4m3 --a " + write("a.npy", a);
  const Json plain = gemm(common + " --b " + write("b.npy", b));
  EXPECT_EQ(gemm(common + " --transpose-b --b " + write("bt.npy", b_rows))["result"], plain["result"]);
  const Json named = gemm(common + " --transpose-b --b " + weights + ":w");
  EXPECT_EQ(named["result"], plain["result"]);
  EXPECT_EQ(named["provenance"]["b_sha256"], sim::sha256_of_file(weights));
  EXPECT_EQ(run_guardbit("gemm " + common + " --b " + weights).status, 2) << "two tensors, none named";
  EXPECT_EQ(run_guardbit("gemm " + common + " --b " + weights + ":w").status, 65) << "not transposed: (3, 6)";
  EXPECT_EQ(run_guardbit("gemm " + common + " --b " + weights + ":v").status, 65);
}

TEST_F(GemmVerbTest, ThreadsTargetsSeedsAndCounters) {
  const std::string common =
      "33 17 65 --a uniform:30 --b normal:20 --set accumulator.format=fp16 --set accumulator.rounding=stochastic ";
  const Json expected = gemm(common + "--threads 1 --seed 3 --reference")["result"];
  EXPECT_EQ(expected["equals_reference"], true);
  const auto result = [&](const std::string& options) {
    Json json = gemm(common + options)["result"];
    json["equals_reference"] = true;
    return json;
  };
  EXPECT_EQ(result("--seed 3 --threads 2 --vector-target scalar"), expected);
  EXPECT_NE(result("--seed 4")["digest"], expected["digest"]);
  const Json none = result("--seed 3 --events none");
  EXPECT_EQ(none["digest"], expected["digest"]);
  EXPECT_TRUE(none["events"].empty());
  const Json two = result("--seed 3 --events overflow,inexact");
  EXPECT_EQ(two["digest"], expected["digest"]);
  EXPECT_EQ(two["events"]["inner_accumulator"],
            (Json{{"overflow", expected["events"]["inner_accumulator"]["overflow"]},
                  {"inexact", expected["events"]["inner_accumulator"]["inexact"]}}));
}

TEST_F(GemmVerbTest, ConstantsShowHeadroomAndSaturation) {
  // 64 * 64 * 16 = 65536 is beyond fp16's 65504 in the last step of 16; 15 products are 61440 = 1.875 * 2^15.
  const Json over = gemm("2 3 16 --a constant:64 --b constant:64 --set accumulator.format=fp16")["result"];
  EXPECT_EQ(over["events"]["inner_accumulator"]["overflow"], 6);
  EXPECT_EQ(over["exponent_histogram"]["infinities"], 6);
  EXPECT_EQ(over["error"]["left_out"], 6);
  EXPECT_TRUE(over["headroom_bits"].is_null());
  const Json below = gemm("2 3 15 --a constant:64 --b constant:64 --set accumulator.format=fp16")["result"];
  EXPECT_EQ(below["headroom_bits"], 0);
  EXPECT_EQ(below["footroom_bits"], 15 + 14);
  EXPECT_EQ(below["exponent_histogram"]["exponents"], (Json{{"15", 6}}));
  EXPECT_EQ(below["error"]["exact"], 6);
  const Json saturated =
      gemm("2 3 16 --a constant:64 --b constant:64 --set accumulator.format=fp16 --set accumulator.overflow=saturate")
          ["result"];
  EXPECT_EQ(saturated["events"]["inner_accumulator"]["saturated"], 6);
  EXPECT_EQ(saturated["error"]["max_abs"], 32.0) << "65536 - 65504";
}

TEST_F(GemmVerbTest, IntegerOperandsAreQuantizedAndSummedExactly) {
  const Json json =
      gemm("4 4 32 --set array.activation=int4 --set array.weight=int4 --set accumulator.format=int32 --reference")
          ["result"];
  EXPECT_EQ(json["equals_reference"], true);
  EXPECT_EQ(json["error"]["exact"], 16);
  EXPECT_GT(json["events"]["quantizer"]["inexact"], 0);
  const Json narrow = gemm(
      "4 4 512 --a constant:1 --b constant:1 --set array.activation=int4 --set array.weight=int4 "
      "--set accumulator.format=int12 --set accumulator.int_overflow=saturate")["result"];
  EXPECT_EQ(narrow["events"]["inner_accumulator"]["saturated"], 16 * (512 - 2047 / 49)) << "7 * 7 a step, 2047 at most";
}

TEST_F(GemmVerbTest, ActivationsHaveZeroPointsAndScalesAsConfigured) {
  const std::string base =
      "6 5 100 --reference --set array.rows=5 --set array.cols=4 --set array.activation=int8 "
      "--set array.weight=int4 --set accumulator.format=int32 ";
  const Json plain = gemm(base)["result"];
  for (const std::string rest :
       {"--set array.activation_zero_point=true", "--set array.activation_scale=tensor",
        "--set array.activation_scale=tensor --set array.activation_zero_point=true --events overflow",
        "--set array.activation_group=16 --set array.activation_zero_point=true --set accumulator.buffer.format=fp16",
        "--set array.activation_group=10 --set array.dataflow=ws --set accumulator.buffer.format=fp16"}) {
    Json tile = gemm(base + rest);
    EXPECT_EQ(tile["result"]["equals_reference"], true) << rest;
    EXPECT_NE(tile["result"]["digest"], plain["digest"]) << rest;
    Json pe = gemm(base + rest + " --fidelity pe");
    pe["timing"].erase("pe_updates");
    tile["timing"]["fidelity"] = "pe";
    EXPECT_EQ(tile, pe) << rest;
    const bool is_exact = rest.find("group") == std::string::npos;  // sums of whole numbers below 2^24
    EXPECT_EQ(tile["result"]["error"]["exact"] == 30, is_exact) << rest;
    EXPECT_LT(tile["result"]["error"]["max_abs"].get<double>(), is_exact ? 1e-30 : 100) << rest;
  }
  const CommandResult refused = run_guardbit(
      "gemm 2 2 8 --set array.dataflow=ws --set array.rows=5 --set array.activation=int8 --set array.weight=int8 "
      "--set accumulator.format=int32 --set array.activation_group=7");
  EXPECT_EQ(refused.status, 78);
  EXPECT_THAT(refused.err, HasSubstr("array.activation_group: got 7 with array.dataflow = \"ws\" and columns of 5"));
}

TEST_F(GemmVerbTest, SerialPolicyCountsFoldsTimesTheFold) {
  // docs/timing.md: os K + R + C - 2, ceil(M/R) ceil(N/C); ws 2R + C + M - 2, ceil(K/R) ceil(N/C); is 2R + C + N - 2,
  // ceil(K/R) ceil(M/C).
  const auto ceil_div = [](int a, int b) { return (a + b - 1) / b; };
  for (const auto& [m, n, k, r, c] : std::vector<std::array<int, 5>>{{128, 128, 128, 32, 32},
                                                                     {1, 1, 1, 1, 1},
                                                                     {33, 65, 100, 32, 32},
                                                                     {7, 1000, 3, 8, 16},
                                                                     {1048576, 3, 5, 128, 4}}) {
    const std::string common =
        std::to_string(m) + " " + std::to_string(n) + " " + std::to_string(k) +
        " --no-values --no-memory --set array.policy=serial --set array.rows=" + std::to_string(r) +
        " --set array.cols=" + std::to_string(c);
    const Json os = gemm(common)["timing"];
    EXPECT_EQ(os["folds"], ceil_div(m, r) * ceil_div(n, c)) << common;
    EXPECT_EQ(os["cycles_per_fold"], k + r + c - 2) << common;
    EXPECT_EQ(os["cycles"], ceil_div(m, r) * ceil_div(n, c) * (k + r + c - 2)) << common;
    EXPECT_EQ(os["total_cycles"].get<long>() - os["cycles"].get<long>(), os["pe_cycles"].get<long>());
    EXPECT_EQ(gemm(common + " --set accumulator.latency_cycles=1")["timing"]["pe_cycles"], 0);
    const Json ws = gemm(common + " --set array.dataflow=ws")["timing"];
    EXPECT_EQ(ws["folds"], ceil_div(k, r) * ceil_div(n, c)) << common;
    EXPECT_EQ(ws["cycles_per_fold"], 2 * r + c + m - 2) << common;
    EXPECT_EQ(ws["cycles"], ceil_div(k, r) * ceil_div(n, c) * (2 * r + c + m - 2)) << common;
    const Json is = gemm(common + " --set array.dataflow=is")["timing"];
    EXPECT_EQ(is["folds"], ceil_div(k, r) * ceil_div(m, c)) << common;
    EXPECT_EQ(is["cycles_per_fold"], 2 * r + c + n - 2) << common;
    EXPECT_EQ(is["cycles"], std::int64_t{ceil_div(k, r)} * ceil_div(m, c) * (2 * r + c + n - 2)) << common;
    const Json& utilisation = is["utilisation"];
    EXPECT_EQ(utilisation["mapping_slots"], is["folds"].get<std::int64_t>() * r * c);
    EXPECT_EQ(utilisation["mapped"], std::int64_t{k} * m);
  }
}

TEST_F(GemmVerbTest, BothFidelitiesSayTheSame) {
  const std::string base = "11 13 50 --set array.rows=5 --set array.cols=4 --reference ";
  for (const std::string rest :
       {"--set accumulator.format=fp16 --set accumulator.interleave=3 --set accumulator.buffer.format=fp32 "
        "--set accumulator.buffer.promote_every=9",
        "--set array.dataflow=ws --set array.policy=serial --set array.dot_width=4 --set accumulator.reduce=tree",
        "--set array.dataflow=is --set array.edge=used --set array.activation=int8 --set array.weight=int4 "
        "--set accumulator.format=int16",
        "--preset volta_fp16", "--preset kulisch_fp8", "--no-values"}) {
    Json tile = gemm(base + rest);
    Json pe = gemm(base + rest + " --fidelity pe");
    EXPECT_EQ(tile["timing"]["fidelity"], "tile");
    EXPECT_EQ(pe["timing"]["fidelity"], "pe");
    EXPECT_GT(pe["timing"]["pe_updates"], 5 * 4 * 100) << rest;
    pe["timing"].erase("pe_updates");
    tile["timing"]["fidelity"] = "pe";
    EXPECT_EQ(tile, pe) << rest;
  }
  EXPECT_EQ(run_guardbit("gemm 2 2 2 --fidelity rtl").status, 2);
}

TEST_F(GemmVerbTest, WavesShowTheProductAtBothFidelities) {
  const std::string base = "6 5 40 --set array.rows=3 --set array.cols=2 --set accumulator.format=fp16 ";
  const Json plain = gemm(base);
  const std::uint64_t cycles =
      plain["timing"]["cycles"].get<std::uint64_t>() + plain["timing"]["pe_cycles"].get<std::uint64_t>();
  const std::filesystem::path file = directory_ / "wave.vcd";
  for (const std::string rest : {"", "--no-values ", "--fidelity pe ", "--fidelity pe --no-values "}) {
    const Json unrecorded = gemm(base + rest);
    EXPECT_EQ(gemm(base + rest + "--wave " + file.string()), unrecorded) << rest;
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    const Vcd vcd = read_vcd(text.str());
    const VcdSignal& state = vcd.signals.at("SystemC.accelerator.matrix.state");
    constexpr std::uint64_t kCycle = 1000;
    EXPECT_EQ(state.at(0), 1u) << rest;
    EXPECT_EQ(state.at(cycles * kCycle - 1), 1u) << rest;
    EXPECT_EQ(state.at(cycles * kCycle), 0u) << rest;
    const auto pe = vcd.signals.find("SystemC.accelerator.matrix.pe_array.pe_2_1.a_valid");
    EXPECT_EQ(pe != vcd.signals.end(), rest.find("pe") != std::string::npos) << rest;
    if (pe != vcd.signals.end()) {
      EXPECT_GT(pe->second.changes.size(), 1u) << rest;
    }
    std::filesystem::remove(file);
  }
  const CommandResult refused = run_guardbit("gemm 6 5 4 --wave " + file.string() + " --wave-window 9:3");
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("expected from:to"));
  EXPECT_EQ(run_guardbit("gemm 6 5 4 --wave-window 3:9").status, 2);
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(GemmVerbTest, SmallProductMatchesGolden) {
  Json json = gemm(
      "6 5 40 --seed 11 --set accumulator.format=fp16 --set array.activation=fp8_e4m3 "
      "--set array.weight=fp8_e4m3 --set accumulator.buffer.format=fp32 --set accumulator.buffer.promote_every=16");
  json.erase("provenance");
  expect_golden("tests/golden/gemm_small.json", json.dump(1) + "\n");
}

TEST_F(GemmVerbTest, WhatIsWrongIsSaid) {
  const std::string npy = write("a.npy", Matrix<float>(2, 3, 1));
  const std::string nan = write("nan.npy", Matrix<float>(2, 2, std::nanf("")));
  struct Row {
    std::string arguments;
    int status;
    const char* message;
  };
  const std::vector<Row> rows = {{"2 2", 2, "K"},
                                 {"0 2 2", 2, "M: got 0; expected 1..1048576"},
                                 {"2 2 0", 2, "K: got 0; expected 1..1048576"},
                                 {"2 1048577 2", 2, "N: got 1048577"},
                                 {"-1 2 2", 2, ""},
                                 {"-- -1 2 2", 2, "M: got -1; expected 1..1048576"},
                                 {"2 2 2x", 2, "K: got 2x"},
                                 {"1048576 1048576 1048576", 69, "needs"},
                                 {"2 2 2 --seed -1", 2, "--seed"},
                                 {"2 2 2 --seed 9223372036854775808", 2, "--seed"},
                                 {"2 2 2 --seed 1.5", 2, "--seed"},
                                 {"2 2 2 --a gauss", 2, "--a: got 'gauss'"},
                                 {"2 2 2 --a constant", 2, "expected constant:VALUE"},
                                 {"2 2 2 --b normal:1e99", 2, "--b: got '1e99'"},
                                 {"2 2 2 --a " + npy, 65, "got shape (2, 3); expected (2, 2)"},
                                 {"2 2 2 --a " + nan, 65, "expected finite values"},
                                 {"2 2 2 --a none.npy", 66, "none.npy"},
                                 {"2 2 2 --events all,overflows", 2, "--events: got 'all'"},
                                 {"2 2 2 --events ''", 2, "--events"},
                                 {"2 2 2 --set array.rows=0", 78, "array.rows"},
                                 {"2 2 2 --set arry.rows=1", 78, "did you mean array.rows"},
                                 {"2 2 2 --accelerator none.toml", 66, "none.toml"},
                                 {"2 2 2 -o /nonexistent/c.npy", 73, "/nonexistent"},
                                 {"2 2 2 --format yaml", 2, "yaml"}};
  for (const Row& row : rows) {
    const CommandResult result = run_guardbit("gemm " + row.arguments);
    EXPECT_EQ(result.status, row.status) << row.arguments << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(row.message)) << row.arguments;
    EXPECT_EQ(result.out, "") << row.arguments;
  }
}

}  // namespace
}  // namespace guardbit::tests
