#include "sim/report/bathtub_report.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "sim/base/error.h"
#include "sim/base/plural.h"
#include "sim/report/csv_field.h"
#include "sim/report/report_order.h"
#include "sim/report/text_table.h"
#include "sim/report/value_json.h"

namespace guardbit::sim {
namespace {

using enum TextTable::Align;

int nearest_exponent(double scale) { return static_cast<int>(std::lround(std::log2(scale))); }

/// Methods whose scale is nearest to this one.
std::string marks_at(const BathtubNorm& norm, int log2_scale) {
  std::string text;
  for (const BathtubMark& mark : norm.marks) {
    if (nearest_exponent(mark.scale) != log2_scale) continue;
    text += (text.empty() ? "" : "+") + mark.method;
  }
  return text;
}

std::string tokens_text(const TokenEvents& events) {
  return events.tokens == 0 ? "" : fmt::format("{} ({})", count_text(events.tokens), count_text(events.events));
}

std::string norm_text(const BathtubNorm& norm) {
  std::string text = fmt::format("\n{}: ||x|| ", printable(norm.name));
  text += norm.norm.count == 0
              ? "-"
              : fmt::format("{:.3g} / {:.3g} / {:.3g}", norm.norm.min, norm.norm.median, norm.norm.max);
  if (norm.same_bits) text += fmt::format(", same bits from 2^{} to 2^{}", norm.same_bits->from, norm.same_bits->to);
  for (const BathtubMark& mark : norm.marks) text += fmt::format(", {} {:.4g}", mark.method, mark.scale);
  TextTable table({{"log2 s"}, {"error"}, {"not finite"}, {"overflow"}, {"underflow"}, {"swamped"}, {"", kLeft}});
  for (const BathtubPoint& point : norm.points) {
    std::vector<std::string> cells = {std::to_string(point.log2_scale),
                                      std::isfinite(point.error) ? fmt::format("{:.2e}", point.error) : "-",
                                      point.nonfinite == 0 ? "" : count_text(point.nonfinite)};
    for (const TokenEvents& events : point.events) cells.push_back(tokens_text(events));
    cells.push_back(marks_at(norm, point.log2_scale));
    table.add_row(std::move(cells));
  }
  return text + "\n" + table.text();
}

Json point_json(const BathtubPoint& point) {
  Json events = Json::object();
  for (std::size_t kind = 0; kind < kNormEvents.size(); ++kind) {
    events[std::string(name_of(kNormEvents[kind]))] = token_events_json(point.events[kind]);
  }
  return Json{{"log2_scale", point.log2_scale},
              {"error", json_real(point.error)},
              {"nonfinite", point.nonfinite},
              {"events", std::move(events)},
              {"output_sha256", point.output_sha256}};
}

Json norm_json(const BathtubNorm& norm) {
  Json marks = Json::array();
  for (const BathtubMark& mark : norm.marks) {
    marks.push_back(
        {{"method", mark.method}, {"scale", json_real(mark.scale)}, {"log2_scale", json_real(std::log2(mark.scale))}});
  }
  Json points = Json::array();
  for (const BathtubPoint& point : norm.points) points.push_back(point_json(point));
  Json same_bits = nullptr;
  if (norm.same_bits) same_bits = {{"from", norm.same_bits->from}, {"to", norm.same_bits->to}};
  return Json{{"name", norm.name},          {"layer", norm.layer < 0 ? Json(nullptr) : Json(norm.layer)},
              {"tokens", norm.tokens},      {"norm", spread_json(norm.norm)},
              {"marks", std::move(marks)},  {"same_bits", std::move(same_bits)},
              {"points", std::move(points)}};
}

}  // namespace

std::string bathtub_table(const BathtubResult& result) {
  std::string text = fmt::format("{} on {}, {} {}, {} {}, every norm alone\n", printable(result.trace_name),
                                 printable(result.accelerator_name), count_text(result.num_windows),
                                 plural(result.num_windows, "window"), count_text(result.num_tokens),
                                 plural(result.num_tokens, "token"));
  for (const BathtubNorm& norm : result.norms) text += norm_text(norm);
  return text +
         "\nerror: rms against the exact norm of the same input, by the norm's rms; -: an output is not finite.\n"
         "overflow, underflow, swamped: tokens whose statistics raised it (events). ||x||: min / median / max; -: no "
         "token is finite.\n"
         "Methods stand at the power of two nearest to their scale.\n";
}

std::string bathtub_csv(const BathtubResult& result) {
  std::string text = "trace,accelerator,op,layer,log2_scale,error,nonfinite";
  for (const numerics::Event event : kNormEvents) text += fmt::format(",{0},{0}_tokens", name_of(event));
  text += ",marks,output_sha256\n";
  for (const BathtubNorm& norm : result.norms) {
    for (const BathtubPoint& point : norm.points) {
      text += fmt::format("{},{},{},{},{},{},{}", csv_field(result.trace_name), csv_field(result.accelerator_name),
                          csv_field(norm.name), norm.layer < 0 ? "" : std::to_string(norm.layer), point.log2_scale,
                          std::isfinite(point.error) ? fmt::format("{:.6g}", point.error) : "", point.nonfinite);
      for (const TokenEvents& events : point.events) text += fmt::format(",{},{}", events.events, events.tokens);
      text += fmt::format(",{},{}\n", marks_at(norm, point.log2_scale), point.output_sha256);
    }
  }
  return text;
}

std::string bathtub_json(const BathtubResult& result) {
  Json norms = Json::array();
  for (const BathtubNorm& norm : result.norms) norms.push_back(norm_json(norm));
  const Json json = {{"schema", kBathtubSchema},
                     {"provenance", result.provenance},
                     {"trace",
                      {{"name", result.trace_name},
                       {"windows", result.num_windows},
                       {"tokens", result.num_tokens},
                       {"residual_gain", json_real(result.residual_gain)},
                       {"channel_gain", json_real(result.channel_gain)},
                       {"channels", result.channels}}},
                     {"accelerator", {{"name", result.accelerator_name}, {"keys", result.accelerator_keys}}},
                     {"norms", std::move(norms)}};
  return dump(json, 2) + "\n";
}

}  // namespace guardbit::sim
