// Which variant, how good, at what cost; and where it went wrong.
#include <fmt/format.h>

#include "sim/report/cycle_tables.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"
#include "sim/report/report_order.h"
#include "sim/report/worst_places.h"

namespace guardbit::sim::html {
namespace {

using numerics::Event;
constexpr auto kText = Table::Kind::kText;
constexpr auto kNumber = Table::Kind::kNumber;
constexpr double kPjPerUj = 1e6;

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
                           {"MAC util. %", kNumber, "MACs over processing elements times cycles"},
                           {"energy µJ"}});
  for (const VariantResult& variant : result.variants) {
    table.add_row({variant.name, grouped(variant.cycles.total), against(variant, plain_variant(result)),
                   milliseconds(variant, result.clock_mhz), fixed(100 * variant.utilization, 1),
                   fixed(variant.energy.pj / kPjPerUj, 1)},
                  variant.name);
  }
  return table.text();
}

std::string quality_table(const ReplayResult& result) {
  Table table("Variants",
              {{"variant", kText},
               {"perplexity", kNumber, "exp of the mean loss per token of the simulated logits"},
               {"SQNR dB", kNumber, "power of the fp32 logits over power of the difference"},
               {"top-1 %", kNumber, "positions whose likeliest token is the reference's"},
               {"overflow", kNumber, "results that left their format's range"},
               {"invalid", kNumber, "a NaN arose"},
               {"swamped", kNumber, "a non-zero addend left a non-zero sum unchanged"},
               {"underflow", kNumber, "tiny and not exact"},
               {"clipped", kNumber, "by a quantizer"},
               {"zeroed", kNumber, "by a quantizer"},
               {"cycles"},
               {"vs none %"},
               {"ms"},
               {"MAC util. %", kNumber, "MACs over processing elements times cycles"},
               {"energy µJ"}});
  table.add_row({"fp32 reference", fixed(result.reference_perplexity, 3), "", "", "", "", "", "", "", "", "", "", "", "",
                 ""});
  for (const VariantResult& variant : result.variants) {
    table.add_row({variant.name, fixed(variant.perplexity, 3), fixed(variant.sqnr_db, 1),
                   fixed(100 * variant.top1_agreement, 1), grouped(variant.events[Event::kOverflow]),
                   grouped(variant.events[Event::kInvalid]), grouped(variant.events[Event::kSwamped]),
                   grouped(variant.events[Event::kUnderflow]), grouped(variant.events[Event::kClipped]),
                   grouped(variant.events[Event::kZeroed]), grouped(variant.cycles.total),
                   against(variant, plain_variant(result)), milliseconds(variant, result.clock_mhz),
                   fixed(100 * variant.utilization, 1), fixed(variant.energy.pj / kPjPerUj, 1)},
                  variant.name);
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

std::string worst_section(const ReplayResult& result) {
  constexpr std::size_t kPlacesPerVariant = 8;
  std::vector<Table::Column> columns = {{"op", kText}, {"stage", kText}, {"variant", kText}};
  constexpr std::array kShown = {Event::kOverflow, Event::kInvalid,   Event::kSaturated, Event::kWrapped,
                                 Event::kSwamped,  Event::kUnderflow, Event::kClipped,   Event::kZeroed};
  for (const Event event : kShown) columns.push_back({std::string(name_of(event))});
  Table table("Worst places", std::move(columns));
  for (const VariantResult& variant : result.variants) {
    for (const Place& place : worst_places(variant, kPlacesPerVariant)) {
      std::vector<std::string> cells = {
          place.op->name, words(numerics::kStageNames[static_cast<std::size_t>(place.stage)]), variant.name};
      for (const Event event : kShown) cells.push_back(place.counts[event] == 0 ? "" : grouped(place.counts[event]));
      table.add_row(cells, variant.name);
    }
  }
  if (table.empty()) return "";
  return section("worst", "Worst places",
                 "An op and a stage of its unit. First those whose results left their range, then swamped addends, "
                 "underflows, and losses of quantizers.",
                 table.text());
}

std::string error_section(const ReplayResult& result) {
  if (result.mode == "no_values") return "";
  return section("error", "Error through the network",
                 result.mode == "closed_loop"
                     ? "Signal over noise of every op's output against the fp32 forward. Each output feeds the next op, "
                       "so a drop is where quality is lost."
                     : "Signal over noise of every op's output against the fp32 forward. Every op reads the "
                       "reference's tensors, so each value is that op's own error.",
                 chart("error", "SQNR in dB of every op, by variant. The same numbers are in the table of all ops."));
}

}  // namespace guardbit::sim::html
