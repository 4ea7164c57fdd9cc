#include "sim/report/cycle_tables.h"
#include "sim/report/replay_json.h"
#include "sim/report/reports/reports.h"

namespace guardbit::sim {

std::string write_jsonl(const ReplayResult& result) {
  std::string text;
  for (const VariantResult& variant : result.variants) {
    Json line = {{"schema", "guardbit-replay-variant/1"},
                 {"trace", result.trace_name},
                 {"accelerator", result.accelerator_name},
                 {"mode", result.mode},
                 {"residual_gain", json_real(result.residual_gain)},
                 {"channel_gain", json_real(result.channel_gain)},
                 {"channels", result.channels},
                 {"context", result.basis.context},
                 {"stride", result.basis.stride ? Json(*result.basis.stride) : Json(nullptr)},
                 {"scored_tokens", result.basis.scored_tokens},
                 {"reference_perplexity", json_real(result.reference_perplexity)}};
    line.update(to_json(variant, plain_variant(result)));
    text += dump(line, -1) + "\n";
  }
  return text;
}

}  // namespace guardbit::sim
