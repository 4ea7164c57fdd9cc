#pragma once
/// Parts of replay_reader.h: one kind of value or object each. Problems are collected in the cursor's JsonProblems.
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "sim/stats/result.h"
#include "sim/trace/strict_json.h"

namespace guardbit::sim {

/// Throws what is collected if member "schema" is another one: of another kind of file the rest would only be noise.
void require_schema(const JsonCursor& root, JsonProblems& problems, std::string_view schema);
/// Any 64-bit count.
[[nodiscard]] std::uint64_t read_count(const JsonCursor& cursor);
/// null: NaN.
[[nodiscard]] double read_real(const JsonCursor& cursor);
/// Any text; null and "" are empty.
[[nodiscard]] std::string read_text(const JsonCursor& cursor);
/// {key: text}
[[nodiscard]] std::map<std::string, std::string> read_texts(const JsonCursor& cursor);
/// Member "layer": -1 for null and if it is not there.
[[nodiscard]] int read_layer(const JsonCursor& cursor);
/// A member that may be null: no figures.
[[nodiscard]] Spread read_spread(const JsonCursor& cursor, std::string_view key);
/// Index of the text in `names`; 0 with a problem if it is none of them.
[[nodiscard]] std::size_t read_name(const JsonCursor& cursor, std::span<const std::string_view> names);
/// The same of a key; `cursor` is its value.
[[nodiscard]] std::size_t index_of_key(std::string_view key, const JsonCursor& cursor,
                                       std::span<const std::string_view> names);

[[nodiscard]] VariantResult read_variant(const JsonCursor& cursor);
[[nodiscard]] OpResult read_op(const JsonCursor& cursor);
/// {event: count}; null: none.
[[nodiscard]] numerics::EventCounts read_events(const JsonCursor& cursor);
[[nodiscard]] TokenEvents read_token_events(const JsonCursor& cursor);
/// What docs/result.md calls "What became of values" of an op, and the op's layer.
void read_value_reports(const JsonCursor& cursor, OpResult& op);
[[nodiscard]] std::vector<LayerResult> read_layers(const JsonCursor& cursor);
/// Stall reasons; ops are named, `ops` has been read.
[[nodiscard]] StallAccount read_stalls(const JsonCursor& cursor, const std::vector<OpResult>& ops);
[[nodiscard]] EnergyReport read_energy(const JsonCursor& cursor);

/// {unit name: number} into cells by UnitKind; a unit that is not there keeps its cell.
template <class Cells, class Read>
void read_by_unit(const JsonCursor& cursor, Cells& cells, const Read& read) {
  for (const auto& [name, value] : cursor.members()) cells[index_of_key(name, value, kUnitNames)] = read(value);
}

}  // namespace guardbit::sim
