// Where the cycles and the energy went.
#include <algorithm>
#include <array>

#include "sim/report/cycle_tables.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"

namespace guardbit::sim::html {
namespace {

using enum Table::Kind;
constexpr double kPjPerUj = 1e6;

std::string unit_table(const ReplayResult& result) {
  Table table("Cycles by unit, in percent of the run", {{"variant", kText},
                                                        {"unit", kText},
                                                        {"busy cycles"},
                                                        {"busy %"},
                                                        {"input stall %"},
                                                        {"output stall %"},
                                                        {"token wait %"},
                                                        {"idle %"}});
  for (const VariantResult& variant : result.variants) {
    for (const std::size_t unit : units_with_work(variant)) {
      const UnitCycles& cycles = variant.cycles.units[unit];
      const std::uint64_t total = cycles.total();
      table.add_row({variant.name, std::string(kUnitNames[unit]), grouped(cycles.busy), percent(cycles.busy, total),
                     percent(cycles.input_stall, total), percent(cycles.output_stall, total),
                     percent(cycles.token_wait, total), percent(cycles.idle, total)},
                    variant.name);
    }
  }
  return table.text();
}

std::string reason_table(const ReplayResult& result) {
  Table table("Reasons of stalls",
              {{"variant", kText}, {"unit", kText}, {"waited on", kText}, {"cycles"}, {"% of run"}});
  for (const VariantResult& variant : result.variants) {
    for (const GroupedStall& stall : grouped_stalls(variant)) {
      table.add_row({variant.name, std::string(kUnitNames[static_cast<std::size_t>(stall.unit)]), stall.on,
                     grouped(stall.cycles), percent(stall.cycles, variant.cycles.total)},
                    variant.name);
    }
  }
  return table.empty() ? "" : folded("All reasons of stalls", table.sortable().text());
}

std::uint64_t sum_of(const std::array<std::uint64_t, kNumUnits>& cells) {
  std::uint64_t sum = 0;
  for (const std::uint64_t cell : cells) sum += cell;
  return sum;
}

/// Busy cycles by purpose, overheads marked.
std::string purpose_table(const ReplayResult& result) {
  std::vector<Table::Column> columns = {{"purpose", kText}, {"", kText}};
  for (const VariantResult& variant : result.variants) columns.push_back({variant.name, kNumber, "", variant.name});
  Table table("Busy cycles of all units, by purpose", std::move(columns));
  for (std::size_t purpose = 0; purpose < kNumPurposes; ++purpose) {
    const bool is_overhead =
        std::find(kOverheads.begin(), kOverheads.end(), static_cast<Purpose>(purpose)) != kOverheads.end();
    std::vector<std::string> cells = {words(kPurposeNames[purpose]), is_overhead ? "overhead" : ""};
    std::uint64_t sum = 0;
    for (const VariantResult& variant : result.variants) {
      const std::uint64_t cycles = sum_of(variant.cycles.purposes[purpose]);
      cells.push_back(grouped(cycles));
      sum += cycles;
    }
    if (sum != 0) table.add_row(cells);
  }
  return table.empty() ? "" : table.text();
}

std::string energy_by_unit(const ReplayResult& result) {
  std::vector<Table::Column> columns = {{"energy µJ", kText}};
  const std::vector<std::size_t> units = units_with_energy(result.variants);
  for (const std::size_t unit : units) columns.push_back({std::string(kUnitNames[unit])});
  columns.push_back({"total"});
  columns.push_back({"pJ per MAC"});
  Table table("Energy by unit", std::move(columns));
  for (const VariantResult& variant : result.variants) {
    std::vector<std::string> cells = {variant.name};
    for (const std::size_t unit : units) cells.push_back(fixed(variant.energy.unit_pj[unit] / kPjPerUj, 1));
    cells.push_back(fixed(variant.energy.pj / kPjPerUj, 1));
    cells.push_back(fixed(variant.energy.pj / static_cast<double>(variant.macs), 2));
    table.add_row(cells, variant.name);
  }
  return table.text();
}

}  // namespace

std::string cycles_section(const ReplayResult& result) {
  if (result.variants.empty()) return "";
  const std::string content =
      chart("cycles", "Share of the run that each unit was busy, stalled or idle, by variant; in the table below.") +
      folded("Cycles by unit", unit_table(result)) + reason_table(result) +
      folded("Busy cycles by purpose", purpose_table(result)) + folded("Energy", energy_by_unit(result));
  return section("cycles", "Cycles",
                 "Every cycle of a unit is busy, a stall with one reason, or idle. Segments of a stall are its "
                 "reasons, the longest first; a label names the op in the reason.",
                 content);
}

}  // namespace guardbit::sim::html
