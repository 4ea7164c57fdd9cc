#include <fmt/format.h>

#include "sim/report/csv_field.h"
#include "sim/report/reports/reports.h"

namespace guardbit::sim {

std::string write_ops_csv(const ReplayResult& result) {
  std::string text = "trace,accelerator,variant,op,kind,start,end,cycles";
  for (const std::string_view unit : kUnitNames) text += fmt::format(",{}_cycles", unit);
  text += ",macs,dram_bytes,energy_pj,block_rows,block_cols,block_bytes,weight_passes\n";
  for (const VariantResult& variant : result.variants) {
    for (const OpResult& op : variant.ops) {
      text += fmt::format("{},{},{},{},{},{},{},{}", csv_field(result.trace_name), csv_field(result.accelerator_name),
                          csv_field(variant.name), csv_field(op.name), csv_field(op.kind), op.start, op.end, op.cycles);
      double pj = 0;
      for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
        text += fmt::format(",{}", op.unit_cycles[unit]);
        pj += op.unit_pj[unit];
      }
      const TileChoice tile = op.tile.value_or(TileChoice{});
      text += fmt::format(",{},{},{:.6g},{},{},{},{}\n", op.macs, op.dram_bytes, pj, tile.rows, tile.cols,
                          tile.scratchpad_bytes, tile.weight_passes);
    }
  }
  return text;
}

}  // namespace guardbit::sim
