#include "sim/regress/check_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/error.h"
#include "sim/report/replay_json.h"
#include "sim/report/text_table.h"

namespace guardbit::sim {
namespace {

constexpr std::size_t kShownCounts = 10;

bool gates_passed(const std::vector<GateOutcome>& gates) {
  return std::none_of(gates.begin(), gates.end(), [](const GateOutcome& gate) { return gate.failed; });
}

std::string counts_text(const char* what, const std::vector<CountDifference>& counts, const std::string& indent,
                        std::size_t max_counts) {
  if (counts.empty()) return {};
  TextTable table({{what, TextTable::Align::kLeft}, {"golden"}, {"now"}, {"change"}});
  for (std::size_t i = 0; i < std::min(counts.size(), max_counts); ++i) {
    const CountDifference& count = counts[i];
    const std::string change = count.now >= count.golden ? "+" + count_text(count.now - count.golden)
                                                         : "-" + count_text(count.golden - count.now);
    table.add_row({count.place, count_text(count.golden), count_text(count.now), change});
  }
  std::string text = table.text();
  if (counts.size() > max_counts) text += fmt::format("... and {} more\n", counts.size() - max_counts);
  std::string indented = indent;
  for (std::size_t i = 0; i < text.size(); ++i) {
    indented += text[i];
    if (text[i] == '\n' && i + 1 < text.size()) indented += indent;
  }
  return indented;
}

std::string element_text(const ElementDifference& element, const std::string& indent) {
  if (element.bits) {
    return fmt::format("{0}element: window {1}, row {2}, column {3}\n{0}  golden {4}\n{0}  now    {5}\n", indent,
                       element.window, element.row, element.bits->col, element.bits->golden, element.bits->now);
  }
  const std::string rows = element.row == element.last_row
                               ? fmt::format("row {}", element.row)
                               : fmt::format("rows {} to {}", element.row, element.last_row);
  return fmt::format(
      "{0}element: in window {1}, {2}; the golden keeps digests of these rows, not their bits (kept_bytes_per_op)\n",
      indent, element.window, rows);
}

std::string first_text(const VariantDifference& variant, const std::string& indent) {
  if (!variant.first) return {};
  const OpDifference& first = *variant.first;
  std::string text = fmt::format("{}first diverging op: {} ({}); {} of {} ops differ\n", indent, printable(first.op),
                                 first.kind, variant.num_differing_ops, variant.num_ops);
  if (!first.shapes.empty()) return text + fmt::format("{}shape: {}\n", indent, first.shapes);
  if (first.element) return text + element_text(*first.element, indent);
  return text + indent + "element: unknown; only the digest of the whole output differs\n";
}

Json to_json(const std::vector<CountDifference>& counts) {
  Json json = Json::array();
  for (const CountDifference& count : counts) {
    json.push_back({{"place", count.place}, {"golden", count.golden}, {"now", count.now}});
  }
  return json;
}

Json to_json(const OpDifference& op) {
  Json json = {{"op", op.op}, {"kind", op.kind}};
  if (!op.shapes.empty()) json["shapes"] = op.shapes;
  if (!op.element) return json;
  json["window"] = op.element->window;
  json["row"] = op.element->row;
  json["last_row"] = op.element->last_row;
  if (!op.element->bits) return json;
  json["column"] = op.element->bits->col;
  json["golden"] = op.element->bits->golden;
  json["now"] = op.element->bits->now;
  return json;
}

Json to_json(const VariantDifference& variant) {
  Json json = {{"variant", variant.variant}, {"equal", !variant.any()}};
  if (!variant.any()) return json;
  if (!variant.structure.empty()) json["structure"] = variant.structure;
  json["ops"] = variant.num_ops;
  json["differing_ops"] = variant.num_differing_ops;
  if (variant.first) json["first"] = to_json(*variant.first);
  json["events"] = to_json(variant.events);
  json["cycles"] = to_json(variant.cycles);
  json["digest"] = {{"golden", variant.golden_digest}, {"now", variant.now_digest}};
  json["perplexity"] = {{"golden", variant.golden_perplexity}, {"now", variant.now_perplexity}};
  return json;
}

}  // namespace

bool CheckedCase::passed() const { return !difference.any() && gates_passed(gates); }

std::string gate_text(const GateOutcome& gate) {
  return fmt::format("gate {} {} on {}: {}", printable(gate.gate), gate.failed ? "failed" : "passed",
                     printable(gate.variant), gate.detail);
}

std::string difference_text(const VariantDifference& variant, const std::string& indent, std::size_t max_counts) {
  if (!variant.any()) return {};
  std::string text;
  if (!variant.structure.empty()) text += fmt::format("{}{}\n", indent, printable(variant.structure));
  text += first_text(variant, indent);
  text += counts_text("events", variant.events, indent, max_counts);
  text += counts_text("cycles", variant.cycles, indent, max_counts);
  if (variant.golden_perplexity != variant.now_perplexity) {
    const auto shown = [](const std::string& number) { return number.empty() ? std::string("none") : number; };
    text += fmt::format("{}perplexity: golden {}, now {}\n", indent, shown(variant.golden_perplexity),
                        shown(variant.now_perplexity));
  }
  if (text.empty()) {
    text += fmt::format("{0}digest: golden {1}\n{0}        now    {2}\n", indent, variant.golden_digest,
                        variant.now_digest);
  }
  return text;
}

std::string check_text(const std::vector<CheckedCase>& cases) {
  TextTable table({{"case", TextTable::Align::kLeft},
                   {"variant", TextTable::Align::kLeft},
                   {"ops"},
                   {"result", TextTable::Align::kLeft}});
  std::string details;
  for (const CheckedCase& checked : cases) {
    const CaseDifference& difference = checked.difference;
    for (const std::string& input : difference.inputs) {
      details += fmt::format("{}: other inputs: {}\n", difference.name, printable(input));
    }
    for (const VariantDifference& variant : difference.variants) {
      const bool equal = !variant.any() && difference.inputs.empty();
      const char* const result = equal ? "equal" : (variant.any() ? "DIFFERS" : "equal, other inputs");
      table.add_row({difference.name, variant.variant, std::to_string(variant.num_ops), result});
      if (variant.any()) details += fmt::format("{}, {}:\n", difference.name, printable(variant.variant));
      details += difference_text(variant, "  ", kShownCounts);
    }
    for (const GateOutcome& gate : checked.gates) {
      table.add_row({difference.name, gate.variant, "", (gate.failed ? "GATE FAILED: " : "passed: ") + gate.gate});
      if (gate.failed) details += fmt::format("{}: {}\n", difference.name, gate_text(gate));
    }
  }
  return table.text() + (details.empty() ? "" : "\n" + details);
}

std::string check_json(const std::vector<CheckedCase>& cases) {
  Json json = {{"schema", "guardbit-regress/1"}};
  Json list = Json::array();
  for (const CheckedCase& checked : cases) {
    Json variants = Json::array();
    for (const VariantDifference& variant : checked.difference.variants) variants.push_back(to_json(variant));
    Json gates = Json::array();
    for (const GateOutcome& gate : checked.gates) {
      gates.push_back(
          {{"gate", gate.gate}, {"variant", gate.variant}, {"failed", gate.failed}, {"detail", gate.detail}});
    }
    list.push_back({{"name", checked.difference.name},
                    {"passed", checked.passed()},
                    {"inputs", checked.difference.inputs},
                    {"variants", std::move(variants)},
                    {"gates", std::move(gates)}});
  }
  json["passed"] = std::all_of(cases.begin(), cases.end(), [](const CheckedCase& one) { return one.passed(); });
  json["cases"] = std::move(list);
  return dump(json, 2) + "\n";
}

}  // namespace guardbit::sim
