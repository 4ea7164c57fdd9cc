// What a replay says of values, against what its events, shapes and options say of the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/support/run_guardbit.h"
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

const Json& op_named(const Json& variant, const std::string& name) {
  for (const Json& op : variant.at("ops")) {
    if (op.at("name") == name) return op;
  }
  throw std::out_of_range(name);
}

std::uint64_t events_of(const Json& op, const std::string& stage, const std::string& event) {
  return op.at("stages").value(stage, Json::object()).value(event, std::uint64_t{0});
}

std::uint64_t total_of(const Json& histogram) {
  std::uint64_t total = histogram.at("zeros").get<std::uint64_t>() + histogram.at("infinities").get<std::uint64_t>() +
                        histogram.at("nans").get<std::uint64_t>();
  for (const Json& count : histogram.at("exponents")) total += count.get<std::uint64_t>();
  return total;
}

/// What quantizers lost is what their stage counted, weights apart.
void expect_quantizer_events(const Json& variant) {
  for (const Json& op : variant.at("ops")) {
    std::uint64_t clipped = 0;
    std::uint64_t zeroed = 0;
    const Json quantizers = op.value("quantizers", Json::object());
    for (const auto& [name, counts] : quantizers.items()) {
      if (name == "weight") continue;
      clipped += counts.at("clipped").get<std::uint64_t>();
      zeroed += counts.at("zeroed").get<std::uint64_t>();
    }
    EXPECT_EQ(clipped, events_of(op, "quantizer", "clipped")) << op.at("name");
    EXPECT_EQ(zeroed, events_of(op, "quantizer", "zeroed")) << op.at("name");
  }
}

// The included model: hidden 256, 4 heads of 64, intermediate 1024, 256 tokens of vocabulary.
constexpr std::uint64_t kTokens = 24;

TEST(ValueReportTest, QuantizersSeeEveryValueOnceAndLoseWhatTheirStageCounts) {
  const TemporaryDirectory directory;
  const auto trace = capture_short_trace(directory, 2, kTokens);
  const std::string options =
      "--variants none,rrs --set storage.kv_cache=int4 --set attention.activation=int8 --set attention.weight=int8 "
      "--set attention.accumulator.format=int32";
  const Json result = replay(trace, "edge", options);
  for (const Json& variant : result.at("variants")) {
    expect_quantizer_events(variant);
    const auto values = [&variant](const std::string& op, const std::string& quantizer) {
      return op_named(variant, op).at("quantizers").at(quantizer).at("values").get<std::uint64_t>();
    };
    EXPECT_EQ(values("layers.1.attn.q", "activation"), 2 * kTokens * 256);
    EXPECT_EQ(values("layers.1.mlp.down", "activation"), 2 * kTokens * 1024);
    EXPECT_EQ(values("layers.1.mlp.down", "weight"), 1024u * 256);
    EXPECT_EQ(values("layers.1.attn.scores", "activation"), 2 * kTokens * 256) << "queries";
    EXPECT_EQ(values("layers.1.attn.scores", "keys_values"), 2 * kTokens * 256);
    EXPECT_EQ(values("layers.1.attn.values", "activation"), 2 * 4 * kTokens * (kTokens + 1) / 2) << "probabilities";
    EXPECT_EQ(values("layers.1.attn.k", "kv_cache"), 2 * kTokens * 256);
    EXPECT_FALSE(op_named(variant, "layers.1.attn.q").at("quantizers").contains("kv_cache"));
    EXPECT_FALSE(op_named(variant, "head").contains("quantizers")) << "fp16 operands have no scale";
  }
  expect_quantizer_events(replay(trace, "edge", options + " --decode 3").at("variants").at(1));
  expect_quantizer_events(replay(trace, "fp8", "--variants none").at("variants").at(0));
}

