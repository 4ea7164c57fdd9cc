#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/base/error.h"
#include "sim/base/plural.h"
#include "sim/report/cycle_tables.h"
#include "sim/report/report_order.h"
#include "sim/report/reports/reports.h"
#include "sim/report/text_table.h"
#include "sim/report/value_tables.h"
#include "sim/report/worst_places.h"

namespace guardbit::sim {
namespace {

using numerics::Event;
using enum TextTable::Align;

std::string mode_text(const std::string& mode) {
  if (mode == "no_values") return "timing alone";
  return mode == "closed_loop" ? "closed loop" : "open loop";
}

std::string title(const ReplayResult& result) {
  std::string text =
      fmt::format("{} on {}, {} {}, {} {}, {}", result.trace_name, result.accelerator_name,
                  count_text(result.num_windows), plural(result.num_windows, "window"), count_text(result.num_tokens),
                  plural(result.num_tokens, "token"), mode_text(result.mode));
  if (result.residual_gain != 1) text += fmt::format(", residual gain {:.6g}", result.residual_gain);
  if (result.channels != 0) {
    text += fmt::format(", channel gain {:.6g} on {} {}", result.channel_gain, result.channels,
                        plural(static_cast<std::uint64_t>(result.channels), "channel"));
  }
  text = printable(text) + "\n";
  const std::string basis = perplexity_basis(result.basis);
  return basis.empty() || result.mode == "no_values" ? text : text + "perplexity over " + basis + "\n";
}

/// "-" for an encoder, which predicts no next token and so has none.
std::string perplexity_text(const ReplayResult& result, double perplexity) {
  return result.basis.scored_tokens == 0 && std::isnan(perplexity) ? "-" : real_text(perplexity, 3);
}

/// "-" for a model without logits.
std::string top1_text(double agreement) { return std::isnan(agreement) ? "-" : real_text(100 * agreement, 1); }

std::string cost(const ReplayResult& result) {
  TextTable table({{"variant", kLeft}, {"cycles"}, {"ms"}, {"MAC util. %"}});
  for (const VariantResult& variant : result.variants) {
    table.add_row({variant.name, count_text(variant.cycles.total),
                   real_text(static_cast<double>(variant.cycles.total) / (1e3 * result.clock_mhz), 3),
                   real_text(100 * variant.utilization, 1)});
  }
  return table.text();
}

std::string quality_and_cost(const ReplayResult& result) {
  if (result.mode == "no_values") return cost(result);
  TextTable table({{"variant", kLeft}, {"perplexity"}, {"SQNR dB"}, {"top-1 %"}, {"cycles"}, {"ms"}, {"MAC util. %"}});
  table.add_row({"fp32 reference", perplexity_text(result, result.reference_perplexity), "", "", "", "", ""});
  for (const VariantResult& variant : result.variants) {
    const auto cycles = static_cast<double>(variant.cycles.total);
    table.add_row({variant.name, perplexity_text(result, variant.perplexity), real_text(variant.sqnr_db, 1),
                   top1_text(variant.top1_agreement), count_text(variant.cycles.total),
                   real_text(cycles / (1e3 * result.clock_mhz), 3), real_text(100 * variant.utilization, 1)});
  }
  return table.text();
}

std::string events(const ReplayResult& result) {
  if (result.mode == "no_values") return "";
  std::vector<Event> shown = {Event::kOverflow, Event::kSaturated, Event::kUnderflow, Event::kInvalid,
                              Event::kSwamped,  Event::kClipped,   Event::kZeroed};
  // Integer accumulators are usually wide enough; a column of zeros would say nothing.
  const bool any_wrapped =
      std::any_of(result.variants.begin(), result.variants.end(),
                  [](const VariantResult& variant) { return variant.events[Event::kWrapped] > 0; });
  if (any_wrapped) shown.insert(shown.begin() + 2, Event::kWrapped);
  std::vector<TextTable::Column> columns = {{"events", kLeft}};
  for (const Event event : shown) columns.push_back({std::string(name_of(event))});
  TextTable table(std::move(columns));
  for (const VariantResult& variant : result.variants) {
    std::vector<std::string> cells = {variant.name};
    for (const Event event : shown) cells.push_back(count_text(variant.events[event]));
    table.add_row(std::move(cells));
  }
  return table.text();
}

std::string worst(const ReplayResult& result) {
  if (result.mode == "no_values") return "";
  constexpr std::size_t kPlacesPerVariant = 5;
  TextTable table({{"worst places", kLeft}, {"op", kLeft}, {"stage", kLeft}, {"events", kLeft}});
  for (const VariantResult& variant : result.variants) {
    std::string name = variant.name;
    for (const Place& place : worst_places(variant, kPlacesPerVariant)) {
      table.add_row({name, place.op->name, std::string(numerics::kStageNames[static_cast<std::size_t>(place.stage)]),
                     gravest_events(place.counts)});
      name.clear();
    }
    if (!name.empty()) table.add_row({name, "none", "", ""});
  }
  return table.text();
}

std::string cycles_by_unit(const ReplayResult& result) {
  TextTable table({{"cycles by unit", kLeft},
                   {"unit", kLeft},
                   {"busy"},
                   {"busy %"},
                   {"input stall %"},
                   {"output stall %"},
                   {"token wait %"},
                   {"idle %"}});
  for (auto variant_at = result.variants.begin(); variant_at != result.variants.end(); ++variant_at) {
    const VariantResult& variant = *variant_at;
    std::string name = variant.name;
    const auto same = std::find_if(result.variants.begin(), variant_at, [&](const VariantResult& earlier) {
      return earlier.cycles.units == variant.cycles.units;
    });
    if (same != variant_at) {
      table.add_row({name, "as " + same->name, "", "", "", "", "", ""});
      continue;
    }
    for (const std::size_t unit : units_with_work(variant)) {
      const UnitCycles& cycles = variant.cycles.units[unit];
      const auto percent = [&](std::uint64_t part) {
        return real_text(100 * static_cast<double>(part) / static_cast<double>(cycles.total()), 1);
      };
      table.add_row({name, std::string(kUnitNames[unit]), count_text(cycles.busy), percent(cycles.busy),
                     percent(cycles.input_stall), percent(cycles.output_stall), percent(cycles.token_wait),
                     percent(cycles.idle)});
      name.clear();
    }
  }
  return table.empty() ? "" : table.text();
}

/// Prefill and decode, where tokens were decoded.
std::string phases(const ReplayResult& result) {
  TextTable table({{"phase", kLeft},
                   {"", kLeft},
                   {"tokens"},
                   {"cycles"},
                   {"cycles/token"},
                   {"ms/token"},
                   {"MACs"},
                   {"DRAM bytes"}});
  for (const VariantResult& variant : result.variants) {
    std::string name = printable(variant.name);
    for (const PhaseResult& phase : variant.phases) {
      const double per_token = static_cast<double>(phase.cycles) / static_cast<double>(phase.tokens);
      table.add_row({name, phase.name, count_text(phase.tokens), count_text(phase.cycles), real_text(per_token, 0),
                     real_text(per_token / (1e3 * result.clock_mhz), 3), count_text(phase.macs),
                     count_text(phase.dram_bytes)});
      name.clear();
    }
  }
  return table.empty() ? "" : table.text();
}

const OpResult* find_op(const VariantResult& variant, const std::string& name) {
  const auto found =
      std::find_if(variant.ops.begin(), variant.ops.end(), [&](const OpResult& op) { return op.name == name; });
  return found == variant.ops.end() ? nullptr : &*found;
}

/// Static scales by norm and variant; nothing if no variant applies one.
std::string norm_scales(const ReplayResult& result) {
  std::vector<std::string> norms;
  std::vector<TextTable::Column> columns = {{"norm scale s", kLeft}};
  for (const VariantResult& variant : result.variants) {
    columns.push_back({printable(variant.name)});
    for (const OpResult& op : variant.ops) {
      const bool listed = std::find(norms.begin(), norms.end(), op.name) != norms.end();
      if (op.norm_scale && !listed) norms.push_back(op.name);
    }
  }
  TextTable table(std::move(columns));
  for (const std::string& norm : norms) {
    std::vector<std::string> cells = {norm};
    for (const VariantResult& variant : result.variants) {
      const OpResult* op = find_op(variant, norm);
      cells.push_back(op != nullptr && op->norm_scale ? fmt::format("{:.4g}", *op->norm_scale) : "-");
    }
    table.add_row(std::move(cells));
  }
  return table.empty() ? "" : table.text();
}

std::string legend(const ReplayResult& result) {
  return fmt::format(
      "perplexity: exp of the mean loss per token, nan if a logit is not finite, - of an encoder. SQNR dB:\n"
      "logits against fp32's. top-1 %: positions with the reference's likeliest token. ms: at {:.6g} MHz.\n"
      "MAC util. %: of PE-cycles. overflow: left the format's range. saturated: delivered as its largest\n"
      "value. wrapped: kept its low bits. underflow: tiny and not exact. invalid: a NaN arose. swamped: an\n"
      "addend left the sum unchanged. clipped, zeroed: by a quantizer. G, T, P, E: 10^9, 10^12, 10^15,\n"
      "10^18.\n",
      result.clock_mhz);
}

}  // namespace

std::string write_table(const ReplayResult& result) {
  constexpr std::size_t kReasonsPerUnit = 2;
  constexpr double kLeastPercent = 2;
  std::string text = title(result);
  for (const std::string& block : {quality_and_cost(result), events(result), worst(result), cycles_by_unit(result),
                                   phases(result), stall_table(result, kReasonsPerUnit, kLeastPercent),
                                   overhead_table(result), energy_table(result), norm_scales(result), legend(result)}) {
    if (!block.empty()) text += "\n" + block;
  }
  return text;
}

}  // namespace guardbit::sim
