// Pages of sweeps and of bathtub curves hold what their files hold, and say what is wrong with them.
#include <gmock/gmock.h>

#include "sim/report/bathtub_reader.h"
#include "sim/report/bathtub_report.h"
#include "sim/report/html/html_report.h"
#include "sim/report/html/sweep_page.h"
#include "tests/support/expect_error.h"
#include "tests/support/synthetic_result.h"

namespace guardbit::sim {
namespace {

using testing::HasSubstr;
using testing::Not;
using tests::refuses;

constexpr std::string_view kPoints = R"([
  {"id": 1, "status": "done", "variant": "none", "array_activation": "int4", "cycles": 9007199254740993, "perplexity": 3.5, "windows": 1},
  {"id": 2, "status": "failed", "variant": "gone", "array_activation": null, "cycles": null, "perplexity": null, "windows": 1},
  {"id": 3, "status": "done", "variant": "</script><b>", "array_activation": "fp8_e4m3", "cycles": 20, "perplexity": null, "windows": 1}])";

TEST(SweepPageTest, HoldsThePointsThatAreDone) {
  const std::string page = write_sweep_html(kPoints, "out/formats.json");
  EXPECT_THAT(page, HasSubstr("<h1>formats</h1>"));
  EXPECT_THAT(page, HasSubstr("2 points of a sweep"));
  EXPECT_THAT(page, HasSubstr("9,007,199,254,740,993"));
  EXPECT_THAT(page, HasSubstr("&lt;/script&gt;&lt;b&gt;"));
  EXPECT_THAT(page, Not(HasSubstr("<b>")));
  EXPECT_THAT(page, Not(HasSubstr("gone")));
  EXPECT_THAT(page, HasSubstr("<th scope=\"row\">windows</th><td>1</td>")) << "the same for all points";
  EXPECT_THAT(write_sweep_html("[]", "none.json"), HasSubstr("0 points"));
}

TEST(SweepPageTest, SaysWhatWasSwept) {
  constexpr std::string_view kProvenance =
      R"([{"name": "source_sha256", "value": "c73f"}, {"name": "digest", "value": "<4aa4"}])";
  const std::string page = write_sweep_html(kPoints, "out/formats.db", kProvenance);
  EXPECT_THAT(page, HasSubstr("<th scope=\"row\">source sha256</th><td class=\"code\">c73f</td>"));
  EXPECT_THAT(page, HasSubstr("<td class=\"code\">&lt;4aa4</td>"));
  EXPECT_THAT(page, HasSubstr("<a href=\"#provenance\">"));
  const std::string untold = write_sweep_html(kPoints, "out/formats.json");
  EXPECT_THAT(untold, Not(HasSubstr("id=\"provenance\"")));
  EXPECT_THAT(untold, Not(HasSubstr("<nav"))) << "one section needs no links";
}

TEST(SweepPageTest, RefusesWhatIsNoListOfPoints) {
  const auto refused = [](std::string_view content, std::string_view message) {
    return refuses([&] { (void)write_sweep_html(content, "p.json"); }, ExitCode::kMalformedInput, message);
  };
  EXPECT_TRUE(refused("[3]", "p.json:/0: got 3; expected an object"));
  EXPECT_TRUE(refused(R"([{"id": [1]}])", "p.json:/0/id: got an array"));
  EXPECT_TRUE(refused("[{]", "p.json"));
  std::string many = "[{}";
  for (std::size_t point = 0; point < kMostSweepPoints; ++point) many += ",{}";
  EXPECT_TRUE(refused(many + "]", "expected at most 20000 points"));
}

BathtubResult synthetic_bathtub() {
  BathtubResult result;
  result.provenance = {{"commit", "abc"}};
  result.trace_name = "t<";
  result.num_windows = 1;
  result.num_tokens = 64;
  result.residual_gain = 8;
  result.channels = 2;
  result.accelerator_name = "edge";
  result.accelerator_keys = {{"norm.input", "fp16"}};
  BathtubPoint low{.log2_scale = -1,
                   .error = std::numeric_limits<double>::infinity(),
                   .nonfinite = 5,
                   .events = {},
                   .output_sha256 = "x"};
  low.events[0] = {.tokens = 3, .events = 4, .worst = {0, 2}, .worst_events = 2};
  BathtubPoint high{.log2_scale = 3, .error = 0.00125, .nonfinite = 0, .events = {}, .output_sha256 = "y"};
  high.events[2] = {.tokens = 9, .events = 9, .worst = {0, 1}, .worst_events = 1};
  result.norms.push_back({.name = "final_norm",
                          .layer = -1,
                          .tokens = 64,
                          .norm = {.count = 64, .min = 1, .median = 2, .max = 3.5},
                          .points = {low, high},
                          .marks = {{"slanc", 8}, {"exact", 9.5}},
                          .same_bits = BathtubNorm::Range{2, 3}});
  result.norms.push_back(
      {.name = "layers.1.mlp_norm", .layer = 1, .tokens = 64, .norm = {}, .points = {}, .marks = {}, .same_bits = {}});
  return result;
}

TEST(BathtubPageTest, HoldsEveryScale) {
  const std::string json = bathtub_json(synthetic_bathtub());
  const BathtubResult bathtub = read_bathtub_json(json, "b.json");
  EXPECT_EQ(bathtub_json(bathtub), json);
  const std::string page = write_html(tests::synthetic_result(), &bathtub);
  EXPECT_THAT(page, HasSubstr("id=\"bathtub\""));
  EXPECT_THAT(page, HasSubstr("Of t&lt; on edge, 64 tokens, residual gain 8."));
  EXPECT_THAT(page, HasSubstr("<td class=\"n\">not finite</td>"));
  EXPECT_THAT(page, HasSubstr("<td class=\"n\">1.250e-03</td><td class=\"n\">0</td><td class=\"n\">0</td>"
                              "<td class=\"n\">9</td><td>slanc, exact</td>"));
  EXPECT_THAT(write_html(tests::synthetic_result()), Not(HasSubstr("id=\"bathtub\"")));
}

TEST(BathtubTableTest, ANormWithoutAFiniteTokenHasNoLengths) {
  const std::string table = bathtub_table(synthetic_bathtub());
  EXPECT_THAT(table, HasSubstr("final_norm: ||x|| 1 / 2 / 3.5, same bits from 2^2 to 2^3"));
  EXPECT_THAT(table, HasSubstr("layers.1.mlp_norm: ||x|| -\n"));
}

TEST(BathtubPageTest, SaysWhatIsWrongAndWhere) {
  const auto refused = [](std::string_view what, std::string_view with, std::string_view message) {
    std::string text = bathtub_json(synthetic_bathtub());
    text.replace(text.find(what), what.size(), with);
    return refuses([&] { (void)read_bathtub_json(text, "b.json"); }, ExitCode::kMalformedInput, message);
  };
  EXPECT_TRUE(refused("bathtub/1", "replay/1", "b.json:/schema: got"));
  EXPECT_TRUE(refused("\"log2_scale\": -1", "\"log2_scale\": 0.5", "b.json:/norms/0/points/0/log2_scale: got 0.5"));
  EXPECT_TRUE(refused("\"log2_scale\": -1", "\"log2_scale\": 4", "/norms/0/points: got"));
  EXPECT_TRUE(refused("\"scale\": 8.0", "\"scale\": 0", "/norms/0/marks/0/scale: got 0"));
}

}  // namespace
}  // namespace guardbit::sim
