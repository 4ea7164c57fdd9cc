#pragma once
/// Tables of where cycles and energy went, shared by the table and details reports.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/stats/result.h"

namespace guardbit::sim {

/// "mlp.down" of "layers.3.mlp.down": what an op is, in any layer.
[[nodiscard]] std::string without_layer(std::string_view op);

/// Indices of the units that had a command in the variant; of those that spent energy in any of the variants. Tables
/// leave the others out; formats for programs have every unit.
[[nodiscard]] std::vector<std::size_t> units_with_work(const VariantResult& variant);
[[nodiscard]] std::vector<std::size_t> units_with_energy(std::span<const VariantResult> variants);

/// Stalls of a unit with one explanation, over all layers.
struct GroupedStall {
  UnitKind unit = UnitKind::kLoad;
  UnitState state = UnitState::kIdle;  ///< one of the three stalls
  std::string on;                      ///< "load: weights of mlp.down", "scratchpad space for mlp.up"
  std::uint64_t cycles = 0;
};
/// By unit, the longest first; equals by text.
[[nodiscard]] std::vector<GroupedStall> grouped_stalls(const VariantResult& variant);

/// The longest `per_unit` reasons of every unit and variant; those below `least_percent` of the run are left out.
[[nodiscard]] std::string stall_table(const ReplayResult& result, std::size_t per_unit, double least_percent);

/// Cycles of every overhead by variant, the sum, and the difference of the totals from the variant `none`.
[[nodiscard]] std::string overhead_table(const ReplayResult& result);

/// Energy by variant and unit.
[[nodiscard]] std::string energy_table(const ReplayResult& result);

/// The variant called "none", or null.
[[nodiscard]] const VariantResult* plain_variant(const ReplayResult& result);

}  // namespace guardbit::sim
