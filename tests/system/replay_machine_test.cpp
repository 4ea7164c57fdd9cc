// What the command line says of the machine: timing alone, random stalls, waveforms, memories that are too small, the
// account by reason and purpose, energy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/run_guardbit.h"
#include "tests/support/short_trace.h"
#include "tests/support/vcd_reader.h"

namespace guardbit::tests {
namespace {

using testing::HasSubstr;
using Json = nlohmann::ordered_json;

class ReplayMachineTest : public testing::Test {
 protected:
  std::string command(const std::string& rest, const std::string& accelerator = "edge") {
    if (trace_.empty()) trace_ = capture_small_model(directory_, 40);
    return "replay " + trace_.string() + " --accelerator " + shipped_accelerator(accelerator) + " " + rest;
  }
  Json run(const std::string& rest, const std::string& accelerator = "edge") {
    const CommandResult result = run_guardbit(command("--format json " + rest, accelerator));
    EXPECT_EQ(result.status, 0) << result.err;
    return Json::parse(result.out);
  }

  TemporaryDirectory directory_;
  std::filesystem::path trace_;
};

/// What must not depend on when things happen.
Json values_of(const Json& result) {
  Json values = Json::array();
  for (const Json& variant : result["variants"]) {
    values.push_back({variant["perplexity"], variant["sqnr_db"], variant["events"]});
    for (const Json& op : variant["ops"]) values.push_back({op["name"], op["output_sha256"], op["stages"]});
  }
  return values;
}

/// What must not depend on values.
Json costs_of(const Json& result) {
  Json costs = Json::array();
  for (const Json& variant : result["variants"]) {
    Json cost = variant;
    for (const char* key : {"perplexity", "sqnr_db", "top1_agreement", "events", "digest", "layers"}) cost.erase(key);
    for (Json& op : cost["ops"]) {
      for (const char* key : {"events", "stages", "sqnr_db", "max_abs", "reference_max_abs", "output_sha256",
                              "norm_scale", "exponent_histogram", "quantizers", "norm", "outliers", "group_scales"}) {
        op.erase(key);
      }
    }
    costs.push_back(cost);
  }
  return costs;
}

TEST_F(ReplayMachineTest, TimingAloneCostsWhatAReplayWithValuesCosts) {
  for (const char* accelerator : {"edge", "fp8", "fp16"}) {
    const std::string variants = "--variants none,slanc,slanc_residual,dynamic_norm,rotate,rs,rrs,slanc+rrs";
    const Json alone = run("--no-values " + variants, accelerator);
    EXPECT_EQ(costs_of(alone), costs_of(run(variants, accelerator))) << accelerator;
    EXPECT_EQ(alone["trace"]["mode"], "no_values");
    EXPECT_TRUE(alone["variants"][0]["perplexity"].is_null());
    EXPECT_TRUE(alone["variants"][0]["events"].is_null());
  }
}

/// Sums that flow down columns need a buffer behind every class of products.
const std::string kFlowsDown =
    "--set accumulator.buffer.promote_every=0 --set attention.accumulator.buffer.format=fp32 "
    "--set attention.accumulator.buffer.promote_every=0 --set head.accumulator.buffer.format=fp32 "
    "--set head.accumulator.buffer.promote_every=0 --set smooth.group=12 --set array.rows=6 ";

/// Accelerators and options beyond the shipped designs.
const std::vector<std::pair<std::string, std::string>> kDesigns = {
    {"edge", "--decode 5"},
    {"fp16", "--decode 1000 --set accumulator_buffer.bytes=4000"},
    {"edge", "--decode 3 --set storage.kv_cache=int4 --set storage.kv_cache_zero_point=true"},
    {"fp8", "--decode 2 --set softmax.method=online --set softmax.exponential=table --set softmax.block=8"},
    {"fp8", kFlowsDown + "--set array.dataflow=ws --decode 2"},
    {"fp8", kFlowsDown + "--set array.dataflow=is --set accumulator_buffer.bytes=4000"},
    {"hopper", "--decode 2"},
    {"fp16", "--set norm.statistics=welford --set norm.scale=pow2"},
    {"fp16", "--set accumulator.reduce=fixed --set accumulator.fixed_format=q20.50"}};

TEST_F(ReplayMachineTest, TimingAloneCostsTheSameOnEveryDesign) {
  for (const auto& [accelerator, options] : kDesigns) {
    const std::string variants = "--variants none,dynamic_norm,rrs ";
    const Json alone = run("--no-values " + variants + options, accelerator);
    EXPECT_EQ(costs_of(alone), costs_of(run(variants + options, accelerator))) << accelerator << " " << options;
  }
}

TEST_F(ReplayMachineTest, RowMaximaAreKnownWithoutWeights) {
  const Json exact = run("--no-values --variants none,dynamic_norm --set norm.scale=exact");
  const Json& overheads = exact["variants"][1]["overheads"];
  EXPECT_GT(overheads["dynamic_scale"]["cycles"], 0);
  EXPECT_EQ(overheads["slanc_scale"]["cycles"], 0);
  const auto norm = [&](int variant) { return exact["variants"][variant]["purposes"]["norm"]["norm"].get<int>(); };
  EXPECT_EQ(norm(1), norm(0)) << "what the extra pass adds is a line of its own";
}

TEST_F(ReplayMachineTest, TimingAloneReadsNoWeights) {
  const std::string arguments = command("--no-values --variants none");
  std::filesystem::remove(trace_ / "weights.safetensors");
  EXPECT_EQ(run_guardbit(arguments).status, 0);
  EXPECT_THAT(run_guardbit(arguments).out, HasSubstr("timing alone"));
  const CommandResult exact = run_guardbit(command("--no-values --variants slanc --set norm.scale=exact"));
  EXPECT_EQ(exact.status, 2);
  EXPECT_THAT(exact.err, HasSubstr("norm.scale"));
  EXPECT_EQ(run_guardbit(command("--no-values --open-loop")).status, 2);
}

TEST_F(ReplayMachineTest, TimingAloneOfALargeModelNeedsNoWeights) {
  // 12 layers of 768, a window of 128 tokens: a description suffices.
  capture_small_model(directory_, 12);
  std::ifstream stream(directory_ / "trace/trace.json");
  Json trace = Json::parse(stream);
  const Json shape = {{"family", "gpt2"},          {"hidden_size", 768},       {"num_layers", 12},
                      {"num_heads", 12},           {"num_kv_heads", 12},       {"head_size", 64},
                      {"intermediate_size", 3072}, {"vocabulary_size", 50257}, {"context_length", 1024}};
  for (const auto& [key, value] : shape.items()) trace["model"][key] = value;
  trace["windows"][0]["tokens"] = std::vector<int>(129, 7);
  directory_.write("trace/trace.json", trace.dump());
  std::filesystem::remove(directory_ / "trace/weights.safetensors");
  const CommandResult result =
      run_guardbit("replay " + (directory_ / "trace").string() + " -a " + shipped_accelerator("edge") +
                   " --variants none --no-values --threads 1 --format json");
  ASSERT_EQ(result.status, 0) << result.err;
  const Json variant = Json::parse(result.out)["variants"][0];
  // Linear layers and head once per token; attention: 128 queries see 128 keys in one block, twice, 12 heads of 64.
  EXPECT_EQ(variant["macs"].get<std::uint64_t>(),
            std::uint64_t{128} * (12 * 12 * 768 * 768 + 50257 * 768) + 12 * 12 * 2 * 128 * 128 * 64);
}

TEST_F(ReplayMachineTest, RandomModelsOfAnySizeCanBeWritten) {
  const std::string script = std::string(GUARDBIT_SOURCE_DIR) + "/tests/support/random_gpt2.py";
  const std::string model = (directory_ / "model").string();
  ASSERT_EQ(std::system(("/usr/bin/python3 " + script + " " + model +
                         " --layers 1 --hidden 16 --heads 2 --vocabulary 30 --context 8 --tokens 6")
                            .c_str()),
            0);
  const CommandResult captured =
      run_guardbit("capture " + model + " --tokens " + model + "/tokens.json -o " + (directory_ / "random").string());
  ASSERT_EQ(captured.status, 0) << captured.err;
  EXPECT_EQ(run_guardbit("replay " + (directory_ / "random").string() + " -a " + shipped_accelerator("fp16")).status,
            0);
}

TEST_F(ReplayMachineTest, RandomStallsChangeCyclesOnly) {
  const std::string variants = "--variants none,slanc+rrs ";
  const Json quiet = run(variants);
  for (const char* seed : {"1", "77"}) {
    const Json noisy = run(variants + "--stall-seed " + seed);
    EXPECT_EQ(values_of(noisy), values_of(quiet)) << seed;
    EXPECT_GT(noisy["variants"][0]["cycles"], quiet["variants"][0]["cycles"]) << seed;
    EXPECT_EQ(noisy["provenance"]["stall_seed"], seed);
    EXPECT_EQ(noisy["variants"][0]["energy"], quiet["variants"][0]["energy"]);
    const auto delayed = std::ranges::any_of(noisy["variants"][0]["stalls"],
                                             [](const Json& stall) { return stall["cause"] == "random_delay"; });
    EXPECT_TRUE(delayed);
  }
  EXPECT_EQ(run_guardbit(command("--stall-seed x")).status, 2);
}

TEST_F(ReplayMachineTest, SteppedArraysHaveTheSameAccountAndEnergy) {
  const std::string small = "--variants none,rrs --set array.rows=6 --set array.cols=5 --decode 2 ";
  for (const char* stalls : {"", "--stall-seed 5"}) {
    const Json tile = run(small + stalls, "fp8");
    const Json pe = run(small + stalls + " --fidelity pe", "fp8");
    EXPECT_EQ(pe["variants"], tile["variants"]) << stalls;
    EXPECT_EQ(run(small + stalls + " --fidelity pe --no-values", "fp8")["variants"][1]["cycles"],
              tile["variants"][1]["cycles"]);
  }
}

TEST_F(ReplayMachineTest, BlocksAreThoseOfTheFirstPass) {
  const auto rows = [](const Json& result) { return result["variants"][0]["ops"][0]["tile"]["rows"].get<int>(); };
  EXPECT_GT(rows(run("--no-values --variants none --decode 3")), 1);
  EXPECT_EQ(rows(run("--no-values --variants none --decode 1000")), 1);
}

TEST_F(ReplayMachineTest, ReasonsAndPurposesAddUp) {
  const std::string kLimited = "--set accumulator_buffer.bytes=4000 ";
  std::vector<std::pair<std::string, std::string>> designs = kDesigns;
  for (const char* accelerator : {"edge", "fp16"}) designs.push_back({accelerator, "--set dma.channels=2"});
  designs.push_back({"edge", "--decode 3"});  // sums over passes
  for (const auto& [accelerator, options] : designs) {
    SCOPED_TRACE(accelerator + " " + options);
    const std::string limit = options.find("accumulator_buffer") == std::string::npos ? kLimited : "";
    const Json result = run("--no-values --variants none,dynamic_norm,rrs " + limit + options, accelerator);
    for (const Json& variant : result["variants"]) {
      std::map<std::string, std::uint64_t> stalls;
      for (const Json& stall : variant["stalls"]) {
        stalls[stall["unit"].get<std::string>() + " " + stall["state"].get<std::string>()] +=
            stall["cycles"].get<std::uint64_t>();
      }
      std::map<std::string, std::uint64_t> busy;
      for (const auto& [purpose, units] : variant["purposes"].items()) {
        for (const auto& [unit, cycles] : units.items()) busy[unit] += cycles.get<std::uint64_t>();
      }
      for (const auto& [unit, cycles] : variant["units"].items()) {
        for (const char* state : {"input_stall", "output_stall", "token_wait"}) {
          EXPECT_EQ(stalls[unit + " " + state], cycles[state].get<std::uint64_t>()) << unit << " " << state;
        }
        EXPECT_EQ(busy[unit], cycles["busy"].get<std::uint64_t>()) << unit;
      }
      EXPECT_LE(variant["memory"]["accumulator_peak_bytes"].get<int>(), 4000);
      for (const Json& op : variant["ops"]) EXPECT_LE(op["start"], op["end"]) << op["name"];
    }
  }
}

TEST_F(ReplayMachineTest, OverheadsOfMethodsAreTheirOwnLines) {
  const Json pow2 = run("--no-values --variants none,slanc,rotate,rs,slanc+rrs");
  const auto overhead = [](const Json& result, int variant, const char* name) {
    return result["variants"][variant]["overheads"][name]["cycles"].get<int>();
  };
  EXPECT_EQ(overhead(pow2, 1, "slanc_scale"), 0);
  EXPECT_EQ(overhead(pow2, 0, "rotation"), 0);
  EXPECT_GT(overhead(pow2, 2, "rotation"), 0);
  EXPECT_EQ(overhead(pow2, 2, "sort"), 0);
  for (const char* name : {"channel_maxima", "sort", "smooth_divide"}) EXPECT_GT(overhead(pow2, 3, name), 0) << name;
  EXPECT_EQ(pow2["variants"][3]["overheads"]["sort"]["against_none"], overhead(pow2, 3, "sort"));
  const Json exact = run("--variants none,slanc --set norm.scale=exact");
  EXPECT_EQ(overhead(exact, 0, "slanc_scale"), 0);
  // Four of the five norms of two layers have a scale that is not 1. An fp32 multiplication, 4 cycles deep, holds both
  // row buffers so much longer: 40 rows are 20 pairs.
  EXPECT_EQ(overhead(exact, 1, "slanc_scale"), 4 * 20 * 4);
}

TEST_F(ReplayMachineTest, WaveformsChangeNothingAndShowTheAccount) {
  const std::filesystem::path file = directory_ / "wave.vcd";
  const std::string variants = "--variants none,rrs --decode 2 ";
  Json plain = run(variants);
  const Json recorded = run(variants + "--wave " + file.string());
  EXPECT_EQ(recorded["variants"], plain["variants"]);
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  const Vcd vcd = read_vcd(text.str());
  const VcdSignal& state = vcd.signals.at("SystemC.accelerator.matrix.state");
  std::uint64_t busy = 0;
  for (std::size_t i = 0; i + 1 < state.changes.size(); ++i) {
    if (state.changes[i].second == 1) busy += (state.changes[i + 1].first - state.changes[i].first) / 1000;
  }
  EXPECT_EQ(busy, recorded["variants"][0]["units"]["matrix"]["busy"].get<std::uint64_t>() +
                      recorded["variants"][1]["units"]["matrix"]["busy"].get<std::uint64_t>());
  EXPECT_EQ(vcd.signals.size(), 24u);
  ASSERT_EQ(run_guardbit(command(variants + "--wave " + (directory_ / "again.vcd").string())).status, 0);
  std::ostringstream again;
  again << std::ifstream(directory_ / "again.vcd").rdbuf();
  EXPECT_TRUE(again.str() == text.str()) << "equal runs give equal files";
}

TEST_F(ReplayMachineTest, WaveformsThatCannotBeWrittenLeaveNothing) {
  const std::filesystem::path file = directory_ / "wave.vcd";
  const auto fails = [&](const std::string& rest, int status, const char* message) {
    const CommandResult result = run_guardbit(command("--no-values --variants none " + rest));
    EXPECT_EQ(result.status, status) << rest << result.err;
    EXPECT_THAT(result.err, HasSubstr(message));
    EXPECT_EQ(result.out, "");
    EXPECT_FALSE(std::filesystem::exists(file));
  };
  fails("--wave " + file.string() + " --wave-window 5", 2, "expected from:to");
  fails("--wave " + file.string() + " --wave-select '*.nothing'", 2, "accelerator.matrix.state");
  fails("--wave " + (directory_ / "none/wave.vcd").string(), 73, "none");
  fails("--wave /dev/full", 73, "/dev/full");
  fails("--wave-window 1:2", 2, "--wave");
  const CommandResult window =
      run_guardbit(command("--no-values --variants none -q --wave " + file.string() + " --wave-window 10:20"));
  EXPECT_EQ(window.status, 0);
  EXPECT_THAT(window.out, testing::StartsWith("small on edge")) << "reports alone are on standard output";
}

TEST_F(ReplayMachineTest, MemoriesThatAreTooSmallAreNamedWithTheSizeThatWouldDo) {
  const auto message = [&](const std::string& rest) {
    const CommandResult result = run_guardbit(command("--variants none " + rest));
    EXPECT_EQ(result.status, 78) << result.err;
    return result.err;
  };
  const std::string both = message("--set scratchpad.bytes=1024 --set accumulator_buffer.bytes=1");
  EXPECT_THAT(both, HasSubstr("accumulator_buffer.bytes: got 1; "));
  EXPECT_THAT(both, HasSubstr("scratchpad.bytes: got 1024; "));
  const std::size_t at = both.find("needs at least ", both.find("scratchpad.bytes"));
  const int needed = std::stoi(both.substr(at + std::string("needs at least ").size()));
  EXPECT_EQ(run_guardbit(command("--variants none --set scratchpad.bytes=" + std::to_string(needed))).status, 0);
  message("--set scratchpad.bytes=" + std::to_string(needed - 1));
}

TEST_F(ReplayMachineTest, TensorsLargerThanEveryMemoryGiveTheSameValues) {
  const Json large = run("--variants none,rrs");
  const Json small = run("--variants none,rrs --set scratchpad.bytes=9216 --set accumulator_buffer.bytes=256");
  EXPECT_EQ(values_of(small), values_of(large));
  EXPECT_LE(small["variants"][0]["memory"]["scratchpad_peak_bytes"].get<int>(), 9216);
  EXPECT_LE(small["variants"][0]["memory"]["accumulator_peak_bytes"].get<int>(), 256);
  bool several_passes = false;
  for (const Json& op : small["variants"][0]["ops"]) {
    if (op["kind"] != "linear") continue;
    several_passes = several_passes || op["tile"]["weight_passes"].get<int>() > 1;
    EXPECT_LE(op["tile"]["accumulator_bytes"].get<int>(), 256) << op["name"];
    EXPECT_LE(op["tile"]["scratchpad_bytes"].get<int>(), 9216) << op["name"];
  }
  EXPECT_TRUE(several_passes);
}

TEST_F(ReplayMachineTest, EnergyIsCountsTimesPrices) {
  const Json result =
      run("--no-values --variants none --decode 4 --set energy.dram_byte=1000 --set energy.int8_multiply=0");
  const Json& variant = result["variants"][0];
  double sum = 0;
  std::uint64_t dram_bytes = 0;
  for (const Json& op : variant["ops"]) dram_bytes += op["dram_bytes"].get<std::uint64_t>();
  for (const Json& line : variant["energy"]["operations"]) {
    sum += line["pj"].get<double>();
    if (line["operation"] == "dram_byte") {
      EXPECT_EQ(line["count"].get<std::uint64_t>(), dram_bytes);
      EXPECT_EQ(line["pj_each"], 1000);
    }
    if (line["operation"] == "multiply" && line["format"] == "int4") {
      EXPECT_EQ(line["pj"], 0);
    }
  }
  const double total = variant["energy"]["total_pj"];
  EXPECT_NEAR(sum, total, 1e-4 * total);
  double by_unit = 0;
  for (const auto& [unit, pj] : variant["energy"]["units"].items()) by_unit += pj.get<double>();
  EXPECT_NEAR(by_unit, total, 1e-4 * total);
  double by_op = 0;
  for (const Json& op : variant["ops"]) {
    for (const auto& [unit, pj] : op["energy_pj"].items()) by_op += pj.get<double>();
  }
  EXPECT_NEAR(by_op, total, 1e-4 * total);
}

}  // namespace
}  // namespace guardbit::tests
