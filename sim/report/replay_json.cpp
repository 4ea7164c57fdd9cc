#include "sim/report/replay_json.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "sim/report/report_order.h"

namespace guardbit::sim {
namespace {

Json totals(const numerics::EventCounts& counts) {
  Json json = Json::object();
  for (const numerics::Event event : kReportEvents) json[std::string(name_of(event))] = counts[event];
  return json;
}

Json by_stage(const numerics::EventLedger& ledger) {
  Json json = Json::object();
  for (std::size_t stage = 0; stage < numerics::kNumStages; ++stage) {
    Json events = Json::object();
    for (const numerics::Event event : kReportEvents) {
      const std::uint64_t count = ledger.stages[stage][event];
      if (count != 0) events[std::string(name_of(event))] = count;
    }
    if (!events.empty()) json[std::string(numerics::kStageNames[stage])] = std::move(events);
  }
  return json;
}

Json to_json(const UnitCycles& cycles) {
  return Json{{"busy", cycles.busy},
              {"input_stall", cycles.input_stall},
              {"output_stall", cycles.output_stall},
              {"token_wait", cycles.token_wait},
              {"idle", cycles.idle}};
}

/// {unit name: cells[unit]}
template <class Cells, class ToJson>
Json by_unit(const Cells& cells, const ToJson& convert) {
  Json json = Json::object();
  for (std::size_t unit = 0; unit < kNumUnits; ++unit) json[std::string(kUnitNames[unit])] = convert(cells[unit]);
  return json;
}

Json to_json(const PhaseResult& phase) {
  return Json{{"name", phase.name},
              {"passes", phase.passes},
              {"tokens", phase.tokens},
              {"cycles", phase.cycles},
              {"macs", phase.macs},
              {"dram_bytes", phase.dram_bytes},
              {"busy", by_unit(phase.busy, [](std::uint64_t busy) { return Json(busy); })}};
}

Json to_json(const OpResult& op) {
  Json json = {{"name", op.name},
               {"kind", op.kind},
               {"events", totals(op.events.total())},
               {"stages", by_stage(op.events)},
               {"cycles", op.cycles},
               {"units", by_unit(op.unit_cycles, [](std::uint64_t busy) { return Json(busy); })},
               {"macs", op.macs},
               {"dram_bytes", op.dram_bytes},
               {"sqnr_db", json_real(op.sqnr_db)},
               {"max_abs", json_real(op.max_abs)},
               {"reference_max_abs", json_real(op.reference_max_abs)},
               {"output_sha256", op.output_sha256}};
  if (op.norm_scale) json["norm_scale"] = json_real(*op.norm_scale);
  return json;
}

}  // namespace

Json json_real(double value) {
  if (!std::isfinite(value)) return nullptr;
  const std::string text = fmt::format("{:.6g}", value);
  double rounded = 0;
  std::from_chars(text.data(), text.data() + text.size(), rounded);
  return rounded;
}

Json to_json(const VariantResult& variant) {
  Json ops = Json::array();
  for (const OpResult& op : variant.ops) ops.push_back(to_json(op));
  Json phases = Json::array();
  for (const PhaseResult& phase : variant.phases) phases.push_back(to_json(phase));
  Json json{{"name", variant.name},
            {"perplexity", json_real(variant.perplexity)},
            {"sqnr_db", json_real(variant.sqnr_db)},
            {"top1_agreement", json_real(variant.top1_agreement)},
            {"events", totals(variant.events)},
            {"cycles", variant.cycles.total},
            {"macs", variant.macs},
            {"utilization", json_real(variant.utilization)},
            {"digest", variant.digest},
            {"units", by_unit(variant.cycles.units, [](const UnitCycles& cycles) { return to_json(cycles); })},
            {"ops", std::move(ops)}};
  if (!phases.empty()) json["phases"] = std::move(phases);
  return json;
}

std::string dump(const Json& json, int indent) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

}  // namespace guardbit::sim
