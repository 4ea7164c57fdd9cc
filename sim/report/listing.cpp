#include "sim/report/listing.h"

#include <fmt/format.h>

#include <array>
#include <tuple>
#include <utility>
#include <vector>

#include "models/arith/accumulators/accumulator_registry.h"
#include "models/arith/presets.h"
#include "models/calibration/method.h"
#include "models/numerics/events.h"
#include "models/transformer/family.h"
#include "sim/base/exit_codes.h"
#include "sim/report/listing_formats.h"
#include "sim/report/replay_json.h"
#include "sim/report/report_registry.h"
#include "sim/stats/result.h"

namespace guardbit::sim {
namespace {

/// In the order of kUnitNames.
constexpr std::array<std::string_view, kNumUnits> kUnitSummaries = {
    "DMA from DRAM into the scratchpad: weights, activations, keys and values; [dma], [dram]",
    "array of PEs and its accumulators: linear layers, attention products, head; [array], [accumulator], ...",
    "LayerNorm and RMSNorm: statistics, square root, normalization; [norm]",
    "softmax, activation, residual, smoothing, quantization; [vector], [softmax], [smooth]",
    "Hadamard transforms of rows; [rotate]",
    "DMA from the scratchpad to DRAM: results, keys and values; [dma], [dram]"};

/// In the order of numerics::kEventNames.
constexpr std::array<std::string_view, numerics::kNumEvents> kEventSummaries = {
    "a result, rounded as if the exponent were unbounded, exceeds the format's largest finite value",
    "an overflow was delivered as the largest finite value, or an integer was clamped",
    "an integer result kept its low bits only",
    "a tiny result is not exact",
    "a non-zero result or operand became zero because subnormals are flushed",
    "a NaN arose from operands that were none",
    "the delivered result differs from the exact one",
    "a non-zero addend left a non-zero sum unchanged",
    "a quantizer's input lay outside its range",
    "a quantizer sent a non-zero input to zero"};

struct Entry {
  std::string name;
  std::string summary;
};

std::string text_of(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& entry : entries) text += fmt::format("{:<16}{}\n", entry.name, entry.summary);
  return text;
}

Json json_of(const std::vector<Entry>& entries) {
  Json list = Json::array();
  for (const Entry& entry : entries) list.push_back({{"name", entry.name}, {"summary", entry.summary}});
  return list;
}

template <class Rows>
std::vector<Entry> named(const Rows& rows) {
  std::vector<Entry> entries;
  for (const auto& row : rows) entries.push_back({std::string(row.name), std::string(row.summary)});
  return entries;
}

template <class Names, class Summaries>
std::vector<Entry> zipped(const Names& names, const Summaries& summaries) {
  static_assert(std::tuple_size_v<Names> == std::tuple_size_v<Summaries>);
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < names.size(); ++i) entries.push_back({std::string(names[i]), std::string(summaries[i])});
  return entries;
}

std::vector<Entry> families() { return named(transformer::families()); }
std::vector<Entry> report_entries() { return named(reports()); }
std::vector<Entry> units() { return zipped(kUnitNames, kUnitSummaries); }
std::vector<Entry> events() { return zipped(numerics::kEventNames, kEventSummaries); }
std::vector<Entry> codes() {
  std::vector<Entry> entries;
  for (const ExitCodeRow& row : exit_codes()) {
    entries.push_back({std::to_string(row.code), fmt::format("{}: {}", row.name, row.meaning)});
  }
  entries.push_back({"128+n", "signal: ended by signal n, such as 130 by an interrupt; no output is left half done"});
  return entries;
}

std::string list_accumulators() {
  std::string text;
  for (const arith::Accumulator& row : arith::accumulators()) text += fmt::format("{:<24}{}\n", row.name, row.summary);
  text += fmt::format("{:<24}{}\n\n", "promote",
                      "with each of them: a second accumulator takes in the first after so many products");
  for (const arith::Preset& row : arith::presets()) {
    text += fmt::format("{:<24}{} x {}: {}\n{:<24}source: {}\n", row.name, numerics::name_of(row.a),
                        numerics::name_of(row.b), row.summary, "", row.source);
  }
  return text;
}

Json accumulators_json() {
  Json list = json_of(named(arith::accumulators()));
  for (Json& entry : list) entry["kind"] = "reduction";
  for (const arith::Preset& row : arith::presets()) {
    list.push_back({{"name", row.name},
                    {"summary", row.summary},
                    {"kind", "preset"},
                    {"operands", {numerics::name_of(row.a), numerics::name_of(row.b)}},
                    {"source", row.source}});
  }
  return list;
}

std::string list_methods() {
  std::string text;
  for (const calibration::Method& method : calibration::methods()) {
    text += fmt::format("{:<16}{}\n", method.name, method.summary);
    for (const calibration::Parameter& parameter : method.parameters) {
      text += fmt::format("  {:<14}{}, default {}: {}\n", parameter.name, calibration::range_text(parameter),
                          calibration::value_text(parameter, parameter.default_value), parameter.help);
    }
  }
  return text +
         "\nA variant joins parts by +: methods, as name or name(argument,name=value), and widths of linear layers "
         "and\n"
         "KV cache: wN (2..8, 16), aN (3..8, 16), kvN (4, 8, 16), as in rrs(qkv)+w4a4kv4.\n";
}

Json methods_json() {
  Json list = Json::array();
  for (const calibration::Method& method : calibration::methods()) {
    Json arguments = Json::array();
    for (const calibration::Parameter& parameter : method.parameters) {
      arguments.push_back({{"name", parameter.name},
                           {"summary", parameter.help},
                           {"values", calibration::range_text(parameter)},
                           {"default", calibration::value_text(parameter, parameter.default_value)}});
    }
    list.push_back({{"name", method.name}, {"summary", method.summary}, {"arguments", std::move(arguments)}});
  }
  return list;
}

/// A topic's text, beside its entries for programs.
struct Topic {
  Listing listing;
  Json (*json)();
};

template <std::vector<Entry> (*entries)()>
constexpr Topic plain(std::string_view topic, std::string_view summary) {
  return {{topic, summary, [] { return text_of(entries()); }}, [] { return json_of(entries()); }};
}

constexpr std::array kTopics = {
    Topic{{"formats", "number formats with their ranges and sources", list_formats}, formats_json},
    Topic{{"accumulators", "accumulators of a matrix unit, and published ones (gemm --preset)", list_accumulators},
          accumulators_json},
    plain<units>("units", "hardware units, with the sections of an accelerator file that describe them"),
    Topic{{"methods", "calibration methods with their arguments: the parts of a variant", list_methods}, methods_json},
    plain<families>("families", "model families"),
    plain<report_entries>("reports", "reports of a replay (--format)"),
    plain<events>("events", "what is counted at every op and stage"),
    plain<codes>("exit_codes", "what the exit status says"),
};

constexpr auto kListings = [] {
  std::array<Listing, kTopics.size()> rows{};
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = kTopics[i].listing;
  return rows;
}();

}  // namespace

std::span<const Listing> listings() { return kListings; }

std::string listing_json(std::string_view topic) {
  Json json = {{"schema", "guardbit-list/1"}};
  for (const Topic& row : kTopics) {
    if (topic.empty() || topic == row.listing.topic) json[std::string(row.listing.topic)] = row.json();
  }
  return dump(json, 2) + "\n";
}

}  // namespace guardbit::sim
