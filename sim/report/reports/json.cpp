#include "sim/report/cycle_tables.h"
#include "sim/report/replay_json.h"
#include "sim/report/reports/reports.h"

namespace guardbit::sim {

std::string write_json(const ReplayResult& result) {
  Json area = Json::object();
  for (const auto& [part, um2] : result.area_um2) area[part] = json_real(um2);
  Json variants = Json::array();
  for (const VariantResult& variant : result.variants) variants.push_back(to_json(variant, plain_variant(result)));
  const Json json = {{"schema", kReplaySchema},
                     {"provenance", result.provenance},
                     {"trace",
                      {{"name", result.trace_name},
                       {"windows", result.num_windows},
                       {"tokens", result.num_tokens},
                       {"mode", result.mode},
                       {"residual_gain", json_real(result.residual_gain)},
                       {"channel_gain", json_real(result.channel_gain)},
                       {"channels", result.channels},
                       {"context", result.basis.context},
                       {"stride", result.basis.stride ? Json(*result.basis.stride) : Json(nullptr)},
                       {"scored_tokens", result.basis.scored_tokens}}},
                     {"accelerator",
                      {{"name", result.accelerator_name},
                       {"clock_mhz", json_real(result.clock_mhz)},
                       {"area_um2", std::move(area)},
                       {"keys", result.accelerator_keys}}},
                     {"reference", Json::object({{"perplexity", json_real(result.reference_perplexity)}})},
                     {"variants", std::move(variants)}};
  return dump(json, 2) + "\n";
}

}  // namespace guardbit::sim
