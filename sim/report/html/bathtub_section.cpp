// What each norm does at every scale of its input.
#include "sim/report/html/bathtub_section.h"

#include <fmt/format.h>

#include <cmath>

#include "sim/base/plural.h"
#include "sim/report/html/html_text.h"
#include "sim/report/report_order.h"

namespace guardbit::sim::html {
namespace {

using enum Table::Kind;

std::string marks_of(const BathtubNorm& norm, int log2_scale) {
  std::string text;
  for (const BathtubMark& mark : norm.marks) {
    if (std::lround(std::log2(mark.scale)) == log2_scale) text += (text.empty() ? "" : ", ") + mark.method;
  }
  return text;
}

std::string bathtub_table(const BathtubResult& bathtub) {
  std::vector<Table::Column> columns = {
      {"norm", kText}, {"log2 s"}, {"error", kNumber, "rms against the exact norm of the same input"}};
  for (const numerics::Event event : kNormEvents) columns.push_back({"tokens with " + std::string(name_of(event))});
  columns.push_back({"nearest methods", kText});
  Table table("Norms at every scale", std::move(columns));
  for (const BathtubNorm& norm : bathtub.norms) {
    for (const BathtubPoint& point : norm.points) {
      std::vector<std::string> cells = {norm.name, std::to_string(point.log2_scale),
                                        std::isfinite(point.error) ? fmt::format("{:.3e}", point.error) : "not finite"};
      for (const TokenEvents& events : point.events) cells.push_back(grouped(events.tokens));
      cells.push_back(marks_of(norm, point.log2_scale));
      table.add_row(cells);
    }
  }
  return folded("Every norm at every scale", table.sortable().text());
}

Json norm_json(const BathtubNorm& norm) {
  Json points = Json::array();
  for (const BathtubPoint& point : norm.points) {
    Json tokens = Json::array();
    for (const TokenEvents& events : point.events) tokens.push_back(events.tokens);
    points.push_back(Json::array({point.log2_scale, json_real(point.error), std::move(tokens)}));
  }
  Json marks = Json::array();
  for (const BathtubMark& mark : norm.marks)
    marks.push_back(Json::array({mark.method, json_real(std::log2(mark.scale))}));
  return Json{{"op", norm.name},
              {"tokens", norm.tokens},
              {"points", std::move(points)},
              {"marks", std::move(marks)},
              {"same_bits", norm.same_bits ? Json::array({norm.same_bits->from, norm.same_bits->to}) : Json(nullptr)}};
}

}  // namespace

std::string bathtub_section(const BathtubResult* bathtub) {
  if (bathtub == nullptr || bathtub->norms.empty()) return "";
  std::string lead =
      "Root mean square error of each norm alone, relative to the exact norm, by the power of two s that its input is "
      "divided by: too large a scale loses small squares, too small a one overflows. Below it the share of tokens with "
      "such events. Methods stand at their scale.";
  lead += fmt::format(" Of {} on {}, {} {}, residual gain {:.6g}.", escaped(bathtub->trace_name),
                      escaped(bathtub->accelerator_name), grouped(bathtub->num_tokens),
                      plural(bathtub->num_tokens, "token"), bathtub->residual_gain);
  return section(
      "bathtub", "Norms at every scale", lead,
      chart("bathtub", "Error of a norm by the logarithm of its scale; in the table below.") + bathtub_table(*bathtub));
}

Json bathtub_data(const BathtubResult* bathtub) {
  Json norms = Json::array();
  if (bathtub == nullptr) return norms;
  for (const BathtubNorm& norm : bathtub->norms) norms.push_back(norm_json(norm));
  return norms;
}

}  // namespace guardbit::sim::html
