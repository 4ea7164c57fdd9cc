// Which variant, how good, at what cost, and where its quality was lost.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "sim/report/cycle_tables.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"
#include "sim/report/report_order.h"

namespace guardbit::sim::html {
namespace {

using numerics::Event;
using enum Table::Kind;
constexpr double kPjPerUj = 1e6;

/// What an event is, for the column's title.
std::string meaning_of(Event event) {
  switch (event) {
    case Event::kOverflow: return "results that left their format's range";
    case Event::kInvalid: return "a NaN arose";
    case Event::kSaturated: return "delivered as the format's largest value";
    case Event::kWrapped: return "an integer kept its low bits only";
    case Event::kSwamped: return "a non-zero addend left a non-zero sum unchanged";
    case Event::kUnderflow: return "tiny and not exact";
    case Event::kClipped: return "outside of a quantizer's range";
    case Event::kZeroed: return "a quantizer sent a non-zero value to zero";
    case Event::kFlushed: return "a non-zero value became zero";
    case Event::kInexact: return "rounded";
  }
  return "";  // unreachable: the switch is exhaustive (-Wswitch-enum)
}

/// Cycles against the variant "none"; empty for itself and without it.
std::string against(const VariantResult& variant, const VariantResult* plain) {
  if (plain == nullptr || plain == &variant || plain->cycles.total == 0) return "";
  const double ratio = static_cast<double>(variant.cycles.total) / static_cast<double>(plain->cycles.total);
  return fmt::format("{:+.1f}", 100 * (ratio - 1));
}

std::string milliseconds(const VariantResult& variant, double clock_mhz) {
  return fixed(static_cast<double>(variant.cycles.total) / (1e3 * clock_mhz), 3);
}

std::string cost_table(const ReplayResult& result) {
  Table table("Variants", {{"variant", kText},
                           {"cycles"},
                           {"vs none %"},
                           {"ms"},
                           {"util. %", kNumber, "MACs over processing elements times cycles"},
                           {"µJ", kNumber, "energy of the operations that are counted"}});
  for (const VariantResult& variant : result.variants) {
    table.add_row({variant.name, grouped(variant.cycles.total), against(variant, plain_variant(result)),
                   milliseconds(variant, result.clock_mhz), fixed(100 * variant.utilization, 1),
                   fixed(variant.energy.pj / kPjPerUj, 1)},
                  variant.name);
  }
  return table.text();
}

/// Events of the first table: the five that are asked for most, the others where some variant has them.
std::vector<Event> headline_events(const ReplayResult& result) {
  std::vector<Event> events = {Event::kOverflow};
  for (const Event event : {Event::kInvalid, Event::kSaturated, Event::kWrapped}) {
    const auto has = [event](const VariantResult& variant) { return variant.events[event] != 0; };
    if (std::any_of(result.variants.begin(), result.variants.end(), has)) events.push_back(event);
  }
  events.insert(events.end(), {Event::kSwamped, Event::kUnderflow, Event::kClipped, Event::kZeroed});
  return events;
}

std::string quality_table(const ReplayResult& result) {
  const std::vector<Event> events = headline_events(result);
  std::vector<Table::Column> columns = {
      {"variant", kText},
      {"perplexity", kNumber, "exp of the mean loss per token of the simulated logits"},
      {"SQNR dB", kNumber, "power of the fp32 logits over power of the difference"},
      {"top-1 %", kNumber, "positions whose likeliest token is the reference's"}};
  for (const Event event : events) columns.push_back({std::string(name_of(event)), kNumber, meaning_of(event)});
  columns.insert(columns.end(), {{"cycles"},
                                 {"vs none %"},
                                 {"ms"},
                                 {"util. %", kNumber, "MACs over processing elements times cycles"},
                                 {"µJ", kNumber, "energy of the operations that are counted"}});
  Table table("Variants", columns);
  std::vector<std::string> reference(columns.size());
  reference[0] = "fp32 reference";
  reference[1] = fixed(result.reference_perplexity, 3);
  table.add_row(reference);
  for (const VariantResult& variant : result.variants) {
    std::vector<std::string> cells = {variant.name, fixed(variant.perplexity, 3), fixed(variant.sqnr_db, 1),
                                      fixed(100 * variant.top1_agreement, 1)};
    for (const Event event : events) cells.push_back(grouped(variant.events[event]));
    cells.insert(cells.end(), {grouped(variant.cycles.total), against(variant, plain_variant(result)),
                               milliseconds(variant, result.clock_mhz), fixed(100 * variant.utilization, 1),
                               fixed(variant.energy.pj / kPjPerUj, 1)});
    table.add_row(cells, variant.name);
  }
  return table.text();
}

/// Prefill and decode, where tokens were decoded.
std::string phase_table(const ReplayResult& result) {
  Table table("Phases", {{"variant", kText},
                         {"phase", kText},
                         {"tokens"},
                         {"cycles"},
                         {"cycles per token"},
                         {"ms per token"},
                         {"MACs"},
                         {"DRAM bytes"}});
  for (const VariantResult& variant : result.variants) {
    for (const PhaseResult& phase : variant.phases) {
      const double per_token = static_cast<double>(phase.cycles) / static_cast<double>(phase.tokens);
      table.add_row({variant.name, phase.name, grouped(phase.tokens), grouped(phase.cycles), fixed(per_token, 0),
                     fixed(per_token / (1e3 * result.clock_mhz), 3), grouped(phase.macs), grouped(phase.dram_bytes)},
                    variant.name);
    }
  }
  return table.empty() ? "" : table.text();
}

}  // namespace

std::string variants_section(const ReplayResult& result) {
  const bool timing_alone = result.mode == "no_values";
  const std::string_view lead =
      timing_alone ? "What each variant costs on this hardware. Without values there is no quality to tell."
                   : "Quality, numeric events and cost. Every event of every operation is counted, none is sampled.";
  return section("variants", "Variants", lead,
                 (timing_alone ? cost_table(result) : quality_table(result)) + phase_table(result));
}

std::string error_section(const ReplayResult& result) {
  if (result.mode == "no_values") return "";
  return section(
      "error", "Error through the network",
      result.mode == "closed_loop"
          ? "Signal over noise (SQNR) of every op's output against the fp32 forward. Each output feeds the next op, "
            "so a drop is where quality is lost."
          : "Signal over noise (SQNR) of every op's output against the fp32 forward. Every op reads the "
            "reference's tensors, so each value is that op's own error.",
      chart("error", "SQNR in dB of every op, by variant. The same numbers are in the table of all ops."));
}

}  // namespace guardbit::sim::html
