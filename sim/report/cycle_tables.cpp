#include "sim/report/cycle_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "sim/base/error.h"
#include "sim/report/text_table.h"

namespace guardbit::sim {
namespace {

using enum TextTable::Align;

std::string words(std::string_view name) {
  std::string text(name);
  std::replace(text.begin(), text.end(), '_', ' ');
  return text;
}

std::string op_name(const VariantResult& variant, std::uint32_t op) {
  return op < variant.ops.size() ? without_layer(variant.ops[op].name) : fmt::format("op {}", op);
}

std::string explanation(const VariantResult& variant, const StallReason& reason) {
  switch (reason.cause) {
    case StallReason::Cause::kToken:
      return fmt::format("{}: {} of {}", kUnitNames[static_cast<std::size_t>(reason.producer)],
                         words(kPurposeNames[static_cast<std::size_t>(reason.what)]),
                         op_name(variant, reason.producer_op));
    case StallReason::Cause::kScratchpadSpace: return "scratchpad space for " + op_name(variant, reason.op);
    case StallReason::Cause::kAccumulatorSpace: return "accumulator space for " + op_name(variant, reason.op);
    case StallReason::Cause::kRandomDelay:
      return fmt::format("random delay in {}", words(kUnitStateNames[static_cast<std::size_t>(reason.state)]));
  }
  return "";  // unreachable: the switch is exhaustive (-Wswitch-enum)
}

std::uint64_t sum_of(const std::array<std::uint64_t, kNumUnits>& cells) {
  std::uint64_t sum = 0;
  for (const std::uint64_t cell : cells) sum += cell;
  return sum;
}

std::string signed_count(std::uint64_t value, std::uint64_t base) {
  return value >= base ? "+" + count_text(value - base) : "-" + count_text(base - value);
}

/// Whether an earlier variant has the same account, and which.
template <class Same>
const VariantResult* earlier_twin(const ReplayResult& result, const VariantResult& variant, const Same& same) {
  for (const VariantResult& earlier : result.variants) {
    if (&earlier == &variant) return nullptr;
    if (same(earlier, variant)) return &earlier;
  }
  return nullptr;
}

}  // namespace

std::string without_layer(std::string_view op) {
  constexpr std::string_view kPrefix = "layers.";
  if (!op.starts_with(kPrefix)) return std::string(op);
  const std::size_t dot = op.find('.', kPrefix.size());
  return std::string(dot == std::string_view::npos ? op : op.substr(dot + 1));
}

std::vector<std::size_t> units_with_work(const VariantResult& variant) {
  std::vector<std::size_t> units;
  for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
    const UnitCycles& cycles = variant.cycles.units[unit];
    if (cycles.idle != cycles.total()) units.push_back(unit);
  }
  return units;
}

std::vector<std::size_t> units_with_energy(std::span<const VariantResult> variants) {
  std::vector<std::size_t> units;
  for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
    const auto spent = [unit](const VariantResult& variant) { return variant.energy.unit_pj[unit] != 0; };
    if (std::any_of(variants.begin(), variants.end(), spent)) units.push_back(unit);
  }
  return units;
}

std::vector<GroupedStall> grouped_stalls(const VariantResult& variant) {
  std::map<std::tuple<UnitKind, std::string, UnitState>, std::uint64_t> groups;
  for (const auto& [reason, cycles] : variant.cycles.stalls) {
    groups[{reason.unit, explanation(variant, reason), reason.state}] += cycles;
  }
  std::vector<GroupedStall> list;
  for (const auto& [key, cycles] : groups) {
    list.push_back({std::get<UnitKind>(key), std::get<UnitState>(key), std::get<std::string>(key), cycles});
  }
  std::stable_sort(list.begin(), list.end(), [](const GroupedStall& a, const GroupedStall& b) {
    return a.unit != b.unit ? a.unit < b.unit : a.cycles > b.cycles;
  });
  return list;
}

std::string stall_table(const ReplayResult& result, std::size_t per_unit, double least_percent) {
  TextTable table({{"stalls", kLeft}, {"unit", kLeft}, {"% of run"}, {"waited on", kLeft}});
  for (const VariantResult& variant : result.variants) {
    std::string name = variant.name;
    const VariantResult* twin = earlier_twin(result, variant, [](const VariantResult& a, const VariantResult& b) {
      return a.cycles.stalls == b.cycles.stalls;
    });
    if (twin != nullptr && !variant.cycles.stalls.empty()) {
      table.add_row({name, "as " + twin->name, "", ""});
      continue;
    }
    std::array<std::size_t, kNumUnits> listed{};
    for (const GroupedStall& stall : grouped_stalls(variant)) {
      const double percent = 100 * static_cast<double>(stall.cycles) / static_cast<double>(variant.cycles.total);
      if (percent < least_percent || ++listed[static_cast<std::size_t>(stall.unit)] > per_unit) continue;
      table.add_row({name, std::string(kUnitNames[static_cast<std::size_t>(stall.unit)]), real_text(percent, 1),
                     printable(stall.on)});
      name.clear();
    }
  }
  return table.empty() ? "" : table.text();
}

const VariantResult* plain_variant(const ReplayResult& result) {
  const auto found = std::find_if(result.variants.begin(), result.variants.end(),
                                  [](const VariantResult& variant) { return variant.name == "none"; });
  return found == result.variants.end() ? nullptr : &*found;
}

std::string overhead_table(const ReplayResult& result) {
  if (result.variants.empty()) return "";
  std::vector<TextTable::Column> columns = {{"overhead, busy cycles", kLeft}};
  for (const VariantResult& variant : result.variants) columns.push_back({printable(variant.name)});
  TextTable table(std::move(columns));
  for (const Purpose purpose : kOverheads) {
    std::vector<std::string> cells = {words(kPurposeNames[static_cast<std::size_t>(purpose)])};
    for (const VariantResult& variant : result.variants) {
      cells.push_back(count_text(sum_of(variant.cycles.purposes[static_cast<std::size_t>(purpose)])));
    }
    table.add_row(std::move(cells));
  }
  if (const VariantResult* plain = plain_variant(result)) {
    std::vector<std::string> cells = {"total cycles against none"};
    for (const VariantResult& variant : result.variants) {
      cells.push_back(signed_count(variant.cycles.total, plain->cycles.total));
    }
    table.add_row(std::move(cells));
  }
  return table.text();
}

std::string energy_table(const ReplayResult& result) {
  if (result.variants.empty()) return "";
  std::vector<TextTable::Column> columns = {{"energy, uJ", kLeft}};
  const std::vector<std::size_t> units = units_with_energy(result.variants);
  for (const std::size_t unit : units) columns.push_back({std::string(kUnitNames[unit])});
  columns.push_back({"total"});
  columns.push_back({"pJ per MAC"});
  TextTable table(std::move(columns));
  constexpr double kPicojoules = 1e6;  // in a microjoule
  for (const VariantResult& variant : result.variants) {
    std::vector<std::string> cells = {variant.name};
    for (const std::size_t unit : units) cells.push_back(real_text(variant.energy.unit_pj[unit] / kPicojoules, 1));
    cells.push_back(real_text(variant.energy.pj / kPicojoules, 1));
    cells.push_back(variant.macs == 0 ? "" : real_text(variant.energy.pj / static_cast<double>(variant.macs), 2));
    table.add_row(std::move(cells));
  }
  return table.text();
}

}  // namespace guardbit::sim
