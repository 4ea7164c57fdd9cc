// Prefill and decode: the same bits where the arithmetic of a row is the same, and what each costs.
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>

#include "tests/support/run_guardbit.h"
#include "tests/support/shared_data.h"
#include "tests/support/short_trace.h"

namespace guardbit::tests {
namespace {

using Json = nlohmann::json;
constexpr std::uint64_t kVocabulary = 256;  // of traces/kjv-gpt2

Json variant_of(const std::filesystem::path& trace, const std::string& accelerator, const std::string& rest) {
  const CommandResult result = run_guardbit("replay " + trace.string() + " --accelerator " +
                                            shipped_accelerator(accelerator) + " --format json " + rest);
  EXPECT_EQ(result.status, 0) << result.err;
  return Json::parse(result.out)["variants"][0];
}

/// Names of ops whose outputs differ.
std::vector<std::string> different_ops(const Json& one, const Json& other) {
  std::vector<std::string> names;
  for (std::size_t op = 0; op < one["ops"].size(); ++op) {
    if (one["ops"][op]["output_sha256"] != other["ops"][op]["output_sha256"]) names.push_back(one["ops"][op]["name"]);
  }
  return names;
}

TEST(DecodeTest, GivesTheBitsOfPrefillWhereARowsArithmeticIsItsOwn) {
  const TemporaryDirectory directory;
  const TemporaryDirectory llama_directory;
  const auto gpt2 = capture_short_trace(directory, 1, 12);
  const auto llama = capture_small_model(llama_directory, 20);  // grouped queries, rotary positions
  const std::vector<std::pair<std::string, std::string>> designs = {
      {"edge", "--variants none"},                              // INT4, one scale per token
      {"edge", "--variants slanc+rotate"},                      // rotations work on rows
      {"edge", "--variants none --set storage.kv_cache=int4"},  // INT4 cache: a scale per token and head
      {"fp16", "--variants none --set storage.kv_cache=int8 --set storage.kv_cache_zero_point=true"},
      {"fp16", "--variants dynamic_norm"},                                                  // fp16 throughout
      {"fp8", "--variants none --set attention.scale=none --set attention.operand_max=0"},  // FP8, one scale per token
      {"fp16", "--variants none --set accumulator.rounding=stochastic"}};  // random bits by row, not by pass
  for (const auto& trace : {gpt2, llama}) {
    for (const auto& [accelerator, options] : designs) {
      SCOPED_TRACE(trace.string() + " " + accelerator + " " + options);
      const Json prefill = variant_of(trace, accelerator, options);
      for (const char* decode : {"7", "1000"}) {
        const Json decoded = variant_of(trace, accelerator, options + " --decode " + decode);
        EXPECT_EQ(different_ops(prefill, decoded), std::vector<std::string>{}) << decode;
        EXPECT_EQ(prefill["perplexity"], decoded["perplexity"]);
      }
    }
  }
}

TEST(DecodeTest, StatisticsOfATileSeeOnlyTheTokensPresent) {
  const TemporaryDirectory directory;
  const auto trace = capture_short_trace(directory, 1, 20);
  const Json prefill = variant_of(trace, "edge", "--variants rs");
  const Json decoded = variant_of(trace, "edge", "--variants rs --decode 5");
  const std::vector<std::string> names = different_ops(prefill, decoded);
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(names.front(), "layers.0.attn.o") << "the first smoothed op: its channel maxima are over the pass's tokens";
}

TEST(DecodeTest, StatisticsOfABlockAreThoseOfAPassOverItsTokens) {
  const TemporaryDirectory directory;
  const auto trace = capture_short_trace(directory, 2, 2);
  for (const char* options : {"--variants rs", "--variants rrs --fidelity pe --windows 1"}) {
    SCOPED_TRACE(options);
    // One row of PEs: of two tokens each is a block, as it is a pass of its own when it is decoded.
    const std::string common = std::string(options) + " --set array.rows=1 ";
    const Json tiles = variant_of(trace, "edge", common + "--set smooth.statistics=tile");
    const Json decoded = variant_of(trace, "edge", common + "--decode 1");
    const Json sequence = variant_of(trace, "edge", common);
    EXPECT_EQ(different_ops(tiles, decoded), std::vector<std::string>{});
    EXPECT_EQ(tiles["perplexity"], decoded["perplexity"]);
    EXPECT_NE(different_ops(tiles, sequence), std::vector<std::string>{});
  }
}

TEST(DecodeTest, StatisticsOfABlockThatHoldsAllTokensAreTheSequences) {
  const TemporaryDirectory directory;
  const auto trace = capture_short_trace(directory, 1, 12);  // no more than the array has rows
  const Json tile = variant_of(trace, "edge", "--variants rrs --set smooth.statistics=tile");
  const Json sequence = variant_of(trace, "edge", "--variants rrs");
  EXPECT_EQ(different_ops(tile, sequence), std::vector<std::string>{});
  EXPECT_EQ(tile["cycles"], sequence["cycles"]);
}

std::string operation_name(const Json& line) {
  return line["operation"].get<std::string>() + " " + line.value("format", "") + " " + line.value("second_format", "");
}

TEST(DecodeTest, PhasesAddUpAndTheArrayReadsTheCache) {
  const TemporaryDirectory directory;
  const auto trace = capture_short_trace(directory, 2, 20);
  const Json whole = variant_of(trace, "edge", "--variants none");
  EXPECT_FALSE(whole.contains("phases"));
  const Json decoded = variant_of(trace, "edge", "--variants none --decode 3");
  ASSERT_EQ(decoded["phases"].size(), 2u);
  const Json& prefill = decoded["phases"][0];
  const Json& decode = decoded["phases"][1];
  EXPECT_EQ(prefill["name"], "prefill");
  EXPECT_EQ(prefill["passes"], 2);
  EXPECT_EQ(prefill["tokens"], 2 * 17);
  EXPECT_EQ(decode["name"], "decode");
  EXPECT_EQ(decode["passes"], 6);
  EXPECT_EQ(decode["tokens"], 6);
  const auto sum = [&](const char* key) {
    return prefill[key].get<std::uint64_t>() + decode[key].get<std::uint64_t>();
  };
  EXPECT_EQ(sum("cycles"), decoded["cycles"].get<std::uint64_t>());
  EXPECT_EQ(sum("macs"), decoded["macs"].get<std::uint64_t>());
  std::uint64_t bytes = 0;
  for (const Json& op : decoded["ops"]) bytes += op["dram_bytes"].get<std::uint64_t>();
  EXPECT_EQ(sum("dram_bytes"), bytes);
  for (const auto& [unit, cycles] : decoded["units"].items()) {
    EXPECT_EQ(prefill["busy"][unit].get<std::uint64_t>() + decode["busy"][unit].get<std::uint64_t>(),
              cycles["busy"].get<std::uint64_t>());
  }
  // Every operation of every format is counted in the phase that did it.
  std::map<std::string, std::uint64_t> operations;
  for (const Json& phase : decoded["phases"]) {
    for (const Json& line : phase["energy"]["operations"]) {
      operations[operation_name(line)] += line["count"].get<std::uint64_t>();
    }
    EXPECT_GT(phase["energy"]["units"]["load"].get<double>(), 0);
  }
  for (const Json& line : decoded["energy"]["operations"]) {
    EXPECT_EQ(operations[operation_name(line)], line["count"].get<std::uint64_t>()) << operation_name(line);
    operations.erase(operation_name(line));
  }
  EXPECT_THAT(operations, testing::IsEmpty());
  const double energy = prefill["energy"]["total_pj"].get<double>() + decode["energy"]["total_pj"].get<double>();
  EXPECT_NEAR(energy, decoded["energy"]["total_pj"].get<double>(), 1e-5 * energy) << "reports have six digits";
  const auto int4_products = [](const Json& phase) {
    for (const Json& line : phase["energy"]["operations"]) {
      if (operation_name(line) == "multiply int4 ") return line["count"].get<std::uint64_t>();
    }
    return std::uint64_t{0};
  };
  constexpr std::uint64_t kLayers = 4 * (4 * 256 * 256 + 2 * 256 * 1024);
  EXPECT_EQ(int4_products(prefill), 34 * kLayers);
  EXPECT_EQ(int4_products(decode), 6 * kLayers);

  // A decode step multiplies one row by every weight, and against the 18th to 20th token's keys and values.
  constexpr std::uint64_t kLinear = kLayers + 256 * kVocabulary;
  constexpr std::uint64_t kAttention = 4 * 2 * 256 * (18 + 19 + 20);  // layers, scores and values, all heads
  EXPECT_EQ(decode["macs"].get<std::uint64_t>(), 6 * kLinear + 2 * kAttention);
  EXPECT_GT(decode["cycles"].get<double>() / 6, prefill["cycles"].get<double>() / 34) << "a token alone costs more";
}

TEST(DecodeTest, AnIntegerCacheMovesFewerBytesAndCountsItsQuantizer) {
  const TemporaryDirectory directory;
  const auto trace = capture_small_model(directory, 20);  // 2 key/value heads of 12, keys written behind the rotation
  const Json wide = variant_of(trace, "fp16", "--variants none --decode 5");
  const Json narrow = variant_of(trace, "fp16", "--variants none --decode 5 --set storage.kv_cache=int4");
  const auto op_of = [](const Json& variant, const std::string& name) {
    for (const Json& op : variant["ops"]) {
      if (op["name"] == name) return op;
    }
    ADD_FAILURE() << "no op " << name;
    return Json();
  };
  for (const std::string name : {"layers.0.attn.rope_k", "layers.0.attn.v"}) {
    EXPECT_FALSE(op_of(wide, name)["stages"].contains("quantizer")) << name;
    EXPECT_GT(op_of(narrow, name)["stages"]["quantizer"]["inexact"].get<int>(), 0) << name;
    EXPECT_NE(op_of(wide, name)["output_sha256"], op_of(narrow, name)["output_sha256"]) << name;
    EXPECT_GT(op_of(narrow, name)["units"]["vector"], op_of(wide, name)["units"]["vector"]) << name;
  }
  // Scores load 15 + 5 * (16 .. 20 = 90) rows of keys and values of 2 heads: 24 bytes in fp16, 6 + 2 in int4.
  const auto loaded = [&](const Json& variant) {
    return op_of(variant, "layers.0.attn.scores")["dram_bytes"].get<std::int64_t>();
  };
  EXPECT_EQ(loaded(wide) - loaded(narrow), (15 + 90) * 2 * 2 * (24 - 8));
  EXPECT_GT(op_of(narrow, "layers.0.attn.scores")["stages"]["operand"]["inexact"].get<int>(), 0) << "dequantized";
}

TEST(DecodeTest, RefusesANegativeCount) {
  const CommandResult result =
      run_guardbit("replay traces/kjv-gpt2 --accelerator " + shipped_accelerator("edge") + " --decode -1");
  EXPECT_EQ(result.status, 2);
}

}  // namespace
}  // namespace guardbit::tests
