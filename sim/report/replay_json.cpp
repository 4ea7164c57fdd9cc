#include "sim/report/replay_json.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "sim/report/report_order.h"
#include "sim/report/value_json.h"

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

/// {purpose: {unit: busy cycles}}, without zeros.
Json to_json(const std::array<std::array<std::uint64_t, kNumUnits>, kNumPurposes>& purposes) {
  Json json = Json::object();
  for (std::size_t purpose = 0; purpose < kNumPurposes; ++purpose) {
    Json units = Json::object();
    for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
      if (purposes[purpose][unit] != 0) units[std::string(kUnitNames[unit])] = purposes[purpose][unit];
    }
    if (!units.empty()) json[std::string(kPurposeNames[purpose])] = std::move(units);
  }
  return json;
}

Json to_json(const VariantResult& variant, const StallReason& reason, std::uint64_t cycles) {
  const auto op_name = [&variant](std::uint32_t op) {
    return op < variant.ops.size() ? Json(variant.ops[op].name) : Json(op);
  };
  Json json = {{"unit", kUnitNames[static_cast<std::size_t>(reason.unit)]},
               {"state", kUnitStateNames[static_cast<std::size_t>(reason.state)]},
               {"op", op_name(reason.op)},
               {"cause", kStallCauseNames[static_cast<std::size_t>(reason.cause)]}};
  if (reason.cause == StallReason::Cause::kToken) {
    json["producer"] = kUnitNames[static_cast<std::size_t>(reason.producer)];
    json["producer_op"] = op_name(reason.producer_op);
    json["what"] = kPurposeNames[static_cast<std::size_t>(reason.what)];
  }
  json["cycles"] = cycles;
  return json;
}

/// Cycles by overhead, and what they are more than the plain variant's (negative: less).
Json overheads(const VariantResult& variant, const VariantResult* plain) {
  const auto sum = [](const VariantResult& of, Purpose purpose) {
    std::int64_t cycles = 0;
    for (const std::uint64_t busy : of.cycles.purposes[static_cast<std::size_t>(purpose)]) {
      cycles += static_cast<std::int64_t>(busy);
    }
    return cycles;
  };
  Json json = Json::object();
  for (const Purpose purpose : kOverheads) {
    Json cells = {{"cycles", sum(variant, purpose)}};
    if (plain != nullptr) cells["against_none"] = sum(variant, purpose) - sum(*plain, purpose);
    json[std::string(kPurposeNames[static_cast<std::size_t>(purpose)])] = std::move(cells);
  }
  return json;
}

Json to_json(const EnergyReport& energy) {
  Json operations = Json::array();
  for (const EnergyLine& line : energy.lines) {
    Json json = {{"operation", units::kOperationNames[static_cast<std::size_t>(line.operation.operation)]}};
    if (!line.operation.a.empty()) json["format"] = line.operation.a;
    if (!line.operation.b.empty()) json["second_format"] = line.operation.b;
    json["count"] = line.count;
    json["pj_each"] = json_real(line.pj_each);
    json["pj"] = json_real(line.pj());
    operations.push_back(std::move(json));
  }
  return Json{{"total_pj", json_real(energy.pj)},
              {"units", by_unit(energy.unit_pj, json_real)},
              {"operations", std::move(operations)}};
}

Json to_json(const PhaseResult& phase) {
  return Json{{"name", phase.name},
              {"passes", phase.passes},
              {"tokens", phase.tokens},
              {"cycles", phase.cycles},
              {"macs", phase.macs},
              {"dram_bytes", phase.dram_bytes},
              {"busy", by_unit(phase.busy, [](std::uint64_t busy) { return Json(busy); })},
              {"energy", to_json(phase.energy)}};
}

Json to_json(const TileChoice& tile) {
  return Json{{"rows", tile.rows},
              {"cols", tile.cols},
              {"scratchpad_bytes", tile.scratchpad_bytes},
              {"accumulator_bytes", tile.accumulator_bytes},
              {"weight_passes", tile.weight_passes},
              {"double_buffered", tile.double_buffered}};
}

/// Text, or null if there is none.
Json json_text(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json to_json(const OpResult& op) {
  Json json = {{"name", op.name},
               {"kind", op.kind},
               {"events", op.output_sha256.empty() ? Json(nullptr) : totals(op.events.total())},
               {"stages", op.output_sha256.empty() ? Json(nullptr) : by_stage(op.events)},
               {"start", op.start},
               {"end", op.end},
               {"cycles", op.cycles},
               {"units", by_unit(op.unit_cycles, [](std::uint64_t busy) { return Json(busy); })},
               {"macs", op.macs},
               {"dram_bytes", op.dram_bytes},
               {"energy_pj", by_unit(op.unit_pj, json_real)},
               {"tile", op.tile ? to_json(*op.tile) : Json(nullptr)},
               {"sqnr_db", json_real(op.sqnr_db)},
               {"max_abs", json_real(op.max_abs)},
               {"reference_max_abs", json_real(op.reference_max_abs)},
               {"output_sha256", json_text(op.output_sha256)}};
  if (op.norm_scale) json["norm_scale"] = json_real(*op.norm_scale);
  json["layer"] = op.layer < 0 ? Json(nullptr) : Json(op.layer);
  if (!op.output_sha256.empty()) add_value_reports(op, json);
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

Json to_json(const VariantResult& variant, const VariantResult* plain) {
  Json stalls = Json::array();
  for (const auto& [reason, cycles] : variant.cycles.stalls) stalls.push_back(to_json(variant, reason, cycles));
  Json ops = Json::array();
  for (const OpResult& op : variant.ops) ops.push_back(to_json(op));
  Json phases = Json::array();
  for (const PhaseResult& phase : variant.phases) phases.push_back(to_json(phase));
  Json json{{"name", variant.name},
            {"ran_with", variant.ran_with},
            {"perplexity", json_real(variant.perplexity)},
            {"sqnr_db", json_real(variant.sqnr_db)},
            {"top1_agreement", json_real(variant.top1_agreement)},
            {"events", variant.digest.empty() ? Json(nullptr) : totals(variant.events)},
            {"cycles", variant.cycles.total},
            {"macs", variant.macs},
            {"utilization", json_real(variant.utilization)},
            {"digest", json_text(variant.digest)},
            {"units", by_unit(variant.cycles.units, [](const UnitCycles& cycles) { return to_json(cycles); })},
            {"overheads", overheads(variant, plain)},
            {"purposes", to_json(variant.cycles.purposes)},
            {"stalls", std::move(stalls)},
            {"memory",
             {{"scratchpad_peak_bytes", variant.cycles.scratchpad_peak_bytes},
              {"accumulator_peak_bytes", variant.cycles.accumulator_peak_bytes}}},
            {"energy", to_json(variant.energy)},
            {"ops", std::move(ops)}};
  if (!phases.empty()) json["phases"] = std::move(phases);
  if (!variant.layers.empty()) json["layers"] = layers_json(variant);
  return json;
}

std::string dump(const Json& json, int indent) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

}  // namespace guardbit::sim
