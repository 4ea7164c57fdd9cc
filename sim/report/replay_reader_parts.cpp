#include "sim/report/replay_reader_parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace guardbit::sim {
namespace {

using Kind = JsonValue::Kind;

bool is_null(const JsonCursor& cursor) { return cursor.exists() && cursor.value().kind == Kind::kNull; }

numerics::EventLedger read_ledger(const JsonCursor& cursor) {
  numerics::EventLedger ledger;
  if (is_null(cursor)) return ledger;
  for (const auto& [stage, events] : cursor.members()) {
    ledger.stages[index_of_key(stage, events, numerics::kStageNames)] = read_events(events);
  }
  return ledger;
}

UnitCycles read_unit_cycles(const JsonCursor& cursor) {
  return {.busy = read_count(cursor.at("busy")),
          .input_stall = read_count(cursor.at("input_stall")),
          .output_stall = read_count(cursor.at("output_stall")),
          .token_wait = read_count(cursor.at("token_wait")),
          .idle = read_count(cursor.at("idle"))};
}

TileChoice read_tile(const JsonCursor& cursor) {
  return {.rows = read_count(cursor.at("rows")),
          .cols = read_count(cursor.at("cols")),
          .scratchpad_bytes = read_count(cursor.at("scratchpad_bytes")),
          .accumulator_bytes = read_count(cursor.at("accumulator_bytes")),
          .weight_passes = read_count(cursor.at("weight_passes")),
          .double_buffered = cursor.at("double_buffered").boolean()};
}

PhaseResult read_phase(const JsonCursor& cursor) {
  PhaseResult phase{.name = read_text(cursor.at("name")),
                    .passes = read_count(cursor.at("passes")),
                    .tokens = read_count(cursor.at("tokens")),
                    .cycles = read_count(cursor.at("cycles")),
                    .macs = read_count(cursor.at("macs")),
                    .dram_bytes = read_count(cursor.at("dram_bytes")),
                    .energy = read_energy(cursor.at("energy"))};
  read_by_unit(cursor.at("busy"), phase.busy, read_count);
  return phase;
}

void read_purposes(const JsonCursor& cursor, CycleReport& cycles) {
  for (const auto& [purpose, units] : cursor.members()) {
    read_by_unit(units, cycles.purposes[index_of_key(purpose, units, kPurposeNames)], read_count);
  }
}

/// An op's index by its name; 0 with a problem if there is none.
std::uint32_t read_op_name(const JsonCursor& cursor, const std::vector<OpResult>& ops) {
  const std::string name = read_text(cursor);
  const auto found = std::find_if(ops.begin(), ops.end(), [&](const OpResult& op) { return op.name == name; });
  if (found == ops.end()) {
    cursor.expected("the name of one of the variant's ops");
    return 0;
  }
  return static_cast<std::uint32_t>(found - ops.begin());
}

}  // namespace

void require_schema(const JsonCursor& root, JsonProblems& problems, std::string_view schema) {
  const JsonCursor found = root.at("schema");
  if (found.exists() && found.value().text != schema) found.expected(fmt::format("\"{}\"", schema));
  problems.throw_if_any();
}

std::uint64_t read_count(const JsonCursor& cursor) {
  return cursor.unsigned_in(0, std::numeric_limits<std::uint64_t>::max());
}

double read_real(const JsonCursor& cursor) {
  if (is_null(cursor)) return std::numeric_limits<double>::quiet_NaN();
  return cursor.number_in(std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max());
}

std::string read_text(const JsonCursor& cursor) {
  if (!cursor.exists() || is_null(cursor)) return "";
  if (cursor.value().kind != Kind::kString) cursor.expected("a string");
  return cursor.value().text;
}

std::map<std::string, std::string> read_texts(const JsonCursor& cursor) {
  std::map<std::string, std::string> texts;
  for (const auto& [key, member] : cursor.members()) texts[key] = read_text(member);
  return texts;
}

std::size_t index_of_key(std::string_view key, const JsonCursor& cursor, std::span<const std::string_view> names) {
  const auto found = std::find(names.begin(), names.end(), key);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  cursor.expected(fmt::format("a key of: {}", fmt::join(names, ", ")));
  return 0;
}

std::size_t read_name(const JsonCursor& cursor, std::span<const std::string_view> names) {
  if (!cursor.exists()) return 0;
  const auto found = std::find(names.begin(), names.end(), read_text(cursor));
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  cursor.expected(fmt::format("one of: {}", fmt::join(names, ", ")));
  return 0;
}

numerics::EventCounts read_events(const JsonCursor& cursor) {
  numerics::EventCounts counts;
  if (is_null(cursor)) return counts;
  for (const auto& [name, count] : cursor.members()) {
    counts.counts[index_of_key(name, count, numerics::kEventNames)] = read_count(count);
  }
  return counts;
}

