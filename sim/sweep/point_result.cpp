#include "sim/sweep/point_result.h"

#include "models/numerics/check.h"
#include "sim/report/replay_json.h"
#include "sim/report/report_order.h"

namespace guardbit::sim {
namespace {

Json events_of(const numerics::EventCounts& counts) {
  Json json = Json::object();
  for (const numerics::Event event : kReportEvents) json[std::string(name_of(event))] = counts[event];
  return json;
}

Json units_of(const CycleReport& cycles) {
  Json json = Json::object();
  for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
    const UnitCycles& of = cycles.units[unit];
    json[std::string(kUnitNames[unit])] = {of.busy, of.input_stall, of.output_stall, of.token_wait, of.idle};
  }
  return json;
}

/// One list per property: fewer and shorter tokens than one object per op.
Json ops_of(const std::vector<OpResult>& ops) {
  Json json = Json::object();
  for (const OpResult& op : ops) {
    double pj = 0;
    for (const double unit : op.unit_pj) pj += unit;
    json["name"].push_back(op.name);
    json["kind"].push_back(op.kind);
    json["cycles"].push_back(op.cycles);
    json["macs"].push_back(op.macs);
    json["dram_bytes"].push_back(op.dram_bytes);
    json["energy_pj"].push_back(json_real(pj));
    json["sqnr_db"].push_back(json_real(op.sqnr_db));
    json["max_abs"].push_back(json_real(op.max_abs));
    json["reference_max_abs"].push_back(json_real(op.reference_max_abs));
    json["output_sha256"].push_back(op.output_sha256);
  }
  return json;
}

/// {event: {stage: [op index, count, op index, count, ...]}} of every counter that is not zero.
Json event_lists(const std::vector<OpResult>& ops) {
  Json json = Json::object();
  for (const numerics::Event event : kReportEvents) {
    for (std::size_t stage = 0; stage < numerics::kNumStages; ++stage) {
      for (std::size_t index = 0; index < ops.size(); ++index) {
        const std::uint64_t count = ops[index].events.stages[stage][event];
        if (count == 0) continue;
        Json& list = json[std::string(name_of(event))][std::string(numerics::kStageNames[stage])];
        list.push_back(index);
        list.push_back(count);
      }
    }
  }
  return json;
}

}  // namespace

std::string point_result_json(const ReplayResult& result, const TokenErrors* errors) {
  GUARDBIT_CHECK(result.variants.size() == 1, "a point is one variant");
  const VariantResult& variant = result.variants.front();
  double area = 0;
  for (const auto& [part, um2] : result.area_um2) area += um2;
  std::uint64_t dram_bytes = 0;
  for (const OpResult& op : variant.ops) dram_bytes += op.dram_bytes;
  const Json json = {{"mode", result.mode},
                     {"windows", result.num_windows},
                     {"tokens", result.num_tokens},
                     {"reference_perplexity", json_real(result.reference_perplexity)},
                     {"perplexity", json_real(variant.perplexity)},
                     {"sqnr_db", json_real(variant.sqnr_db)},
                     {"top1_agreement", json_real(variant.top1_agreement)},
                     {"cycles", variant.cycles.total},
                     {"macs", variant.macs},
                     {"utilization", json_real(variant.utilization)},
                     {"dram_bytes", dram_bytes},
                     {"energy_pj", json_real(variant.energy.pj)},
                     {"area_um2", json_real(area)},
                     {"scratchpad_peak_bytes", variant.cycles.scratchpad_peak_bytes},
                     {"accumulator_peak_bytes", variant.cycles.accumulator_peak_bytes},
                     {"digest", variant.digest},
                     {"events", events_of(variant.events)},
                     {"units", units_of(variant.cycles)},
                     {"ops", ops_of(variant.ops)},
                     {"op_events", event_lists(variant.ops)},
                     {"token_errors", errors == nullptr ? Json(nullptr) : errors->json()}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace guardbit::sim
