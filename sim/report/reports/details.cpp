#include <fmt/format.h>

#include "sim/base/error.h"
#include "sim/report/cycle_tables.h"
#include "sim/report/reports/reports.h"
#include "sim/report/text_table.h"
#include "sim/report/value_tables.h"

namespace guardbit::sim {
namespace {

using enum TextTable::Align;

std::string tile_text(const OpResult& op) {
  if (!op.tile) return "";
  const TileChoice& tile = *op.tile;
  std::string text = tile.cols == 0 ? fmt::format("{} rows", tile.rows) : fmt::format("{} x {}", tile.rows, tile.cols);
  return text + (tile.double_buffered ? "" : ", one at a time");
}

std::string ops_of(const VariantResult& variant) {
  std::vector<TextTable::Column> columns = {{printable(variant.name), kLeft}, {"start"}, {"end"}};
  const std::vector<std::size_t> units = units_with_work(variant);
  for (const std::size_t unit : units) columns.push_back({std::string(kUnitNames[unit])});
  for (const char* const title : {"MACs", "DRAM bytes", "nJ"}) columns.push_back({title});
  columns.push_back({"block", kLeft});
  for (const char* const title : {"bytes", "weight passes"}) columns.push_back({title});
  TextTable table(std::move(columns));
  constexpr double kPicojoules = 1e3;  // in a nanojoule
  for (const OpResult& op : variant.ops) {
    std::vector<std::string> cells = {printable(op.name), count_text(op.start), count_text(op.end)};
    double pj = 0;
    for (const std::size_t unit : units) {
      cells.push_back(op.unit_cycles[unit] == 0 ? "" : count_text(op.unit_cycles[unit]));
    }
    for (const double unit_pj : op.unit_pj) pj += unit_pj;
    cells.push_back(op.macs == 0 ? "" : count_text(op.macs));
    cells.push_back(op.dram_bytes == 0 ? "" : count_text(op.dram_bytes));
    cells.push_back(real_text(pj / kPicojoules, 1));
    cells.push_back(tile_text(op));
    cells.push_back(op.tile ? count_text(op.tile->scratchpad_bytes) : "");
    cells.push_back(op.tile && op.tile->weight_passes != 0 ? count_text(op.tile->weight_passes) : "");
    table.add_row(std::move(cells));
  }
  return table.text();
}

std::string energy_of_operations(const VariantResult& variant) {
  TextTable table(
      {{"energy of " + printable(variant.name), kLeft}, {"formats", kLeft}, {"count"}, {"pJ each"}, {"uJ"}});
  constexpr double kPicojoules = 1e6;
  for (const EnergyLine& line : variant.energy.lines) {
    const std::string formats = line.operation.a + (line.operation.b.empty() ? "" : " x " + line.operation.b);
    table.add_row({std::string(units::kOperationNames[static_cast<std::size_t>(line.operation.operation)]), formats,
                   count_text(line.count), fmt::format("{:.4g}", line.pj_each), real_text(line.pj() / kPicojoules, 2)});
  }
  return table.text();
}

/// Prefill and decode; the last line is the variant's.
std::string energy_of_phases(const VariantResult& variant) {
  constexpr double kPicojoules = 1e6;
  std::vector<TextTable::Column> columns = {{"energy of " + printable(variant.name) + " by phase, uJ", kLeft}};
  const std::vector<std::size_t> units = units_with_energy({&variant, 1});
  for (const std::size_t unit : units) columns.push_back({std::string(kUnitNames[unit])});
  columns.push_back({"total"});
  columns.push_back({"pJ per MAC"});
  TextTable table(std::move(columns));
  const auto add = [&](const std::string& name, const EnergyReport& energy, std::uint64_t macs) {
    std::vector<std::string> cells = {name};
    for (const std::size_t unit : units) cells.push_back(real_text(energy.unit_pj[unit] / kPicojoules, 2));
    cells.push_back(real_text(energy.pj / kPicojoules, 2));
    cells.push_back(macs == 0 ? "" : real_text(energy.pj / static_cast<double>(macs), 2));
    table.add_row(std::move(cells));
  };
  for (const PhaseResult& phase : variant.phases) add(phase.name, phase.energy, phase.macs);
  add("all", variant.energy, variant.macs);
  return table.text();
}

std::string area(const ReplayResult& result) {
  TextTable table({{"area", kLeft}, {"mm2"}});
  double total = 0;
  constexpr double kSquareMicrometres = 1e6;  // in a square millimetre
  for (const auto& [part, um2] : result.area_um2) {
    table.add_row({part, real_text(um2 / kSquareMicrometres, 4)});
    total += um2;
  }
  table.add_row({"total", real_text(total / kSquareMicrometres, 4)});
  return table.text();
}

}  // namespace

std::string write_details(const ReplayResult& result) {
  std::string text = fmt::format(
      "{} on {}: ops, blocks, stalls, energy\n\nCycles of units are busy cycles over all windows; start and end are "
      "those "
      "of the first window. A block is tokens x\noutput channels; its bytes include what is held while blocks pass.\n",
      printable(result.trace_name), printable(result.accelerator_name));
  for (const VariantResult& variant : result.variants) text += "\n" + ops_of(variant);
  constexpr std::size_t kAllReasons = 1000000;
  if (const std::string stalls = stall_table(result, kAllReasons, 0); !stalls.empty()) text += "\n" + stalls;
  for (const VariantResult& variant : result.variants) {
    text += "\n" + energy_of_operations(variant);
    if (!variant.phases.empty()) text += "\n" + energy_of_phases(variant);
  }
  text += "\n" + area(result);
  for (const VariantResult& variant : result.variants) text += value_tables(variant);
  return text;
}

}  // namespace guardbit::sim
