// Widths and quantizers in replays: what every variant ran with, what is the same by construction, what costs what.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/run_guardbit.h"
#include "tests/support/shared_data.h"
#include "tests/support/short_trace.h"

namespace guardbit::tests {
namespace {

using Json = nlohmann::json;

class QuantizerReplayTest : public testing::Test {
 protected:
  Json replay(const std::string& accelerator, const std::string& rest) const {
    const CommandResult result = run_guardbit("replay " + trace_.string() + " --accelerator " +
                                              shipped_accelerator(accelerator) + " --format json " + rest);
    EXPECT_EQ(result.status, 0) << result.err;
    return Json::parse(result.out)["variants"];
  }

  const TemporaryDirectory directory_;
  const std::filesystem::path trace_ = capture_short_trace(directory_, 1, 24);
};

std::string logits_of(const Json& variant) { return variant["ops"].back()["output_sha256"]; }

TEST_F(QuantizerReplayTest, RoundingToNearestAsAMethodIsWhatTheHardwareDoes) {
  const Json variants = replay("edge", "--variants 'none,rtn,none+w4a4,rtn(group=65536)+w4a4'");
  EXPECT_EQ(variants[1]["digest"], variants[0]["digest"]);
  EXPECT_EQ(variants[2]["digest"], variants[0]["digest"]);
  EXPECT_EQ(variants[1]["energy"], variants[0]["energy"]);
  EXPECT_EQ(variants[3]["name"], "rtn(group=65536)+w4a4");
  EXPECT_NE(variants[3]["digest"], variants[0]["digest"]) << "the scale meets the sum elsewhere";
  EXPECT_NEAR(variants[3]["perplexity"], variants[0]["perplexity"], 0.05 * variants[0]["perplexity"].get<double>());
}

TEST_F(QuantizerReplayTest, EveryVariantSaysWhatItRanWith) {
  const Json variants =
      replay("edge", "--variants 'none,w8a8kv8,rtn(group=128,asym,clip)+w4a16,w4a16_fp16' --no-values");
  EXPECT_EQ(variants[0]["ran_with"], (Json{{"accumulator.format", "int32"},
                                           {"array.activation", "int4"},
                                           {"array.cycles_per_mac", "1"},
                                           {"array.weight", "int4"},
                                           {"storage.kv_cache", "fp16"}}));
  EXPECT_EQ(variants[1]["ran_with"]["array.activation"], "int8");
  EXPECT_EQ(variants[1]["ran_with"]["array.cycles_per_mac"], "4");
  EXPECT_EQ(variants[1]["ran_with"]["storage.kv_cache"], "int8");
  EXPECT_EQ(variants[2]["name"], "rtn(group=128,asym,clip)+w4a16");
  EXPECT_EQ(variants[2]["ran_with"]["array.weight"], "fp16");
  EXPECT_EQ(variants[2]["ran_with"]["array.cycles_per_mac"], "9");
  EXPECT_EQ(variants[2]["ran_with"]["weights"], "int4, scales of 128 channels, zero points");
  EXPECT_EQ(variants[3]["ran_with"]["weights"], "int4, scale by output channel, codes multiplied as fp16");
}

TEST_F(QuantizerReplayTest, ErrorsOrderAsTheGridsDo) {
  const Json variants = replay("edge",
                               "--set accumulator.buffer.format=fp32 --variants "
                               "'w2a8,w4a8,w8a8,rtn(group=32)+w4a8,rtn(group=32,asym,clip)+w4a8,rtn(tensor)+w4a8'");
  const auto sqnr = [&](int index) { return variants[static_cast<std::size_t>(index)]["sqnr_db"].get<double>(); };
  EXPECT_LT(sqnr(0), sqnr(1));
  EXPECT_LT(sqnr(1), sqnr(2));
  EXPECT_LT(sqnr(1), sqnr(3)) << "groups of 32 beat a scale per channel";
  EXPECT_LT(sqnr(1), sqnr(4));
  EXPECT_LT(sqnr(5), sqnr(1)) << "one scale for all is worse";
}

TEST_F(QuantizerReplayTest, AsymmetricActivationsGainWhereValuesHaveOneSign) {
  const std::string wide = "--set accumulator.buffer.format=fp32 --variants w8a4 ";
  const Json symmetric = replay("edge", wide)[0];
  const Json asymmetric = replay("edge", wide + "--set array.activation_zero_point=true")[0];
  const Json grouped = replay("edge", wide + "--set array.activation_group=32")[0];
  EXPECT_GT(asymmetric["sqnr_db"].get<double>(), symmetric["sqnr_db"].get<double>()) << "behind GELU";
  EXPECT_GT(grouped["sqnr_db"].get<double>(), symmetric["sqnr_db"].get<double>());
}

TEST_F(QuantizerReplayTest, ZeroPointsAndGroupsCostWhatTheySay) {
  const Json variants = replay("edge", "--no-values --variants 'none,rtn(asym),rtn(group=16),rtn(group=16,asym)'");
  const auto purpose = [](const Json& variant, const char* name) { return variant["overheads"][name]["cycles"]; };
  EXPECT_EQ(purpose(variants[0], "row_sums"), 0);
  EXPECT_EQ(purpose(variants[2], "row_sums"), 0);
  // 24 tokens through 4 layers whose q, k, v, o and up read 256 channels and down 1024, in 32 lanes.
  EXPECT_EQ(purpose(variants[1], "row_sums"), 24 * 4 * (5 * 256 + 1024) / 32);
  EXPECT_EQ(purpose(variants[3], "row_sums"), purpose(variants[1], "row_sums"));
  EXPECT_GT(purpose(variants[2], "group_scaling"), 0) << "chunks of 16 products are shorter than the drain";
  const auto bytes = [](const Json& variant) {
    std::uint64_t sum = 0;
    for (const Json& op : variant["ops"]) sum += op["dram_bytes"].get<std::uint64_t>();
    return sum;
  };
  EXPECT_GT(bytes(variants[2]), bytes(variants[0])) << "scales of groups are loaded";
  EXPECT_GT(bytes(variants[3]), bytes(variants[2])) << "zero points too";
}

TEST_F(QuantizerReplayTest, HalfPrecisionSumsSwamp) {
  const Json variants =
      replay("fp16", "--set accumulator.format=fp32 --variants 'w8a16,w8a16_fp16,rtn(group=64)+w8a16_fp16'");
  const auto swamped = [&](std::size_t index) {
    std::uint64_t sum = 0;
    for (const Json& op : variants[index]["ops"]) {
      if (op["kind"] != "linear" || op["name"] == "head") continue;
      sum += op["stages"]["inner_accumulator"].value("swamped", std::uint64_t{0});
    }
    return sum;
  };
  EXPECT_GT(swamped(1), 5 * swamped(0)) << "fp16 sums over all of K against fp32 ones";
  EXPECT_LT(swamped(2), swamped(1)) << "groups end the sums early";
}

TEST_F(QuantizerReplayTest, OneScaleForATensorIsFoundBeforeItsFirstToken) {
  // A scratchpad that holds a few tokens at a time: the maxima are a pass of its own, the values those of one block.
  const std::string variants = "--set accumulator.buffer.format=fp32 --variants 'rotate+w8a8,rtn(asym)+w4a4' ";
  const std::string by_tensor = "--set array.activation_scale=tensor ";
  const std::string small = "--set scratchpad.bytes=20480 ";
  const Json whole = replay("edge", variants + by_tensor);
  const Json blocks = replay("edge", variants + by_tensor + small);
  const Json tokens = replay("edge", variants + small);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(logits_of(blocks[i]), logits_of(whole[i]));
    EXPECT_EQ(whole[i]["overheads"]["tensor_maxima"]["cycles"], 0) << "part of the block's own passes";
    EXPECT_GT(blocks[i]["overheads"]["tensor_maxima"]["cycles"].get<std::uint64_t>(), 0U);
    EXPECT_EQ(blocks[i]["overheads"]["quantization"]["cycles"].get<std::uint64_t>() +
                  blocks[i]["overheads"]["tensor_maxima"]["cycles"].get<std::uint64_t>(),
              tokens[i]["overheads"]["quantization"]["cycles"].get<std::uint64_t>());
    EXPECT_LT(blocks[i]["sqnr_db"].get<double>(), tokens[i]["sqnr_db"].get<double>());
  }
}

TEST_F(QuantizerReplayTest, WideFormatsReproduceTheReferenceWhateverTheOptions) {
  const Json variants = replay("edge", kWide + "--variants 'none,rtn(group=32,asym,clip),rrs+rtn(clip)'");
  for (const Json& variant : variants) EXPECT_GT(variant["sqnr_db"].get<double>(), 100) << variant["name"];
  EXPECT_EQ(logits_of(variants[1]), logits_of(variants[0])) << "floats are not quantized";
}

TEST_F(QuantizerReplayTest, DecodeGivesPrefillsBits) {
  const std::string variants =
      "--variants 'rtn(group=32,asym)+w4a4,w4a16_fp16' --set array.activation_zero_point=true ";
  const Json prefill = replay("edge", variants);
  const Json decode = replay("edge", variants + "--decode 5 --threads 3");
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(logits_of(decode[i]), logits_of(prefill[i]));
}

TEST_F(QuantizerReplayTest, RefusalsNameTheVariant) {
  const auto refused = [&](const std::string& accelerator, const std::string& rest) {
    const CommandResult result =
        run_guardbit("replay " + trace_.string() + " -a " + shipped_accelerator(accelerator) + " " + rest);
    EXPECT_EQ(result.status, 2) << rest;
    return result.err;
  };
  EXPECT_THAT(refused("fp16", "--variants none,w4a4"), testing::HasSubstr("variant \"w4a4\": a4: integer activations"));
  EXPECT_THAT(refused("edge", "--variants rrs+a4+w4,rrs+w4a4"), testing::HasSubstr("got rrs+w4a4 twice"));
  EXPECT_THAT(refused("edge", "--variants 'rrs+rtn(group=128)'"),
              testing::HasSubstr("variant \"rrs+rtn(group=128)\": layers.0.attn.o: runtime smoothing"));
  EXPECT_THAT(refused("edge", "--variants 'rtn(tensor,group=4)'"),
              testing::HasSubstr("--variants: variant \"rtn(tensor,group=4)\": rtn: got both tensor and group"));
}

}  // namespace
}  // namespace guardbit::tests
