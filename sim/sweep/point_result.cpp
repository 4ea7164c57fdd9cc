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

Json op_row(const OpResult& op) {
  double pj = 0;
  for (const double unit : op.unit_pj) pj += unit;
  return {op.name,
          op.kind,
          op.cycles,
          op.macs,
          op.dram_bytes,
          json_real(pj),
          json_real(op.sqnr_db),
          json_real(op.max_abs),
          json_real(op.reference_max_abs),
          op.output_sha256};
}

/// [op index, stage, event, count] of every counter that is not zero.
Json event_rows(const std::vector<OpResult>& ops) {
  Json rows = Json::array();
  for (std::size_t index = 0; index < ops.size(); ++index) {
    for (std::size_t stage = 0; stage < numerics::kNumStages; ++stage) {
      for (const numerics::Event event : kReportEvents) {
        const std::uint64_t count = ops[index].events.stages[stage][event];
        if (count != 0) rows.push_back({index, numerics::kStageNames[stage], name_of(event), count});
      }
    }
  }
  return rows;
}

}  // namespace

std::string point_result_json(const ReplayResult& result) {
  GUARDBIT_CHECK(result.variants.size() == 1, "a point is one variant");
  const VariantResult& variant = result.variants.front();
  double area = 0;
  for (const auto& [part, um2] : result.area_um2) area += um2;
  std::uint64_t dram_bytes = 0;
  for (const OpResult& op : variant.ops) dram_bytes += op.dram_bytes;
  Json ops = Json::array();
  for (const OpResult& op : variant.ops) ops.push_back(op_row(op));
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
                     {"ops", std::move(ops)},
                     {"op_events", event_rows(variant.ops)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace guardbit::sim
