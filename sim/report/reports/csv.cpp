#include "sim/report/csv_field.h"
#include "sim/report/report_order.h"
#include "sim/report/reports/reports.h"

namespace guardbit::sim {
std::string write_csv(const ReplayResult& result) {
  std::string text = "trace,accelerator,variant,op,kind,stage";
  for (const numerics::Event event : kReportEvents) text += "," + std::string(name_of(event));
  text += "\n";
  const std::string header = csv_field(result.trace_name) + "," + csv_field(result.accelerator_name) + ",";
  for (const VariantResult& variant : result.variants) {
    for (const OpResult& op : variant.ops) {
      for (std::size_t stage = 0; stage < numerics::kNumStages; ++stage) {
        const numerics::EventCounts& counts = op.events.stages[stage];
        if (!counts.any()) continue;
        text += header + csv_field(variant.name) + "," + csv_field(op.name) + "," + csv_field(op.kind) + "," +
                std::string(numerics::kStageNames[stage]);
        for (const numerics::Event event : kReportEvents) text += "," + std::to_string(counts[event]);
        text += "\n";
      }
    }
  }
  return text;
}

}  // namespace guardbit::sim
