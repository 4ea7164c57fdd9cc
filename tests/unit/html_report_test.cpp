// A result read back from its JSON is the result, what is wrong with a file is said by place, and nothing that a file
// names becomes markup.
#include "sim/report/html/html_report.h"

#include <gmock/gmock.h>

#include "sim/report/html/html_text.h"
#include "sim/report/replay_reader.h"
#include "sim/report/reports/reports.h"
#include "tests/support/expect_error.h"
#include "tests/support/synthetic_result.h"

namespace guardbit::sim {
namespace {

using testing::HasSubstr;
using testing::Not;
using tests::refuses;

std::string replaced(std::string text, std::string_view what, std::string_view with) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

ReplayResult decoded_result() {
  ReplayResult result = tests::synthetic_result();
  PhaseResult phase{.name = "decode", .passes = 3, .tokens = 3, .cycles = 99, .macs = 7, .dram_bytes = 5, .energy = {}};
  phase.busy = {1, 2, 3, 4, 5, 6};
  result.variants[1].phases = {phase};
  result.provenance["command"] = "guardbit replay 'a b'";
  return result;
}

TEST(ReplayReaderTest, WritesAgainWhatItRead) {
  const std::string json = write_json(decoded_result());
  const ReplayResult read = read_replay_json(json, "result.json");
  EXPECT_EQ(write_json(read), json);
  EXPECT_EQ(write_csv(read), write_csv(decoded_result())) << "every counter, beyond 2^53 too";
}

TEST(ReplayReaderTest, SaysWhatIsWrongAndWhere) {
  const std::string json = write_json(decoded_result());
  const auto refused = [&](std::string_view what, std::string_view with, std::string_view message) {
    return refuses([&] { (void)read_replay_json(replaced(json, what, with), "r.json"); }, ExitCode::kMalformedInput,
                   message);
  };
  EXPECT_TRUE(refused("guardbit-replay/1", "guardbit-replay/2", "r.json:/schema: got \"guardbit-replay/2\"; expected"));
  EXPECT_TRUE(refused("\"mode\": \"closed_loop\"", "\"mode\": 7", "r.json:/trace/mode: got 7; expected a string"));
  EXPECT_TRUE(
      refused("\"mode\": \"closed_loop\"", "\"mode\": \"ajar\"", "/trace/mode: got \"ajar\"; expected closed_loop"));
  EXPECT_TRUE(refused("\"clock_mhz\": 500", "\"clock_mhz\": 0", "r.json:/accelerator/clock_mhz: got 0"));
  EXPECT_TRUE(refused("\"windows\": 2", "\"windows\": -2", "r.json:/trace/windows: got -2"));
  EXPECT_TRUE(refused("\"busy\": 100", "\"busy\": 1e2", "r.json:/variants/0/units/load/busy: got 1e2"));
  EXPECT_TRUE(refused("\"matrix\": {", "\"matrices\": {", "/variants/0/units/matrices: got"));
  EXPECT_TRUE(refused("\"sum_of_squares\"", "\"sum_of_cubes\"", "/stages/sum_of_cubes: got"));
  EXPECT_TRUE(refused("\"cause\": \"token\"", "\"cause\": \"fate\"", "/cause: got \"fate\"; expected one of: token"));
  EXPECT_TRUE(
      refused("\"producer_op\": \"", "\"producer_op\": \"no ", "expected the name of one of the variant's ops"));
  EXPECT_TRUE(
      refused("\"name\": \"slanc\"", "\"name\": \"plain\"", "/variants/1/name: got \"plain\"; expected another"));
  EXPECT_TRUE(refused("\"digest\"", "\"digested\"", "/variants/0/digest: got nothing"));
  EXPECT_TRUE(refuses([] { (void)read_replay_json("[]", "r.json"); }, ExitCode::kMalformedInput, "expected an object"));
  EXPECT_TRUE(refuses([&] { (void)read_replay_json(json.substr(0, json.size() / 2), "r.json"); },
                      ExitCode::kMalformedInput, "r.json"));
  EXPECT_EQ(write_json(read_replay_json(replaced(json, "\"macs\"", "\"later\": [{}], \"macs\""), "r.json")), json)
      << "keys of later versions are left alone";
}

TEST(HtmlTextTest, NoTextBecomesMarkup) {
  EXPECT_EQ(html::escaped("a<b>&\"c'\x01\x7F\n\xC3\xA9"), "a&lt;b&gt;&amp;&quot;c&#39;\uFFFD\uFFFD\uFFFD\u00E9");
  EXPECT_EQ(html::escaped("\xFF<"), "\uFFFD&lt;");
  const std::string json = html::script_json(Json{{"</script>", "<!--\u2028&'"}});
  EXPECT_EQ(json, "{\"\\u003c/script\\u003e\":\"\\u003c!--\\u2028\\u0026'\"}");
  EXPECT_EQ(Json::parse(json)["</script>"], "<!--\u2028&'");
}

TEST(HtmlTextTest, NumbersHaveEveryDigit) {
  EXPECT_EQ(html::grouped(0), "0");
  EXPECT_EQ(html::grouped(999), "999");
  EXPECT_EQ(html::grouped(1000), "1,000");
  EXPECT_EQ(html::grouped(tests::kHugeCount), "9,007,199,254,740,993");
  EXPECT_EQ(html::fixed(1.25, 1), "1.2");
  EXPECT_EQ(html::fixed(std::numeric_limits<double>::infinity(), 1), "–");
  EXPECT_EQ(html::fixed(1234567.25, 1), "1,234,567.2");
  EXPECT_EQ(html::fixed(-1234.5, 1), "-1,234.5");
  EXPECT_EQ(html::fixed(-999, 0), "-999");
  EXPECT_EQ(html::percent(1, 8), "12.5");
  EXPECT_EQ(html::percent(0, 0), "–");
}

TEST(HtmlReportTest, HoldsWhatTheResultHolds) {
  const std::string page = write_html(decoded_result());
  for (const char* text : {"<h1>kjv, &quot;gpt2&quot; on edge</h1>", "residual gain 64", "9,007,199,254,740,993",
                           "guardbit replay &#39;a b&#39;", "<th scope=\"row\">layers.0.attn.q</th>",
                           "storage.residual", "id=\"worst\"", "data-chart=\"events\"", "<td>decode</td>"}) {
    EXPECT_THAT(page, HasSubstr(text));
  }
  // The content security policy names exactly the script that is in the page.
  EXPECT_THAT(page, HasSubstr("default-src 'none'; script-src 'sha256-"));
  EXPECT_THAT(page, Not(HasSubstr(" src=\"")));
  EXPECT_THAT(page, Not(HasSubstr("<link")));
}

/// Rows and columns that are headed by the unit, and whether the chart has it.
std::size_t mentions_of(const std::string& page, const std::string& unit) {
  std::size_t count = 0;
  for (const std::string& text : {"<td>" + unit + "</td>", ">" + unit + "</th>"}) {
    for (std::size_t at = page.find(text); at != std::string::npos; at = page.find(text, at + 1)) ++count;
  }
  constexpr std::string_view kAxis = "\"units\":[\"";  // of the charts; units of a variant are objects
  const std::size_t axis = page.find(kAxis);
  EXPECT_NE(axis, std::string::npos);
  return count + (page.substr(axis, page.find(']', axis) - axis).find('"' + unit + '"') == std::string::npos ? 0 : 1);
}

TEST(HtmlReportTest, UnitsThatNeverHadWorkAreLeftOut) {
  ReplayResult result = decoded_result();
  EXPECT_EQ(mentions_of(write_html(result), "rotate"), 0u);
  EXPECT_GT(mentions_of(write_html(result), "matrix"), 0u);
  constexpr auto kRotate = static_cast<std::size_t>(UnitKind::kRotate);
  result.variants[1].cycles.units[kRotate] = {.busy = 10, .idle = result.variants[1].cycles.total - 10};
  EXPECT_EQ(mentions_of(write_html(result), "rotate"), 2u) << "a row of that variant, and the charts' axis";
  result.variants[1].energy.unit_pj[kRotate] = 5;
  EXPECT_EQ(mentions_of(write_html(result), "rotate"), 3u) << "and a column of energy";
}

TEST(HtmlReportTest, OneWindowIsNotSeveral) {
  ReplayResult result = decoded_result();
  EXPECT_THAT(write_html(result), HasSubstr("2 windows, 1,024 tokens, "));
  result.num_windows = result.num_tokens = 1;
  EXPECT_THAT(write_html(result), HasSubstr("1 window, 1 token, "));
}

TEST(HtmlReportTest, ColumnsOfTheOutlierTableAreExplained) {
  const std::string page = write_html(decoded_result());
  const std::size_t table = page.find("<caption>Outliers of the inputs of linear layers</caption>");
  ASSERT_NE(table, std::string::npos);
  const std::string head = page.substr(table, page.find("</thead>", table) - table);
  std::size_t num_columns = 0;
  for (std::size_t at = head.find("<th "); at != std::string::npos; at = head.find("<th ", at + 1)) ++num_columns;
  std::size_t num_explained = 0;
  for (std::size_t at = head.find("<abbr title=\""); at != std::string::npos; at = head.find("<abbr", at + 1)) {
    ++num_explained;
  }
  EXPECT_EQ(num_explained, num_columns - 2) << "all but op and variant";
}

TEST(HtmlTextTest, GroupsAndLongTitlesOfATable) {
  html::Table table("t", {{"a", html::Table::Kind::kText}, {"slanc+w4_a4"}, {"hash", html::Table::Kind::kCode}});
  table.add_group("first <kind>");
  table.add_row({"x", "1", "ff"});
  EXPECT_THAT(table.text(), HasSubstr("<th scope=\"col\" class=\"n\">slanc+<wbr>w4_<wbr>a4</th>"));
  EXPECT_THAT(table.text(),
              HasSubstr("<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"3\">first &lt;kind&gt;</th></tr>"));
  EXPECT_THAT(table.text(), HasSubstr("<td class=\"code\">ff</td>"));
}

TEST(HtmlReportTest, SectionsWithoutDataAreLeftOut) {
  ReplayResult result = decoded_result();
  result.mode = "no_values";
  for (VariantResult& variant : result.variants) {
    for (OpResult& op : variant.ops) op.events = {};
  }
  const std::string page = write_html(result);
  for (const char* id : {"events", "error", "worst"}) {
    EXPECT_THAT(page, Not(HasSubstr("id=\"" + std::string(id) + "\""))) << id;
  }
  EXPECT_THAT(page, HasSubstr("id=\"cycles\""));
  result.variants.clear();
  EXPECT_THAT(write_html(result), HasSubstr("id=\"provenance\""));
}

TEST(HtmlReportTest, HostileNamesStayText) {
  ReplayResult result = decoded_result();
  const std::string hostile = "</script><img src=x onerror=alert(1)>\"'\u2028";
  result.trace_name = result.accelerator_name = result.variants[0].name = result.variants[0].ops[0].name = hostile;
  result.variants[0].ops[1].kind = result.provenance[hostile] = result.accelerator_keys[hostile] = hostile;
  result.variants[1].phases[0].name = hostile;
  const std::string page = write_html(read_replay_json(write_json(result), "r.json"));
  EXPECT_THAT(page, Not(HasSubstr("<img")));
  EXPECT_THAT(page, HasSubstr("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;"));
  std::size_t num_ends = 0;
  for (std::size_t at = page.find("</script"); at != std::string::npos; at = page.find("</script", at + 1)) ++num_ends;
  EXPECT_EQ(num_ends, 2u) << "the data's and the script's";
}

}  // namespace
}  // namespace guardbit::sim
