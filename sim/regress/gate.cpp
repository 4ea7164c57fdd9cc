#include "sim/regress/gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "models/numerics/events.h"
#include "models/transformer/model.h"
#include "sim/base/error.h"
#include "sim/config/suggest.h"

namespace guardbit::sim {
namespace {

/// A number of the run or of a variant as a whole.
struct Scalar {
  std::string_view name;
  bool needs_values;
  bool of_products;
  double (*of)(const ReplayResult& result, const VariantResult& variant);
};
constexpr std::array kScalars = {
    Scalar{"perplexity", true, false,
           [](const ReplayResult&, const VariantResult& variant) { return variant.perplexity; }},
    Scalar{"reference", true, false,
           [](const ReplayResult& result, const VariantResult&) { return result.reference_perplexity; }},
    Scalar{"sqnr_db", true, false, [](const ReplayResult&, const VariantResult& variant) { return variant.sqnr_db; }},
    Scalar{"top1_agreement", true, false,
           [](const ReplayResult&, const VariantResult& variant) { return variant.top1_agreement; }},
    Scalar{"cycles", false, true,
           [](const ReplayResult&, const VariantResult& variant) { return static_cast<double>(variant.cycles.total); }},
    Scalar{"macs", false, true,
           [](const ReplayResult&, const VariantResult& variant) { return static_cast<double>(variant.macs); }},
    Scalar{"utilization", false, false,
           [](const ReplayResult&, const VariantResult& variant) { return variant.utilization; }},
    Scalar{"energy_pj", false, false,
           [](const ReplayResult&, const VariantResult& variant) { return variant.energy.pj; }},
    Scalar{"windows", false, false,
           [](const ReplayResult& result, const VariantResult&) { return static_cast<double>(result.num_windows); }},
    Scalar{"tokens", false, false,
           [](const ReplayResult& result, const VariantResult&) { return static_cast<double>(result.num_tokens); }},
};

std::uint64_t count_of(const UnitCycles& cycles, std::string_view state) {
  if (state == "busy") return cycles.busy;
  if (state == "input_stall") return cycles.input_stall;
  if (state == "output_stall") return cycles.output_stall;
  return state == "token_wait" ? cycles.token_wait : cycles.idle;
}

template <class Names>
std::optional<std::size_t> index_of(const Names& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

/// `event` at `place`: a kind of op, a stage, an op, an op's stage ("op.stage"), or everywhere ("").
double events_at(std::string_view place, std::size_t event, const VariantResult& variant) {
  std::uint64_t sum = 0;
  const std::optional<std::size_t> stage = index_of(numerics::kStageNames, place);
  for (const OpResult& op : variant.ops) {
    const auto counts = op.events.total().counts;
    if (place.empty() || op.kind == place || op.name == place) {
      sum += counts[event];
    } else if (stage) {
      sum += op.events.stages[*stage].counts[event];
    } else if (place.starts_with(op.name + ".")) {
      const auto its_stage = index_of(numerics::kStageNames, place.substr(op.name.size() + 1));
      if (its_stage) sum += op.events.stages[*its_stage].counts[event];
    }
  }
  return static_cast<double>(sum);
}

std::optional<double> cycles_at(std::string_view place, const VariantResult& variant) {
  const std::size_t dot = place.find('.');
  const std::string_view state = dot == std::string_view::npos ? "busy" : place.substr(dot + 1);
  const std::optional<std::size_t> unit = index_of(kUnitNames, place.substr(0, dot));
  if (unit && index_of(kUnitStateNames, state))
    return static_cast<double>(count_of(variant.cycles.units[*unit], state));
  for (const OpResult& op : variant.ops) {
    if (op.name == place) return static_cast<double>(op.cycles);
  }
  return std::nullopt;
}

/// Every name that gate_value() knows of such a replay.
std::set<std::string> names_of(const GateScope& scope) {
  std::set<std::string> names;
  for (const Scalar& scalar : kScalars) {
    const bool has_it = scope.is_product ? scalar.of_products : scope.values || !scalar.needs_values;
    if (has_it) names.emplace(scalar.name);
  }
  for (const std::string_view unit : kUnitNames) {
    if (scope.is_product) break;

    names.insert(fmt::format("cycles.{}", unit));
    for (const std::string_view state : kUnitStateNames) names.insert(fmt::format("cycles.{}.{}", unit, state));
  }
  for (const auto& [op, kind] : scope.ops) names.insert("cycles." + op);
  if (!scope.values) return names;
  std::vector<std::string> places = {"events"};
  for (const std::string_view stage : numerics::kStageNames) places.push_back(fmt::format("events.{}", stage));
  for (const auto& [op, kind] : scope.ops) {
    names.insert({"sqnr_db." + op, "max_abs." + op});
    places.insert(places.end(), {"events." + kind, "events." + op});
    for (const std::string_view stage : numerics::kStageNames) places.push_back(fmt::format("events.{}.{}", op, stage));
  }
  for (const std::string& place : places) {
    for (const std::string_view event : numerics::kEventNames) names.insert(fmt::format("{}.{}", place, event));
  }
  return names;
}

[[noreturn]] void refuse(const GateExpression& gate, const std::string& prefix, const std::string& problem) {
  throw UserError(ExitCode::kUsage, fmt::format("{}'{}': {}", prefix, printable(gate.text), problem));
}

bool holds(GateRelation relation, double left, double right) {
  switch (relation) {
    case GateRelation::kGreater: return left > right;
    case GateRelation::kGreaterEqual: return left >= right;
    case GateRelation::kLess: return left < right;
    case GateRelation::kLessEqual: return left <= right;
    case GateRelation::kEqual: return left == right;
    case GateRelation::kNotEqual: return left != right;
  }
  return true;  // unreachable: the switch is exhaustive
}

/// The value of every node: operands stand before what combines them.
std::vector<double> values_of(const GateExpression& gate, const ReplayResult& result, const VariantResult& variant) {
  std::vector<double> values;
  for (const GateNode& node : gate.nodes) {
    switch (node.kind) {
      case GateNode::Kind::kNumber: values.push_back(node.number); break;
      case GateNode::Kind::kName: values.push_back(gate_value(node.name, result, variant).value_or(NAN)); break;
      case GateNode::Kind::kNegate: values.push_back(-values[node.left]); break;
      case GateNode::Kind::kAdd: values.push_back(values[node.left] + values[node.right]); break;
      case GateNode::Kind::kSubtract: values.push_back(values[node.left] - values[node.right]); break;
      case GateNode::Kind::kMultiply: values.push_back(values[node.left] * values[node.right]); break;
      case GateNode::Kind::kDivide: values.push_back(values[node.left] / values[node.right]); break;
    }
  }
  return values;
}

/// The sign of a NaN differs between processors.
double unsigned_nan(double value) { return std::isnan(value) ? std::fabs(value) : value; }

GateOutcome run_gate(const GateExpression& gate, const ReplayResult& result, const VariantResult& variant) {
  const std::vector<double> values = values_of(gate, result, variant);
  const double left = values[gate.left];
  const double right = values[gate.right];
  GateOutcome outcome{.gate = gate.text, .variant = variant.name, .failed = false, .detail = ""};
  std::set<std::string> shown;
  for (std::size_t i = 0; i < gate.nodes.size(); ++i) {
    if (gate.nodes[i].kind != GateNode::Kind::kName || !shown.insert(gate.nodes[i].name).second) continue;
    outcome.detail +=
        fmt::format("{}{} = {}", outcome.detail.empty() ? "" : ", ", gate.nodes[i].name, unsigned_nan(values[i]));
  }
  outcome.detail +=
      fmt::format("{}sides {} and {}", outcome.detail.empty() ? "" : "; ", unsigned_nan(left), unsigned_nan(right));
  outcome.failed = std::isnan(left) || std::isnan(right) || holds(gate.relation, left, right);
  return outcome;
}

}  // namespace

std::optional<double> gate_value(std::string_view name, const ReplayResult& result, const VariantResult& variant) {
  for (const Scalar& scalar : kScalars) {
    if (scalar.name == name) return scalar.of(result, variant);
  }
  const auto after = [name](std::string_view prefix) -> std::optional<std::string_view> {
    if (!name.starts_with(prefix)) return std::nullopt;
    return name.substr(prefix.size());
  };
  if (const auto place = after("cycles.")) return cycles_at(*place, variant);
  if (const auto place = after("events.")) {
    const std::size_t dot = place->rfind('.');
    const auto event = index_of(numerics::kEventNames, dot == std::string_view::npos ? *place : place->substr(dot + 1));
    if (!event) return std::nullopt;
    return events_at(dot == std::string_view::npos ? "" : place->substr(0, dot), *event, variant);
  }
  for (const OpResult& op : variant.ops) {
    if (after("sqnr_db.") == op.name) return op.sqnr_db;
    if (after("max_abs.") == op.name) return op.max_abs;
  }
  return std::nullopt;
}

void check_gate(const GateExpression& gate, const GateScope& scope, const std::string& prefix) {
  const auto meant = [](const std::string& name, const std::vector<std::string>& known) {
    const std::optional<std::string> found = nearest(name, known);
    return found ? "; did you mean " + *found + "?" : "";
  };
  if (!gate.variant.empty() && !index_of(scope.variants, gate.variant)) {
    refuse(gate, prefix,
           fmt::format("position 1: unknown variant {}; expected one that is replayed{}", printable(gate.variant),
                       meant(gate.variant, scope.variants)));
  }
  const std::set<std::string> names = names_of(scope);
  for (const GateNode& node : gate.nodes) {
    if (node.kind != GateNode::Kind::kName || names.contains(node.name)) continue;
    GateScope with_values = scope;
    with_values.values = true;
    if (!scope.values && names_of(with_values).contains(node.name)) {
      refuse(
          gate, prefix,
          fmt::format("position {}: {} needs values; expected a replay without --no-values", node.position, node.name));
    }
    const std::string hint = meant(node.name, {names.begin(), names.end()});
    refuse(
        gate, prefix,
        fmt::format("position {}: unknown name {}{}", node.position, node.name,
                    hint.empty() ? "; expected one of docs/regression.md, such as cycles or events.overflow" : hint));
  }
}

std::vector<GateOutcome> run_gates(const std::vector<GateExpression>& gates, const ReplayResult& result) {
  std::vector<GateOutcome> outcomes;
  for (const GateExpression& gate : gates) {
    for (const VariantResult& variant : result.variants) {
      if (gate.variant.empty() || gate.variant == variant.name) outcomes.push_back(run_gate(gate, result, variant));
    }
  }
  return outcomes;
}

}  // namespace guardbit::sim
