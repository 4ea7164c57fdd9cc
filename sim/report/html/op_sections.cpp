// Every op: its events by layer, and all its numbers.
#include <fmt/format.h>

#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"
#include "sim/report/report_order.h"

namespace guardbit::sim::html {
namespace {

using numerics::Event;
using enum Table::Kind;

std::string event_table(const VariantResult& variant) {
  std::vector<Table::Column> columns = {{"op", kText}};
  for (const Event event : kReportEvents) columns.push_back({std::string(name_of(event))});
  Table table("Events by op, variant " + variant.name, std::move(columns));
  for (const OpResult& op : variant.ops) {
    const numerics::EventCounts counts = op.events.total();
    std::vector<std::string> cells = {op.name};
    for (const Event event : kReportEvents) cells.push_back(counts[event] == 0 ? "" : grouped(counts[event]));
    table.add_row(cells);
  }
  return table.sortable().text();
}

std::string op_table(const VariantResult& variant, bool has_values) {
  std::vector<Table::Column> columns = {{"op", kText},     {"kind", kText}, {"start"},      {"end"},
                                        {"busy cycles"},   {"MACs"},        {"DRAM bytes"}, {"block rows"},
                                        {"block columns"}, {"energy µJ"}};
  if (has_values) {
    columns.insert(columns.end(), {{"SQNR dB"}, {"max |x|"}, {"reference max |x|"}, {"norm scale s"}});
  }
  Table table("Ops, variant " + variant.name, std::move(columns));
  for (const OpResult& op : variant.ops) {
    constexpr double kPjPerUj = 1e6;
    double pj = 0;
    for (const double unit_pj : op.unit_pj) pj += unit_pj;
    std::vector<std::string> cells = {op.name,
                                      op.kind,
                                      grouped(op.start),
                                      grouped(op.end),
                                      grouped(op.cycles),
                                      grouped(op.macs),
                                      grouped(op.dram_bytes),
                                      op.tile ? grouped(op.tile->rows) : "",
                                      op.tile && op.tile->cols != 0 ? grouped(op.tile->cols) : "",
                                      fixed(pj / kPjPerUj, 2)};
    if (has_values) {
      cells.push_back(fixed(op.sqnr_db, 1));
      cells.push_back(fmt::format("{:.4g}", op.max_abs));
      cells.push_back(fmt::format("{:.4g}", op.reference_max_abs));
      cells.push_back(op.norm_scale ? fmt::format("{:.4g}", *op.norm_scale) : "");
    }
    table.add_row(cells);
  }
  return table.sortable().text();
}

/// One block by variant, of which the page's switch shows those that are chosen.
template <class Content>
std::string by_variant(const ReplayResult& result, const Content& content) {
  std::string text;
  for (const VariantResult& variant : result.variants) {
    text += fmt::format("<div data-variant=\"{}\">\n{}</div>\n", escaped(variant.name), content(variant));
  }
  return text;
}

}  // namespace

std::string events_section(const ReplayResult& result) {
  if (result.mode == "no_values" || result.variants.empty()) return "";
  const std::string content =
      chart("events", "Events of one kind by op, layer and variant; all kinds are in the tables below.") +
      folded("Events by op", by_variant(result, event_table));
  return section("events", "Where events arise",
                 "Counts by op (rows) and layer (columns) on a logarithmic scale that all variants share. The column – "
                 "holds ops outside the layers.",
                 content);
}

std::string ops_section(const ReplayResult& result) {
  const bool has_values = result.mode != "no_values";
  const auto content = [&](const VariantResult& variant) { return op_table(variant, has_values); };
  return section("ops", "All ops",
                 "Start and end are cycles of the first window; units overlap, so busy cycles do not add up to the "
                 "total.",
                 folded("Ops", by_variant(result, content)));
}

}  // namespace guardbit::sim::html