TEST(ValueReportTest, HistogramsHoldEveryOutput) {
  const TemporaryDirectory directory;
  const Json result = replay(capture_short_trace(directory, 2, kTokens), "fp16", "--variants none");
  const Json& variant = result.at("variants").at(0);
  const auto outputs = [&variant](const std::string& op) {
    return total_of(op_named(variant, op).at("exponent_histogram"));
  };
  EXPECT_EQ(outputs("embed"), 2 * kTokens * 256);
  EXPECT_EQ(outputs("layers.3.mlp.up"), 2 * kTokens * 1024);
  EXPECT_EQ(outputs("layers.3.attn.softmax"), 2 * 4 * kTokens * kTokens);
  EXPECT_EQ(op_named(variant, "layers.3.attn.scores").at("exponent_histogram").at("zeros"),
            2 * 4 * kTokens * (kTokens - 1) / 2)
      << "what the mask hides";
  for (const Json& op : variant.at("ops")) {
    const Json& exponents = op.at("exponent_histogram").at("exponents");
    int largest = -1000;
    for (const auto& [exponent, count] : exponents.items()) largest = std::max(largest, std::stoi(exponent));
    EXPECT_EQ(largest, std::ilogb(op.at("max_abs").get<double>())) << op.at("name");
  }
}

TEST(ValueReportTest, NormsTellTheirTokensAndWhatTheScaleAchieves) {
  const TemporaryDirectory directory;
  const auto trace = capture_short_trace(directory, 2, kTokens);
  const Json result = replay(trace, "edge", "--residual-gain 64 --variants none,slanc_residual,dynamic_norm");
  for (const Json& variant : result.at("variants")) {
    for (const Json& op : variant.at("ops")) {
      if (op.at("kind") != "norm") continue;
      const Json& norm = op.at("norm");
      EXPECT_EQ(norm.at("tokens"), 2 * kTokens);
      EXPECT_EQ(total_of(norm.at("sums_of_squares")), 2 * kTokens);
      EXPECT_EQ(total_of(norm.at("squares")), 2 * kTokens * 256);
      for (const char* event : {"overflow", "underflow", "swamped"}) {
        std::uint64_t count = 0;
        for (const char* stage : {"scaled_input", "sum", "square", "sum_of_squares", "statistics", "rsqrt"}) {
          count += events_of(op, stage, event);
        }
        const Json& tokens = norm.at("events").at(event);
        EXPECT_EQ(tokens.at("events"), count) << op.at("name") << " " << event;
        EXPECT_EQ(tokens.at("tokens") > 0, count > 0);
        if (count > 0) {
          EXPECT_LT(tokens.at("worst").at("position"), kTokens);
        }
      }
    }
  }
  const Json& plain = op_named(result.at("variants").at(0), "layers.2.mlp_norm");
  const Json& slanc = op_named(result.at("variants").at(1), "layers.2.mlp_norm");
  const Json& dynamic = op_named(result.at("variants").at(2), "layers.2.mlp_norm");
  EXPECT_GT(plain.at("norm").at("events").at("overflow").at("tokens"), 0);
  EXPECT_LT(plain.at("norm").at("headroom_bits"), 0) << "the sums exceed fp16";
  EXPECT_TRUE(plain.at("norm").at("predicted_norm").is_null());
  EXPECT_EQ(slanc.at("norm").at("events").at("overflow").at("tokens"), 0);
  EXPECT_GE(slanc.at("norm").at("headroom_bits"), 0);
  const double scale = slanc.at("norm_scale");
  const double predicted = slanc.at("norm").at("predicted_norm");
  EXPECT_EQ(scale, std::exp2(std::ceil(std::log2(predicted)))) << "the next power of two";
  const double measured = slanc.at("norm").at("reference_norm").at("median");
  EXPECT_NEAR(slanc.at("norm").at("scaled_reference_norm").at("median").get<double>(), measured / scale,
              1e-5 * measured / scale);
  EXPECT_TRUE(dynamic.at("norm").at("scaled_reference_norm").is_null());
  EXPECT_LE(dynamic.at("norm").at("scaled_simulated_norm").at("max"), 16) << "256 values of at most 1";
}

TEST(ValueReportTest, OpenLoopNormsReadTheReference) {
  const TemporaryDirectory directory;
  const Json result = replay(capture_short_trace(directory, 1, kTokens), "edge", "--variants none --open-loop");
  const Json& norm = op_named(result.at("variants").at(0), "final_norm").at("norm");
  for (const char* figure : {"min", "median", "max"}) {
    const double reference = norm.at("reference_norm").at(figure);
    EXPECT_NEAR(norm.at("simulated_norm").at(figure).get<double>(), reference, 0x1p-10 * reference) << "fp16 storage";
  }
}

