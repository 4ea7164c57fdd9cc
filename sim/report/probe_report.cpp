#include "sim/report/probe_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/base/error.h"
#include "sim/base/plural.h"
#include "sim/report/replay_json.h"
#include "sim/report/report_order.h"
#include "sim/report/text_table.h"
#include "sim/report/value_json.h"

namespace guardbit::sim {
namespace {

using enum TextTable::Align;

Json events_json(const numerics::EventCounts& counts, const std::vector<numerics::Event>& wanted) {
  Json json = Json::object();
  for (const numerics::Event event : kReportEvents) {
    if (std::find(wanted.begin(), wanted.end(), event) != wanted.end()) {
      json[std::string(name_of(event))] = counts[event];
    }
  }
  return json;
}

Json error_json(const ErrorStatistics& error, const char* against) {
  return Json{{"against", against},
              {"compared", error.num_compared},
              {"left_out", error.num_left_out},
              {"exact", error.num_exact},
              {"max_abs", json_real(error.max_abs)},
              {"rms", json_real(error.rms)},
              {"max_relative", json_real(error.max_relative)},
              {"relative_rms", json_real(error.relative_rms)},
              {"sqnr_db", error.sqnr_db() ? json_real(*error.sqnr_db()) : Json(nullptr)}};
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

/// Stages with any count.
Json events_json(const numerics::EventLedger& ledger, const std::vector<numerics::Event>& wanted) {
  Json events = Json::object();
  for (std::size_t stage = 0; stage < numerics::kNumStages; ++stage) {
    const numerics::EventCounts& counts = ledger.stages[stage];
    if (counts.any()) events[std::string(numerics::kStageNames[stage])] = events_json(counts, wanted);
  }
  return events;
}

Json values_json(const GemmValues& values, const std::vector<numerics::Event>& wanted) {
  return Json{{"digest", values.digest},
              {"format", values.result_format},
              {"events", events_json(values.events, wanted)},
              {"error", values.error ? error_json(*values.error, "exact sums of the operands as held") : Json(nullptr)},
              {"exponent_histogram", histogram_json(values.exponents)},
              {"headroom_bits", or_null(values.headroom_bits)},
              {"footroom_bits", or_null(values.footroom_bits)},
              {"equals_reference", or_null(values.equals_reference)}};
}

/// Events that occurred, one row per stage.
std::string events_text(const numerics::EventLedger& ledger, const std::vector<numerics::Event>& wanted) {
  std::vector<TextTable::Column> columns = {{"events", kLeft}};
  std::vector<numerics::Event> shown;
  for (const numerics::Event event : kReportEvents) {
    if (std::find(wanted.begin(), wanted.end(), event) == wanted.end()) continue;
    if (ledger.total()[event] == 0) continue;
    shown.push_back(event);
    columns.push_back({std::string(name_of(event))});
  }
  if (shown.empty()) return wanted.empty() ? "" : "no events\n";
  TextTable table(std::move(columns));
  for (std::size_t stage = 0; stage < numerics::kNumStages; ++stage) {
    if (!ledger.stages[stage].any()) continue;
    std::vector<std::string> cells = {std::string(numerics::kStageNames[stage])};
    for (const numerics::Event event : shown) cells.push_back(count_text(ledger.stages[stage][event]));
    table.add_row(std::move(cells));
  }
  return table.text();
}

std::string histogram_text(const ExponentHistogram& histogram) {
  TextTable table({{"exponent"}, {"values"}, {"", kLeft}});
  std::uint64_t largest = 1;
  for (const auto& [exponent, count] : histogram.exponents) largest = std::max(largest, count);
  constexpr std::uint64_t kBarWidth = 40;
  for (const auto& [exponent, count] : histogram.exponents) {
    const auto filled = static_cast<std::size_t>(static_cast<double>(count) / static_cast<double>(largest) * kBarWidth);
    table.add_row({std::to_string(exponent), count_text(count), std::string(filled, '#')});
  }
  std::string text = table.text();
  if (histogram.num_zeros + histogram.num_infinities + histogram.num_nans > 0) {
    text += fmt::format("zeros {}, infinities {}, NaNs {}\n", count_text(histogram.num_zeros),
                        count_text(histogram.num_infinities), count_text(histogram.num_nans));
  }
  return text;
}

std::string error_text(const ErrorStatistics& error) {
  const std::string sqnr = error.sqnr_db() ? fmt::format(", SQNR {:.1f} dB", *error.sqnr_db()) : "";
  return fmt::format(
      "error         max {:.6g}, rms {:.6g}; relative max {:.6g}, rms {:.6g}{}; exact {} of {}, left out {}\n",
      error.max_abs, error.rms, error.max_relative, error.relative_rms, sqnr, count_text(error.num_exact),
      count_text(error.num_compared), count_text(error.num_left_out));
}

/// MACs done by MACs possible in that many cycles.
double utilisation(const GemmTiming& timing, std::uint64_t cycles) {
  return static_cast<double>(timing.macs) /
         (static_cast<double>(timing.mac_slots_per_cycle) * static_cast<double>(cycles));
}

/// What lies in the PEs by what all folds have place for.
double mapping(const GemmTiming& timing) {
  return static_cast<double>(timing.mapped) / static_cast<double>(timing.mapping_slots);
}
const char* mapped_text(const GemmTiming& timing) { return timing.dataflow == "os" ? "outputs" : "operands that stay"; }

Json timing_json(const GemmTiming& timing) {
  const std::string places = timing.dataflow == "os" ? "folds * rows * cols" : "folds * rows * cols * dot_width";
  Json json = {{"fidelity", timing.fidelity},
               {"policy", timing.policy},
               {"edge", timing.edge},
               {"dataflow", timing.dataflow},
               {"memory", "unlimited"},
               {"folds", timing.folds},
               {"cycles_per_fold", timing.cycles_per_fold},
               {"cycles", timing.cycles},
               {"pe_cycles", timing.pe_cycles},
               {"total_cycles", timing.total_cycles()},
               {"utilisation",
                {{"macs", timing.macs},
                 {"mac_slots_per_cycle", timing.mac_slots_per_cycle},
                 {"mapped", timing.mapped},
                 {"mapping_slots", timing.mapping_slots},
                 {"of_cycles", json_real(utilisation(timing, timing.cycles))},
                 {"of_total_cycles", json_real(utilisation(timing, timing.total_cycles()))},
                 {"mapping", json_real(mapping(timing))},
                 {"denominators",
                  {{"of_cycles", "macs / (mac_slots_per_cycle * cycles)"},
                   {"of_total_cycles", "macs / (mac_slots_per_cycle * total_cycles)"},
                   {"mapping", std::string(mapped_text(timing)) + " / (" + places + ")"}}}}}};
  if (timing.fidelity == "pe") json["pe_updates"] = timing.pe_updates;
  return json;
}

std::string values_text(const GemmValues& values, const std::vector<numerics::Event>& wanted) {
  std::string text = fmt::format("digest        {}\nresult        {}", values.digest, values.result_format);
  if (values.headroom_bits) {
    text += fmt::format(", {} bits of head-room, {} of foot-room", *values.headroom_bits, *values.footroom_bits);
  }
  text += "\n";
  if (values.error) text += error_text(*values.error);
  if (values.equals_reference) {
    text += *values.equals_reference ? "reference     same bits and events\n" : "reference     DIFFERS\n";
  }
  return text + "\n" + events_text(values.events, wanted) + "\n" + histogram_text(values.exponents) + "\n";
}

}  // namespace

std::string gemm_table(const GemmResult& result) {
  std::string text =
      fmt::format("{} x {} x {} on {}, A {}, B {}\n", result.m, result.n, result.k,
                  printable(result.accelerator_name) + (result.preset.empty() ? "" : " with " + result.preset),
                  printable(result.a), printable(result.b));
  if (result.values) text += values_text(*result.values, result.wanted);
  const GemmTiming& timing = result.timing;
  text += fmt::format("{} {} ({}, {}, edge {}, fidelity {}): {} {} of {}; {} more in the described PEs\n",
                      count_text(timing.cycles), plural(timing.cycles, "cycle"), timing.dataflow, timing.policy,
                      timing.edge, timing.fidelity, count_text(timing.folds), plural(timing.folds, "fold"),
                      count_text(timing.cycles_per_fold), count_text(timing.pe_cycles));
  text += fmt::format(
      "MACs use {:.1f} % of {} slots in {} cycles, {:.1f} % of those in all {}; {} fill {:.1f} % of {} places\n",
      100 * utilisation(timing, timing.cycles), count_text(timing.mac_slots_per_cycle), count_text(timing.cycles),
      100 * utilisation(timing, timing.total_cycles()), count_text(timing.total_cycles()), mapped_text(timing),
      100 * mapping(timing), count_text(timing.mapping_slots));
  return text;
}

std::string gemm_json(const GemmResult& result) {
  const GemmTiming& timing = result.timing;
  const Json json = {
      {"schema", "guardbit-gemm/1"},
      {"provenance", result.provenance},
      {"gemm", {{"m", result.m}, {"n", result.n}, {"k", result.k}, {"a", result.a}, {"b", result.b}}},
      {"accelerator",
       {{"name", result.accelerator_name}, {"preset", result.preset}, {"keys", result.accelerator_keys}}},
      {"result", result.values ? values_json(*result.values, result.wanted) : Json(nullptr)},
      {"timing", timing_json(timing)}};
  return dump(json, 2) + "\n";
}

std::string ledger_json(const numerics::EventLedger& ledger) {
  return dump(events_json(ledger, {kReportEvents.begin(), kReportEvents.end()}), 2) + "\n";
}

std::string quantize_table(const QuantizeResult& result) {
  const auto& coding = result.coding;
  std::string text = fmt::format("{} -> {}: {}, {}, overflow {}, subnormals {}, scale {}", printable(result.input),
                                 printable(result.output), coding.at("format"), coding.at("rounding"),
                                 coding.at("overflow"), coding.at("subnormals"), coding.at("scale"));
  if (coding.contains("block_size")) {
    text += fmt::format(" for {} elements along axis {}", coding.at("block_size"), coding.at("axis"));
  }
  text += fmt::format("\nvalue = {}\n", coding.at("value"));
  std::vector<numerics::Event> all(kReportEvents.begin(), kReportEvents.end());
  for (const QuantizedTensor& tensor : result.tensors) {
    numerics::EventLedger ledger;
    ledger[numerics::Stage::kQuantizer] = tensor.events;
    text += fmt::format("\n{} ({})\n{}below range   {}, above range {}\n", printable(tensor.name),
                        fmt::join(tensor.shape, ", "), error_text(tensor.error), count_text(tensor.num_below),
                        count_text(tensor.num_above));
    if (tensor.num_scales > 0) {
      text += fmt::format("scales        {}, {:.6g} to {:.6g}\n", count_text(tensor.num_scales), tensor.min_scale,
                          tensor.max_scale);
    }
    if (tensor.min_zero_point) {
      text += fmt::format("zero points   {} to {}\n", *tensor.min_zero_point, *tensor.max_zero_point);
    }
    if (tensor.tensor_scale) text += fmt::format("tensor scale  {:.6g}\n", *tensor.tensor_scale);
    text += events_text(ledger, all) + histogram_text(tensor.inputs);
  }
  return text;
}

std::string quantize_json(const QuantizeResult& result) {
  const std::vector<numerics::Event> all(kReportEvents.begin(), kReportEvents.end());
  Json tensors = Json::array();
  for (const QuantizedTensor& tensor : result.tensors) {
    Json json = {{"name", tensor.name},
                 {"shape", tensor.shape},
                 {"events", events_json(tensor.events, all)},
                 {"error", error_json(tensor.error, "the input")},
                 {"scales",
                  {{"count", tensor.num_scales},
                   {"min", json_real(static_cast<double>(tensor.min_scale))},
                   {"max", json_real(static_cast<double>(tensor.max_scale))}}}};
    if (tensor.min_zero_point) {
      json["zero_points"] = {{"min", *tensor.min_zero_point}, {"max", *tensor.max_zero_point}};
    }
    if (tensor.tensor_scale) json["tensor_scale"] = json_real(static_cast<double>(*tensor.tensor_scale));
    json["below_range"] = tensor.num_below;
    json["above_range"] = tensor.num_above;
    json["inputs"] = histogram_json(tensor.inputs);
    json["outputs"] = histogram_json(tensor.outputs);
    tensors.push_back(std::move(json));
  }
  Json json = {{"schema", "guardbit-quantize/1"},
               {"provenance", result.provenance},
               {"input", result.input},
               {"output", result.output}};
  for (const char* key : {"format", "rounding", "overflow", "subnormals", "scale", "value"}) {
    json[key] = result.coding.at(key);
  }
  for (const char* key : {"block_size", "axis"}) {
    if (const auto found = result.coding.find(key); found != result.coding.end()) json[key] = std::stoi(found->second);
  }
  json["least_exponent"] = result.least_exponent;
  json["largest_exponent"] = result.largest_exponent;
  json["tensors"] = std::move(tensors);
  return dump(json, 2) + "\n";
}

}  // namespace guardbit::sim
