// Replays whose outcome is known from elsewhere: wide formats reproduce the reference, range gains leave the function
// alone, open loop keeps errors where they arise.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/run_guardbit.h"
#include "tests/support/shared_data.h"
#include "tests/support/short_trace.h"

namespace guardbit::tests {
namespace {

using Json = nlohmann::json;

Json replay(const std::filesystem::path& trace, const std::string& accelerator, const std::string& rest) {
  const CommandResult result = run_guardbit("replay " + trace.string() + " --accelerator " +
                                            shipped_accelerator(accelerator) + " --format json " + rest);
  EXPECT_EQ(result.status, 0) << result.err;
  return Json::parse(result.out);
}

TEST(ReplayFidelityTest, WideFormatsReproduceTheReferenceInEveryVariant) {
  const TemporaryDirectory directory;
  const Json result = replay(capture_short_trace(directory, 2, 24), "edge",
                             kWide + "--variants none,slanc,slanc_residual,dynamic_norm,rotate,rs,rrs,slanc+rrs");
  for (const Json& variant : result["variants"]) {
    EXPECT_NEAR(variant["perplexity"].get<double>(), result["reference"]["perplexity"].get<double>(), 2e-4)
        << variant["name"];
    EXPECT_GT(variant["sqnr_db"].get<double>(), 100) << variant["name"];  // fp32 sums of 1024 terms: about 2^-20
    EXPECT_EQ(variant["top1_agreement"].get<double>(), 1) << variant["name"];
    EXPECT_EQ(variant["events"]["overflow"].get<int>(), 0) << variant["name"];
  }
}

TEST(ReplayFidelityTest, DecodeInWideFormatsGivesPrefillsLogits) {
  const TemporaryDirectory directory;
  const auto trace = capture_short_trace(directory, 1, 16);
  const std::string options = kWide + "--variants none,dynamic_norm,rotate,rrs ";
  const Json prefill = replay(trace, "edge", options);
  const Json decode = replay(trace, "edge", options + "--decode 6");
  for (std::size_t i = 0; i < 4; ++i) {
    const Json& one = prefill["variants"][i];
    const Json& other = decode["variants"][i];
    if (one["name"] == "rrs") {  // smoothing by a tile's maxima: another scale, the same function up to fp32 roundings
      EXPECT_NEAR(other["perplexity"].get<double>(), one["perplexity"].get<double>(), 2e-4);
      EXPECT_GT(other["sqnr_db"].get<double>(), 100);
    } else {
      EXPECT_EQ(other["ops"].back()["output_sha256"], one["ops"].back()["output_sha256"]) << one["name"];
    }
  }
}

TEST(ReplayFidelityTest, ResidualAndChannelGainLeaveTheReferenceAlone) {
  const TemporaryDirectory directory;
  const std::filesystem::path trace = capture_short_trace(directory, 1, 24);
  const double plain = replay(trace, "edge", "--variants none")["reference"]["perplexity"];
  EXPECT_NEAR(replay(trace, "edge", "--variants none --residual-gain 64")["reference"]["perplexity"].get<double>(),
              plain, 1e-4);
  EXPECT_NEAR(
      replay(trace, "edge", "--variants none --channel-gain 16 --channels 4")["reference"]["perplexity"].get<double>(),
      plain, 1e-4);
}

TEST(ReplayFidelityTest, OpenLoopKeepsErrorsWhereTheyArise) {
  const TemporaryDirectory directory;
  const std::filesystem::path trace = capture_short_trace(directory, 1, 24);
  const Json closed = replay(trace, "edge", "--variants none")["variants"][0];
  const Json open = replay(trace, "edge", "--variants none --open-loop")["variants"][0];
  EXPECT_EQ(open["cycles"], closed["cycles"]) << "time does not depend on values";
  EXPECT_GT(open["sqnr_db"].get<double>(), closed["sqnr_db"].get<double>() + 20)
      << "the fp16 head alone is far better than what INT4 layers feed it";
  EXPECT_EQ(open["ops"][0]["output_sha256"], closed["ops"][0]["output_sha256"]) << "the first op has no input";
}

TEST(ReplayFidelityTest, StaticScalesRemoveTheNormOverflowsOfALargeResidualStream) {
  const TemporaryDirectory directory;
  const Json result =
      replay(capture_short_trace(directory, 2, 24), "edge", "--residual-gain 16 --variants none,slanc_residual");
  const auto norm_overflows = [&result](int variant) {
    std::uint64_t count = 0;
    for (const Json& op : result["variants"][variant]["ops"]) {
      if (op["kind"] == "norm") count += op["events"]["overflow"].get<std::uint64_t>();
    }
    return count;
  };
  EXPECT_GT(norm_overflows(0), 0);
  EXPECT_EQ(norm_overflows(1), 0);
}

TEST(ReplayFidelityTest, AFixedPointRegisterMakesTheOrderOfSummationIrrelevant) {
  const TemporaryDirectory directory;
  const std::filesystem::path trace = capture_small_model(directory, 12);
  std::string fixed, sequential, interleaved;
  for (const std::string section : {"accumulator", "attention.accumulator", "head.accumulator"}) {
    fixed += " --set " + section + ".reduce=fixed --set " + section + ".fixed_format=q60.48";  // fp16 products: exact
    sequential += " --set " + section + ".format=fp16";
    interleaved += " --set " + section + ".interleave=3";
  }
  const auto digests = [&](const std::string& options) {
    std::string text;
    const Json result = replay(trace, "fp16", "--variants none" + options);
    for (const Json& op : result["variants"][0]["ops"]) text += op["output_sha256"].get<std::string>() + "\n";
    return text;
  };
  EXPECT_EQ(digests(fixed + interleaved), digests(fixed));
  EXPECT_NE(digests(sequential + interleaved), digests(sequential)) << "rounded sums depend on their order";
}

TEST(ReplayFidelityTest, DynamicScalingRemovesThemTooAndCostsAPass) {
  const TemporaryDirectory directory;
  const Json result = replay(capture_short_trace(directory, 1, 24), "edge",
                             "--residual-gain 16 --variants slanc_residual,dynamic_norm");
  std::uint64_t more = 0;
  std::uint64_t num_norms = 0;
  for (std::size_t op = 0; op < result["variants"][1]["ops"].size(); ++op) {
    const Json& fixed = result["variants"][0]["ops"][op];
    const Json& dynamic = result["variants"][1]["ops"][op];
    if (dynamic["kind"] != "norm") continue;
    ++num_norms;
    EXPECT_EQ(dynamic["events"]["overflow"].get<int>(), 0) << dynamic["name"];
    more += dynamic["cycles"].get<std::uint64_t>() - fixed["cycles"].get<std::uint64_t>();
  }
  // 256 elements on 16 lanes: 16 beats + log2 16 + 2 = 22 cycles a row. Here the two row buffers are what a row waits
  // for (hold 124 > 2 * 48 cycles of statistics), so 24 rows pay it 11 times a pair, once between the last two, and
  // once.
  EXPECT_EQ(more, num_norms * 13 * 22);
}

TEST(ReplayFidelityTest, UnitCyclesSumToTheTotal) {
  const TemporaryDirectory directory;
  const Json result = replay(capture_short_trace(directory, 2, 20), "edge", "");
  for (const Json& variant : result["variants"]) {
    for (const auto& [unit, cycles] : variant["units"].items()) {
      std::uint64_t sum = 0;
      for (const auto& [state, count] : cycles.items()) sum += count.get<std::uint64_t>();
      EXPECT_EQ(sum, variant["cycles"].get<std::uint64_t>()) << variant["name"] << " " << unit;
    }
  }
}

TEST(ReplayFidelityTest, PowerOfTwoScalesCostNoCycle) {
  const TemporaryDirectory directory;
  const Json result = replay(capture_short_trace(directory, 1, 20), "edge", "--variants none,slanc,rrs");
  EXPECT_EQ(result["variants"][0]["cycles"], result["variants"][1]["cycles"]);
  EXPECT_GT(result["variants"][2]["cycles"], result["variants"][0]["cycles"]) << "rotation and smoothing are work";
}

/// Digests are over all outputs, events and cycles.
TEST(ReplayFidelityTest, SteppedArraysReplayTheSame) {
  const TemporaryDirectory directory;
  const std::filesystem::path trace = capture_small_model(directory, 21);
  const std::string small = "--variants none,slanc+rrs --set array.rows=6 --set array.cols=5 ";
  const std::string flows_down =
      "--set accumulator.buffer.promote_every=0 --set attention.accumulator.buffer.format=fp32 "
      "--set attention.accumulator.buffer.promote_every=0 --set head.accumulator.buffer.format=fp32 "
      "--set head.accumulator.buffer.promote_every=0 --set smooth.group=12 ";
  const std::vector<std::string> arrays = {"", "--set array.policy=serial --set array.edge=used ",
                                           flows_down + "--set array.dataflow=ws ",
                                           flows_down + "--set array.dataflow=is "};
  for (const std::string& rest : arrays) {
    const Json tile = replay(trace, "fp8", small + rest);
    const Json pe = replay(trace, "fp8", small + rest + "--fidelity pe");
    EXPECT_EQ(pe["provenance"]["fidelity"], "pe");
    EXPECT_EQ(pe["variants"], tile["variants"]) << rest;
  }
  const std::string affine =
      "--variants 'rtn(asym),rtn(group=8,asym),rrs+rtn(asym)' --set array.rows=6 --set array.cols=5 "
      "--set array.activation_zero_point=true ";
  const Json tile = replay(trace, "edge", affine);
  EXPECT_EQ(replay(trace, "edge", affine + "--fidelity pe")["variants"], tile["variants"]);
  EXPECT_GT(tile["accelerator"]["area_um2"]["corrections"].get<double>(), 5 * 2 * (3495 + 137)) << "and groups' scales";
}

TEST(ReplayFidelityTest, LlamaModelReplays) {
  GUARDBIT_REQUIRE_SHARED("models/stories260k/stories260K.bin");
  const TemporaryDirectory directory;
  const std::filesystem::path model = shared_path("models/stories260k");
  const std::filesystem::path trace = directory / "trace";
  const CommandResult captured = run_guardbit("capture " + (model / "stories260K.bin").string() + " --tokens " +
                                              (model / "reference_fp64.json").string() + " -o " + trace.string());
  ASSERT_EQ(captured.status, 0) << captured.err;
  const Json result = replay(trace, "edge", kWide + "--windows 2 --variants none,slanc+rrs");
  EXPECT_NEAR(replay(trace, "fp16", "--variants none")["reference"]["perplexity"].get<double>(), 3.8219, 5e-4);
  for (const Json& variant : result["variants"]) {
    EXPECT_GT(variant["sqnr_db"].get<double>(), 100) << variant["name"];
  }
  const Json narrow = replay(trace, "edge", "--windows 2");
  EXPECT_GT(narrow["variants"][3]["perplexity"].get<double>(), narrow["reference"]["perplexity"].get<double>());
}

}  // namespace
}  // namespace guardbit::tests