TEST(ValueReportTest, RotationSpreadsOutlierChannelsAndSmoothingHasScales) {
  const TemporaryDirectory directory;
  const Json result = replay(capture_short_trace(directory, 2, kTokens), "edge",
                             "--channel-gain 30 --channels 8 --variants none,rrs --decode 2");
  const Json& plain = op_named(result.at("variants").at(0), "layers.1.mlp.up");
  EXPECT_EQ(plain.at("outliers").at("reference").at("channel_outliers"), 8);
  EXPECT_EQ(plain.at("outliers").at("array").at("channel_outliers"), 8);
  EXPECT_EQ(plain.at("outliers").at("array").at("tokens"), 2 * kTokens);
  EXPECT_GT(plain.at("outliers").at("array").at("victims"), 2 * kTokens * 256 / 4);
  EXPECT_FALSE(plain.at("outliers").at("reference").contains("victims"));
  EXPECT_FALSE(plain.contains("group_scales"));
  const Json& rrs = op_named(result.at("variants").at(1), "layers.1.mlp.up");
  EXPECT_EQ(rrs.at("outliers").at("array").at("channel_outliers"), 0);
  EXPECT_EQ(rrs.at("outliers").at("array").at("victims"), 0);
  EXPECT_EQ(rrs.at("group_scales").at("groups"), 2) << "256 channels by 128";
  EXPECT_EQ(rrs.at("group_scales").at("passes"), 2 * 3) << "two windows, each prefilled once and decoded twice";
  EXPECT_EQ(rrs.at("group_scales").at("scale").at("count"), 12);
  EXPECT_EQ(op_named(result.at("variants").at(1), "layers.1.attn.k").at("outliers"),
            op_named(result.at("variants").at(1), "layers.1.attn.q").at("outliers"));
}

TEST(ValueReportTest, LayersEndInTheStream) {
  const TemporaryDirectory directory;
  const Json result = replay(capture_short_trace(directory, 1, kTokens), "edge", "--variants none");
  const Json& variant = result.at("variants").at(0);
  ASSERT_EQ(variant.at("layers").size(), 4u);
  for (int layer = 0; layer < 4; ++layer) {
    const Json& row = variant.at("layers").at(static_cast<std::size_t>(layer));
    const std::string prefix = "layers." + std::to_string(layer) + ".";
    EXPECT_EQ(row.at("layer"), layer);
    EXPECT_EQ(row.at("sqnr_db"), op_named(variant, prefix + "mlp_residual").at("sqnr_db"));
    double least = 1000;
    for (const Json& op : variant.at("ops")) {
      if (op.at("layer") == layer) least = std::min(least, op.at("sqnr_db").get<double>());
    }
    EXPECT_EQ(row.at("worst_sqnr_db"), least);
    EXPECT_EQ(op_named(variant, row.at("worst_op")).at("sqnr_db"), least);
  }
}

TEST(ValueReportTest, PerplexitySaysItsWindowsAndStride) {
  const TemporaryDirectory directory;
  const auto text = directory.write("text.txt", std::string(100, 'a') + std::string(41, 'b'));
  std::filesystem::create_directories(directory / "model");
  std::filesystem::copy_file(included_trace() + "/weights.safetensors", directory / "model/model.safetensors");
  std::filesystem::copy_file(included_trace() + "/source/config.json", directory / "model/config.json");
  const CommandResult captured = run_guardbit("capture " + (directory / "model").string() + " --text " + text.string() +
                                              " --context 64 --stride 32 -o " + (directory / "trace").string());
  ASSERT_EQ(captured.status, 0) << captured.err;
  const std::string command =
      "replay " + (directory / "trace").string() + " --accelerator " + shipped_accelerator("edge") + " --variants none";
  const Json result = Json::parse(run_guardbit(command + " --format json").out);
  EXPECT_EQ(result.at("trace").at("context"), 64);
  EXPECT_EQ(result.at("trace").at("stride"), 32);
  EXPECT_EQ(result.at("trace").at("scored_tokens"), 140) << "every token but the first, once";
  EXPECT_NE(run_guardbit(command).out.find("perplexity over 140 tokens in windows of 64, stride 32\n"),
            std::string::npos);
}

}  // namespace
}  // namespace guardbit::tests
