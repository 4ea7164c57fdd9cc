// Reports of a result made by hand: golden files, exact counters, alignment, quoting.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "sim/report/report_registry.h"
#include "sim/report/text_table.h"
#include "sim/report/worst_places.h"
#include "tests/support/golden_file.h"
#include "tests/support/synthetic_result.h"

namespace guardbit::sim {
namespace {

using nlohmann::json;

std::string write(std::string_view name, const ReplayResult& result = tests::synthetic_result()) {
  const Report* report = find_report(name);
  if (report == nullptr) throw std::runtime_error("no report " + std::string(name));
  return report->write(result);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(ReportRegistryTest, NamesAreSortedUniqueAndFound) {
  std::vector<std::string_view> names;
  for (const Report& report : reports()) {
    names.push_back(report.name);
    EXPECT_EQ(find_report(report.name), &report);
    EXPECT_FALSE(report.summary.empty());
  }
  EXPECT_THAT(names, testing::ElementsAre("csv", "details", "json", "jsonl", "ops.csv", "table", "values.csv"));
  EXPECT_EQ(find_report("xml"), nullptr);
}

TEST(ReportTest, EveryReportMatchesItsGoldenFile) {
  for (const Report& report : reports()) {
    tests::expect_golden("tests/golden/replay_report." + std::string(report.name), write(report.name));
  }
}

TEST(ReportTest, AnEmptyResultIsPrintedToo) {
  ReplayResult nothing;
  for (const Report& report : reports()) EXPECT_NO_THROW((void)report.write(nothing)) << report.name;
  EXPECT_EQ(json::parse(write("json", nothing)).at("variants"), json::array());
  EXPECT_EQ(write("jsonl", nothing), "");
}

TEST(JsonReportTest, EveryCounterSurvivesAsAnInteger) {
  const ReplayResult result = tests::synthetic_result();
  const json parsed = json::parse(write("json"));
  ASSERT_EQ(parsed.at("variants").size(), result.variants.size());
  std::uint64_t largest = 0;
  for (std::size_t v = 0; v < result.variants.size(); ++v) {
    const VariantResult& variant = result.variants[v];
    const json& read = parsed.at("variants").at(v);
    EXPECT_EQ(read.at("cycles").get<std::uint64_t>(), variant.cycles.total);
    EXPECT_EQ(read.at("events").size(), numerics::kNumEvents);
    for (std::size_t e = 0; e < numerics::kNumEvents; ++e) {
      const json& count = read.at("events").at(std::string(numerics::kEventNames[e]));
      ASSERT_TRUE(count.is_number_unsigned());
      EXPECT_EQ(count.get<std::uint64_t>(), variant.events.counts[e]);
      largest = std::max(largest, count.get<std::uint64_t>());
    }
    for (std::size_t o = 0; o < variant.ops.size(); ++o) {
      const json& op = read.at("ops").at(o);
      numerics::EventLedger ledger;
      for (const auto& [stage, events] : op.at("stages").items()) {
        const auto stage_at = std::find(numerics::kStageNames.begin(), numerics::kStageNames.end(), stage);
        ASSERT_NE(stage_at, numerics::kStageNames.end()) << stage;
        for (const auto& [event, count] : events.items()) {
          const auto event_at = std::find(numerics::kEventNames.begin(), numerics::kEventNames.end(), event);
          ASSERT_NE(event_at, numerics::kEventNames.end()) << event;
          EXPECT_NE(count, 0) << "zeros are left out";
          ledger.stages[static_cast<std::size_t>(stage_at - numerics::kStageNames.begin())]
              .counts[static_cast<std::size_t>(event_at - numerics::kEventNames.begin())] = count;
        }
      }
      EXPECT_EQ(ledger, variant.ops[o].events) << variant.ops[o].name;
      EXPECT_EQ(op.contains("norm_scale"), variant.ops[o].norm_scale.has_value());
    }
  }
  EXPECT_EQ(largest, tests::kHugeCount + 2) << "2^53 + 3 is not a double";
}

TEST(JsonReportTest, KeysAndTheirOrderAreFixed) {
  const auto keys = [](const nlohmann::ordered_json& object) {
    std::vector<std::string> names;
    for (const auto& [key, value] : object.items()) names.push_back(key);
    return names;
  };
  const auto parsed = nlohmann::ordered_json::parse(write("json"));
  EXPECT_THAT(keys(parsed),
              testing::ElementsAre("schema", "provenance", "trace", "accelerator", "reference", "variants"));
  EXPECT_EQ(parsed.at("schema"), "guardbit-replay/1");
  EXPECT_THAT(keys(parsed.at("trace")),
              testing::ElementsAre("name", "windows", "tokens", "mode", "residual_gain", "channel_gain", "channels",
                                   "context", "stride", "scored_tokens"));
  EXPECT_THAT(keys(parsed.at("accelerator")), testing::ElementsAre("name", "clock_mhz", "area_um2", "keys"));
  EXPECT_THAT(keys(parsed.at("reference")), testing::ElementsAre("perplexity"));
  const auto& variant = parsed.at("variants").at(0);
  EXPECT_THAT(keys(variant),
              testing::ElementsAre("name", "ran_with", "perplexity", "sqnr_db", "top1_agreement", "events", "cycles",
                                   "macs", "utilization", "digest", "units", "overheads", "purposes", "stalls",
                                   "memory", "energy", "ops", "layers"));
  EXPECT_THAT(keys(variant.at("events")),
              testing::ElementsAre("overflow", "underflow", "saturated", "invalid", "flushed", "swamped", "inexact",
                                   "clipped", "zeroed", "wrapped"));
  EXPECT_THAT(keys(variant.at("units")), testing::ElementsAre("load", "matrix", "norm", "vector", "rotate", "store"));
  EXPECT_THAT(keys(variant.at("units").at("load")),
              testing::ElementsAre("busy", "input_stall", "output_stall", "token_wait", "idle"));
  EXPECT_THAT(keys(variant.at("ops").at(0)),
              testing::ElementsAre("name", "kind", "events", "stages", "start", "end", "cycles", "units", "macs",
                                   "dram_bytes", "energy_pj", "tile", "sqnr_db", "max_abs", "reference_max_abs",
                                   "output_sha256", "layer", "exponent_histogram", "norm"));
  EXPECT_THAT(keys(variant.at("ops").at(1).at("outliers").at("array")),
              testing::ElementsAre("tokens", "left_out", "channels", "max_over_sigma", "worst", "outlier_tokens",
                                   "outlier_values", "channel_outliers", "largest_channels", "spike_values", "victims",
                                   "smoothing_victims"));
}

TEST(JsonReportTest, OverheadsAreToldAgainstTheVariantNone) {
  ReplayResult result = tests::synthetic_result();
  result.variants[1].name = "none";
  result.variants[1].cycles.purposes[static_cast<std::size_t>(Purpose::kPromotion)][1] = 70;
  result.variants[1].cycles.total += 10;
  const json parsed = json::parse(write("json", result));
  EXPECT_EQ(parsed.at("variants").at(0).at("overheads").at("promotion").at("cycles"), 50);
  EXPECT_EQ(parsed.at("variants").at(0).at("overheads").at("promotion").at("against_none"), -20);
  EXPECT_EQ(parsed.at("variants").at(0).at("overheads").at("slanc_scale").at("cycles"), 0);
  EXPECT_THAT(write("table", result), testing::ContainsRegex("total cycles against none +-10 +\\+0 +-10\n"));
}

TEST(JsonReportTest, StallsNameWhatWasWaitedFor) {
  const json stalls = json::parse(write("json")).at("variants").at(0).at("stalls");
  ASSERT_EQ(stalls.size(), 9u);
  EXPECT_EQ(stalls.at(0),
            json::parse(R"({"unit": "load", "state": "input_stall", "op": "layers.0.attn.q", "cause": "token",
      "producer": "load", "producer_op": "head", "what": "weights", "cycles": 900})"));
  EXPECT_EQ(stalls.at(2), json::parse(R"({"unit": "load", "state": "output_stall", "op": "head",
      "cause": "scratchpad_space", "cycles": 100})"));
}

TEST(JsonReportTest, WithoutValuesWhatComesFromThemIsNull) {
  ReplayResult result = tests::synthetic_result();
  result.mode = "no_values";
  for (VariantResult& variant : result.variants) {
    variant.digest.clear();
    for (OpResult& op : variant.ops) op.output_sha256.clear();
  }
  const json variant = json::parse(write("json", result)).at("variants").at(0);
  EXPECT_TRUE(variant.at("events").is_null() && variant.at("digest").is_null());
  EXPECT_TRUE(variant.at("ops").at(0).at("stages").is_null() && variant.at("ops").at(0).at("output_sha256").is_null());
  EXPECT_THAT(write("table", result), testing::Not(testing::HasSubstr("perplexity  ")));
}

TEST(OpsCsvReportTest, OneLinePerOp) {
  const ReplayResult result = tests::synthetic_result();
  const std::vector<std::string> lines = lines_of(write("ops.csv"));
  ASSERT_EQ(lines.size(), 1 + 3 * result.variants[0].ops.size());
  EXPECT_EQ(
      lines[2],
      "\"kjv, \"\"gpt2\"\"\",edge,plain,layers.0.attn.q,linear,200,1234767,300,20,40,60,80,0,100,2000,128,3.83333,64,"
      "128,40000,2");
}

TEST(JsonReportTest, RealsHaveSixDigitsAndNonFiniteOnesAreNull) {
  const json parsed = json::parse(write("json"));
  const json& plain = parsed.at("variants").at(0);
  EXPECT_TRUE(plain.at("perplexity").is_null());
  EXPECT_TRUE(plain.at("sqnr_db").is_null());
  EXPECT_TRUE(parsed.at("variants").at(2).at("sqnr_db").is_null());
  EXPECT_EQ(plain.at("utilization").get<double>(), 0.0123457);
  EXPECT_EQ(parsed.at("reference").at("perplexity").get<double>(), 24.9877);
  EXPECT_EQ(plain.at("ops").at(0).at("reference_max_abs").get<double>(), 0.333333);
}

TEST(JsonReportTest, NamesThatAreNotUtf8StillGiveValidJson) {
  ReplayResult result = tests::synthetic_result();
  result.trace_name = "a\xFF\x1B[31m";
  EXPECT_EQ(json::parse(write("json", result)).at("trace").at("name"), "a\xEF\xBF\xBD\x1B[31m");
}

TEST(JsonlReportTest, OneObjectPerVariantRepeatsTheHeader) {
  const ReplayResult result = tests::synthetic_result();
  const json whole = json::parse(write("json"));
  const std::vector<std::string> lines = lines_of(write("jsonl"));
  ASSERT_EQ(lines.size(), result.variants.size());
  for (std::size_t v = 0; v < lines.size(); ++v) {
    const json line = json::parse(lines[v]);
    EXPECT_EQ(line.at("schema"), "guardbit-replay-variant/1");
    EXPECT_EQ(line.at("trace"), result.trace_name);
    EXPECT_EQ(line.at("accelerator"), "edge");
    for (const auto& [key, value] : whole.at("variants").at(v).items()) EXPECT_EQ(line.at(key), value) << key;
  }
}

/// Fields of one RFC 4180 record without line ends in fields.
std::vector<std::string> csv_fields(const std::string& line) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[++i];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
  return fields;
}

TEST(CsvReportTest, OneLinePerPlaceWithQuotedNamesAndExactCounts) {
  const ReplayResult result = tests::synthetic_result();
  const std::vector<std::string> lines = lines_of(write("csv"));
  std::size_t num_places = 0;
  for (const VariantResult& variant : result.variants) {
    for (const OpResult& op : variant.ops) {
      for (const auto& counts : op.events.stages) num_places += counts.any() ? 1 : 0;
    }
  }
  ASSERT_EQ(lines.size(), 1 + num_places);
  const std::vector<std::string> header = csv_fields(lines[0]);
  ASSERT_EQ(header.size(), 6 + numerics::kNumEvents);
  for (const std::string& line : lines) EXPECT_EQ(csv_fields(line).size(), header.size()) << line;
  const std::vector<std::string> last = csv_fields(lines.back());
  EXPECT_THAT(std::vector<std::string>(last.begin(), last.begin() + 6),
              testing::ElementsAre("kjv, \"gpt2\"", "edge", "plain", "head", "linear", "storage"));
  EXPECT_EQ(header[7], "underflow");
  EXPECT_EQ(last[7], "9007199254740993");
  EXPECT_EQ(header[10], "flushed");
  EXPECT_EQ(last[10], "2");
}

TEST(CsvReportTest, EachCharacterThatNeedsQuotesGetsThem) {
  ReplayResult result = tests::synthetic_result();
  const std::vector<std::pair<std::string, std::string>> cases = {{"a b", "\na b,edge,"},
                                                                  {"a,b", "\n\"a,b\",edge,"},
                                                                  {"a\"b", "\n\"a\"\"b\",edge,"},
                                                                  {"a\nb", "\n\"a\nb\",edge,"},
                                                                  {"a\rb", "\n\"a\rb\",edge,"}};
  for (const auto& [name, written] : cases) {
    result.trace_name = name;
    EXPECT_THAT(write("csv", result), testing::HasSubstr(written));
  }
}

TEST(TableReportTest, FitsAHundredColumnsWithoutTrailingSpacesOrControlCharacters) {
  ReplayResult result = tests::synthetic_result();
  result.trace_name = "a\x1B[2J";
  result.variants[0].name = "v\x1B[2J\n";
  result.variants[0].ops[0].name = "o\x1B[2J\n";
  result.variants[1].ops[0].name = "p\x1B[2J\n";
  for (const std::string& line : lines_of(write("table", result))) {
    EXPECT_LE(line.size(), 100u) << line;
    EXPECT_FALSE(line.ends_with(' ')) << line;
    EXPECT_TRUE(std::none_of(line.begin(), line.end(), [](unsigned char c) { return c < 0x20; })) << line;
  }
}

TEST(TableReportTest, NamesEveryVariantPlaceUnitAndScale) {
  const std::string text = write("table");
  EXPECT_THAT(text,
              testing::StartsWith("kjv, \"gpt2\" on edge, 2 windows, 1,024 tokens, closed loop, residual gain 64\n"));
  EXPECT_THAT(text, testing::ContainsRegex("plain +nan +-inf +12\\.5 +1,234,567 +2\\.469 +1\\.2\n"));
  EXPECT_THAT(text, testing::ContainsRegex("fp32 reference +24\\.988\n"));
  EXPECT_THAT(text, testing::ContainsRegex("slanc +none\n"));
  EXPECT_THAT(text, testing::ContainsRegex("layers\\.0\\.mlp_norm +- +4096 +0\\.3333\n"));
  EXPECT_THAT(text, testing::ContainsRegex("matrix +200 +0\\.0 +0\\.1 +0\\.0 +0\\.0 +99\\.9\n"));
  EXPECT_THAT(text, testing::ContainsRegex("events +overflow +saturated +wrapped +underflow"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("rotate "))) << "a unit that did nothing has no line";
  EXPECT_THAT(text, testing::ContainsRegex("matrix +16\\.2  vector: quantization of attn\\.q\n"));
  EXPECT_THAT(text, testing::ContainsRegex("promotion +50 +50 +50\n"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("against none"))) << "there is no variant of that name";
}

TEST(TableReportTest, OneWindowIsNotSeveral) {
  ReplayResult result = tests::synthetic_result();
  result.num_windows = result.num_tokens = result.basis.scored_tokens = 1;
  EXPECT_THAT(write("table", result), testing::StartsWith("kjv, \"gpt2\" on edge, 1 window, 1 token, closed loop"));
  EXPECT_THAT(write("table", result), testing::HasSubstr("perplexity over 1 token in windows of 512"));
}

TEST(DetailsReportTest, UnitsThatNeverHadWorkHaveNoColumn) {
  ReplayResult result = tests::synthetic_result();
  EXPECT_THAT(write("details", result), testing::Not(testing::HasSubstr("rotate")));
  constexpr auto kRotate = static_cast<std::size_t>(UnitKind::kRotate);
  result.variants[0].cycles.units[kRotate] = {.busy = 10, .idle = result.variants[0].cycles.total - 10};
  EXPECT_THAT(write("details", result), testing::ContainsRegex("plain +start +end .* vector +rotate +store "));
}

TEST(TableReportTest, AnEncoderHasNoPerplexity) {
  ReplayResult result = tests::synthetic_result();
  result.basis = {.context = 512, .stride = {}, .scored_tokens = 0};
  result.reference_perplexity = std::numeric_limits<double>::quiet_NaN();
  for (VariantResult& variant : result.variants)
    variant.perplexity = variant.top1_agreement = result.reference_perplexity;
  const std::string text = write("table", result);
  EXPECT_THAT(text, testing::ContainsRegex("fp32 reference +-\n"));
  EXPECT_THAT(text, testing::ContainsRegex("slanc +- +31\\.4 +- +1,234,567"));
  EXPECT_THAT(text, testing::Not(testing::HasSubstr("perplexity over")));
}

TEST(ValuesCsvReportTest, EveryLineHasTheHeadersFields) {
  const ReplayResult result = tests::synthetic_result();
  const std::vector<std::string> lines = lines_of(write("values.csv"));
  ASSERT_EQ(lines.size(), 1 + result.variants.size() * result.variants[0].ops.size());
  const std::vector<std::string> header = csv_fields(lines[0]);
  for (const std::string& line : lines) ASSERT_EQ(csv_fields(line).size(), header.size()) << line;
  const auto field = [&](std::size_t line, const std::string& name) {
    const auto at = std::find(header.begin(), header.end(), name);
    return at == header.end() ? "no such field"
                              : csv_fields(lines[line])[static_cast<std::size_t>(at - header.begin())];
  };
  EXPECT_EQ(field(1, "predicted_norm"), "4000.12");
  EXPECT_EQ(field(1, "norm_overflow_tokens"), "3");
  EXPECT_EQ(field(1, "scaled_simulated_norm_median"), "2");
  EXPECT_EQ(field(1, "array_victims"), "");
  EXPECT_EQ(field(2, "activation_zeroed"), "45678");
  EXPECT_EQ(field(2, "weight_values"), "9007199254740993");
  EXPECT_EQ(field(2, "array_victims"), "12345");
  EXPECT_EQ(field(2, "reference_victims"), "");
  EXPECT_EQ(field(2, "group_scale_max"), "123457");
  EXPECT_EQ(field(4, "layer"), "");
}

TEST(WorstPlacesTest, RangeThenSwampingThenUnderflowThenQuantizer) {
  const ReplayResult result = tests::synthetic_result();
  std::vector<std::string> found;
  for (const Place& place : worst_places(result.variants[0], 10)) {
    found.push_back(place.op->name + " " + std::string(numerics::kStageNames[static_cast<std::size_t>(place.stage)]) +
                    ": " + gravest_events(place.counts));
  }
  EXPECT_THAT(found, testing::ElementsAre("layers.0.mlp_norm square: overflow 5, invalid 4, saturated 5",
                                          "layers.0.attn.q inner_accumulator: wrapped 13",
                                          "layers.0.attn_norm sum_of_squares: overflow 12",
                                          "layers.0.attn.q outer_accumulator: swamped 9,999, underflow 2",
                                          "head storage: underflow 9.007 P",
                                          "layers.0.attn.q quantizer: clipped 3, zeroed 45,678"));
  EXPECT_EQ(worst_places(result.variants[0], 2).size(), 2u);
  EXPECT_TRUE(worst_places(result.variants[1], 10).empty());
}

TEST(TextTableTest, ColumnsLineUpByCodePoints) {
  TextTable table({{"name", TextTable::Align::kLeft}, {"n"}, {"note", TextTable::Align::kLeft}});
  table.add_row({"\xC3\xA9t\xC3\xA9", "1", "x"});  // three code points in five bytes
  table.add_row({"longer name", "12,345", ""});
  EXPECT_EQ(table.text(),
            "name              n  note\n"
            "\xC3\xA9t\xC3\xA9               1  x\n"
            "longer name  12,345\n");
}

TEST(TextTableTest, Counts) {
  EXPECT_EQ(count_text(0), "0");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1000), "1,000");
  EXPECT_EQ(count_text(999999999), "999,999,999");
  EXPECT_EQ(count_text(1000000000), "1 G");
  EXPECT_EQ(count_text(12345678901), "12.35 G");
  EXPECT_EQ(count_text(999999999999), "1 T");
  EXPECT_EQ(count_text(18446744073709551615u), "18.45 E");
}

TEST(TextTableTest, Reals) {
  EXPECT_EQ(real_text(0.0005, 3), "0.001");
  EXPECT_EQ(real_text(999999, 1), "999999.0");
  EXPECT_EQ(real_text(1234567, 1), "1.235e+06");
  EXPECT_EQ(real_text(-std::numeric_limits<double>::infinity(), 1), "-inf");
}

}  // namespace
}  // namespace guardbit::sim