OpResult read_op(const JsonCursor& cursor) {
  OpResult op;
  op.name = read_text(cursor.at("name"));
  op.kind = read_text(cursor.at("kind"));
  op.events = read_ledger(cursor.at("stages"));
  op.start = read_count(cursor.at("start"));
  op.end = read_count(cursor.at("end"));
  op.cycles = read_count(cursor.at("cycles"));
  read_by_unit(cursor.at("units"), op.unit_cycles, read_count);
  op.macs = read_count(cursor.at("macs"));
  op.dram_bytes = read_count(cursor.at("dram_bytes"));
  read_by_unit(cursor.at("energy_pj"), op.unit_pj, read_real);
  if (const JsonCursor tile = cursor.at("tile"); tile.exists() && !is_null(tile)) op.tile = read_tile(tile);
  op.sqnr_db = read_real(cursor.at("sqnr_db"));
  op.max_abs = read_real(cursor.at("max_abs"));
  op.reference_max_abs = read_real(cursor.at("reference_max_abs"));
  op.output_sha256 = read_text(cursor.at("output_sha256"));
  if (const auto scale = cursor.find("norm_scale")) op.norm_scale = read_real(*scale);
  read_value_reports(cursor, op);
  return op;
}

StallAccount read_stalls(const JsonCursor& cursor, const std::vector<OpResult>& ops) {
  StallAccount stalls;
  for (const JsonCursor& item : cursor.items()) {
    StallReason reason{.unit = static_cast<UnitKind>(read_name(item.at("unit"), kUnitNames)),
                       .state = static_cast<UnitState>(read_name(item.at("state"), kUnitStateNames)),
                       .op = read_op_name(item.at("op"), ops),
                       .cause = static_cast<StallReason::Cause>(read_name(item.at("cause"), kStallCauseNames))};
    if (reason.cause == StallReason::Cause::kToken) {
      reason.producer = static_cast<UnitKind>(read_name(item.at("producer"), kUnitNames));
      reason.producer_op = read_op_name(item.at("producer_op"), ops);
      reason.what = static_cast<Purpose>(read_name(item.at("what"), kPurposeNames));
    }
    stalls[reason] += read_count(item.at("cycles"));
  }
  return stalls;
}

EnergyReport read_energy(const JsonCursor& cursor) {
  EnergyReport energy;
  energy.pj = read_real(cursor.at("total_pj"));
  read_by_unit(cursor.at("units"), energy.unit_pj, read_real);
  for (const JsonCursor& item : cursor.at("operations").items()) {
    EnergyLine line;
    line.operation.operation = static_cast<units::Operation>(read_name(item.at("operation"), units::kOperationNames));
    if (const auto format = item.find("format")) line.operation.a = read_text(*format);
    if (const auto format = item.find("second_format")) line.operation.b = read_text(*format);
    line.count = read_count(item.at("count"));
    line.pj_each = read_real(item.at("pj_each"));
    energy.lines.push_back(std::move(line));
  }
  return energy;
}

VariantResult read_variant(const JsonCursor& cursor) {
  VariantResult variant;
  variant.name = read_text(cursor.at("name"));
  if (variant.name.empty()) cursor.at("name").expected("the name of a variant");
  variant.perplexity = read_real(cursor.at("perplexity"));
  variant.sqnr_db = read_real(cursor.at("sqnr_db"));
  variant.top1_agreement = read_real(cursor.at("top1_agreement"));
  variant.events = read_events(cursor.at("events"));
  variant.cycles.total = read_count(cursor.at("cycles"));
  variant.macs = read_count(cursor.at("macs"));
  variant.utilization = read_real(cursor.at("utilization"));
  variant.digest = read_text(cursor.at("digest"));
  read_by_unit(cursor.at("units"), variant.cycles.units, read_unit_cycles);
  read_purposes(cursor.at("purposes"), variant.cycles);
  const JsonCursor memory = cursor.at("memory");
  variant.cycles.scratchpad_peak_bytes = read_count(memory.at("scratchpad_peak_bytes"));
  variant.cycles.accumulator_peak_bytes = read_count(memory.at("accumulator_peak_bytes"));
  variant.energy = read_energy(cursor.at("energy"));
  for (const JsonCursor& op : cursor.at("ops").items()) variant.ops.push_back(read_op(op));
  variant.cycles.stalls = read_stalls(cursor.at("stalls"), variant.ops);
  if (const auto layers = cursor.find("layers")) variant.layers = read_layers(*layers);
  if (const auto phases = cursor.find("phases")) {
    for (const JsonCursor& phase : phases->items()) variant.phases.push_back(read_phase(phase));
  }
  return variant;
}

}  // namespace guardbit::sim
