#include "sim/report/report_order.h"
#include "sim/report/reports/reports.h"

namespace guardbit::sim {
namespace {

/// A field, quoted if it holds a comma, a quote or a line end (RFC 4180 section 2).
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

}  // namespace

std::string write_csv(const ReplayResult& result) {
  std::string text = "trace,accelerator,variant,op,kind,stage";
  for (const numerics::Event event : kReportEvents) text += "," + std::string(name_of(event));
  text += "\n";
  const std::string header = field(result.trace_name) + "," + field(result.accelerator_name) + ",";
  for (const VariantResult& variant : result.variants) {
    for (const OpResult& op : variant.ops) {
      for (std::size_t stage = 0; stage < numerics::kNumStages; ++stage) {
        const numerics::EventCounts& counts = op.events.stages[stage];
        if (!counts.any()) continue;
        text += header + field(variant.name) + "," + field(op.name) + "," + field(op.kind) + "," +
                std::string(numerics::kStageNames[stage]);
        for (const numerics::Event event : kReportEvents) text += "," + std::to_string(counts[event]);
        text += "\n";
      }
    }
  }
  return text;
}

}  // namespace guardbit::sim
