#include "sim/report/html/chart_data.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "sim/report/cycle_tables.h"
#include "sim/report/html/value_chart_data.h"
#include "sim/report/report_order.h"

namespace guardbit::sim::html {
namespace {

/// "3" of "layers.3.mlp.down"; "" of an op outside the layers.
std::string layer_of(const std::string& op) {
  constexpr std::string_view kPrefix = "layers.";
  if (!op.starts_with(kPrefix)) return "";
  const std::size_t dot = op.find('.', kPrefix.size());
  return dot == std::string::npos ? "" : op.substr(kPrefix.size(), dot - kPrefix.size());
}

/// Ops of all variants in the order in which they come first: index by name.
std::map<std::string, std::size_t> index_ops(const ReplayResult& result, Json& ops) {
  std::map<std::string, std::size_t> indices;
  for (const VariantResult& variant : result.variants) {
    for (const OpResult& op : variant.ops) {
      if (!indices.emplace(op.name, indices.size()).second) continue;
      const std::string layer = layer_of(op.name);
      ops.push_back({{"name", op.name}, {"layer", layer}, {"row", layer.empty() ? op.name : without_layer(op.name)}});
    }
  }
  return indices;
}

/// [[op, event, stage, count], ...] of a variant: indices into `ops`, `events`, `stages`.
Json events_of(const VariantResult& variant, const std::map<std::string, std::size_t>& indices) {
  Json list = Json::array();
  for (const OpResult& op : variant.ops) {
    for (std::size_t stage = 0; stage < numerics::kNumStages; ++stage) {
      for (std::size_t event = 0; event < numerics::kNumEvents; ++event) {
        const std::uint64_t count = op.events.stages[stage].counts[event];
        if (count != 0) list.push_back(Json::array({indices.at(op.name), event, stage, count}));
      }
    }
  }
  return list;
}

/// SQNR by op; null where the variant has no such op or no finite value.
Json sqnr_of(const VariantResult& variant, const std::map<std::string, std::size_t>& indices) {
  Json list = Json::array();
  for (std::size_t op = 0; op < indices.size(); ++op) list.push_back(nullptr);
  for (const OpResult& op : variant.ops) list[indices.at(op.name)] = json_real(op.sqnr_db);
  return list;
}

/// Units that had a command in any variant: the charts of all have the same axis.
std::vector<std::size_t> units_of(const ReplayResult& result) {
  std::set<std::size_t> units;
  for (const VariantResult& variant : result.variants) {
    for (const std::size_t unit : units_with_work(variant)) units.insert(unit);
  }
  return {units.begin(), units.end()};
}

/// Of each of them: busy and idle cycles, and stalls as [[state, waited on, cycles], ...], the longest first by state.
Json cycles_of(const VariantResult& variant, const std::vector<std::size_t>& units) {
  const std::vector<GroupedStall> stalls = grouped_stalls(variant);
  Json list = Json::array();
  for (const std::size_t unit : units) {
    Json of_unit = Json::array();
    for (const GroupedStall& stall : stalls) {
      if (static_cast<std::size_t>(stall.unit) != unit) continue;
      of_unit.push_back(Json::array({kUnitStateNames[static_cast<std::size_t>(stall.state)], stall.on, stall.cycles}));
    }
    const UnitCycles& cycles = variant.cycles.units[unit];
    list.push_back({{"busy", cycles.busy}, {"idle", cycles.idle}, {"stalls", std::move(of_unit)}});
  }
  return list;
}

}  // namespace

Json chart_data(const ReplayResult& result) {
  Json ops = Json::array();
  const auto indices = index_ops(result, ops);
  const std::vector<std::size_t> units = units_of(result);
  Json unit_names = Json::array();
  for (const std::size_t unit : units) unit_names.push_back(kUnitNames[unit]);
  Json variants = Json::array();
  for (const VariantResult& variant : result.variants) {
    variants.push_back({{"name", variant.name},
                        {"cycles", variant.cycles.total},
                        {"units", cycles_of(variant, units)},
                        {"events", events_of(variant, indices)},
                        {"sqnr_db", sqnr_of(variant, indices)},
                        {"norms", norms_of(variant)},
                        {"outliers", outliers_of(variant)}});
  }
  return Json{{"events", numerics::kEventNames},
              {"stages", numerics::kStageNames},
              {"units", std::move(unit_names)},
              {"ops", std::move(ops)},
              {"variants", std::move(variants)}};
}

}  // namespace guardbit::sim::html
