// Pages of sweeps and of bathtub curves hold what their files hold, and say what is wrong with them.
#include <gmock/gmock.h>

#include "sim/report/bathtub_reader.h"
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

constexpr std::string_view kEvents =
    R"("events": {"overflow": {"tokens": 3, "events": 4, "worst": {"window": 0, "position": 2, "events": 2}},
       "underflow": {"tokens": 0, "events": 0}, "swamped": {"tokens": 9, "events": 9}})";

std::string bathtub_text() {
  return std::string(
             R"({"schema": "guardbit-bathtub/1", "provenance": {}, "trace": {"name": "t<", "windows": 1, "tokens": 64,
      "residual_gain": 8.0, "channel_gain": 1.0, "channels": 0}, "accelerator": {"name": "edge", "keys": {}},
      "norms": [{"name": "final_norm", "layer": null, "tokens": 64, "norm": null,
                 "marks": [{"method": "slanc", "scale": 8.0, "log2_scale": 3.0}], "same_bits": {"from": 2, "to": 3},
                 "points": [{"log2_scale": -1, "error": null, "nonfinite": 5, )") +
         std::string(kEvents) + R"(, "output_sha256": "x"}, {"log2_scale": 3, "error": 0.00125, "nonfinite": 0, )" +
         std::string(kEvents) + R"(, "output_sha256": "y"}]}]})";
}

TEST(BathtubPageTest, HoldsEveryScale) {
  const BathtubResult bathtub = read_bathtub_json(bathtub_text(), "b.json");
  ASSERT_EQ(bathtub.norms.size(), 1u);
  EXPECT_EQ(bathtub.norms[0].points[1].log2_scale, 3);
  EXPECT_EQ(bathtub.norms[0].points[1].events[0].tokens, 3u);
  EXPECT_EQ(bathtub.norms[0].same_bits->to, 3);
  const std::string page = write_html(tests::synthetic_result(), &bathtub);
  EXPECT_THAT(page, HasSubstr("id=\"bathtub\""));
  EXPECT_THAT(page, HasSubstr("Of t&lt; on edge, 64 tokens, residual gain 8."));
  EXPECT_THAT(page, HasSubstr("<td class=\"n\">not finite</td>"));
  EXPECT_THAT(page, HasSubstr("<td class=\"n\">1.250e-03</td><td class=\"n\">3</td><td class=\"n\">0</td>"
                              "<td class=\"n\">9</td><td>slanc</td>"));
  EXPECT_THAT(write_html(tests::synthetic_result()), Not(HasSubstr("id=\"bathtub\"")));
}

TEST(BathtubPageTest, SaysWhatIsWrongAndWhere) {
  const auto refused = [](std::string_view what, std::string_view with, std::string_view message) {
    std::string text = bathtub_text();
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
