#include "sim/report/html/html_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/report/html/bathtub_section.h"
#include "sim/report/html/chart_data.h"
#include "sim/report/html/html_text.h"
#include "sim/report/html/page.h"
#include "sim/report/html/sections.h"

namespace guardbit::sim {
namespace {

using html::escaped;

struct Section {
  std::string_view id;
  std::string_view title;  ///< in the navigation
  std::string (*write)(const ReplayResult& result);
};
constexpr std::array kSections = {Section{"variants", "Variants", html::variants_section},
                                  Section{"worst", "Worst places", html::worst_section},
                                  Section{"events", "Events by layer", html::events_section},
                                  Section{"exponents", "Norm range", html::exponents_section},
                                  Section{"outliers", "Outliers", html::outliers_section},
                                  Section{"error", "Error", html::error_section},
                                  Section{"cycles", "Cycles", html::cycles_section},
                                  Section{"ops", "All ops", html::ops_section},
                                  Section{"provenance", "Reproduce", html::provenance_section}};

std::string mode_text(const ReplayResult& result) {
  if (result.mode == "no_values") return "timing alone";
  return result.mode == "closed_loop" ? "closed loop" : "open loop";
}

std::string facts(const ReplayResult& result) {
  std::string text = fmt::format("{} window{}, {} tokens, {}, {} MHz", html::grouped(result.num_windows),
                                 result.num_windows == 1 ? "" : "s", html::grouped(result.num_tokens),
                                 mode_text(result), result.clock_mhz);
  if (result.residual_gain != 1) text += fmt::format(", residual gain {:.6g}", result.residual_gain);
  if (result.channels != 0)
    text += fmt::format(", channel gain {:.6g} on {} channels", result.channel_gain, result.channels);
  const auto commit = result.provenance.find("commit");
  if (commit != result.provenance.end()) text += ", Guardbit " + escaped(commit->second);
  return text;
}

/// Chooses the variants that are shown; scripts bring it to life.
std::string variant_switch(const ReplayResult& result) {
  if (result.variants.size() < 2) return "";
  std::string text =
      "<fieldset class=\"switch\" hidden><legend>Variant</legend>\n"
      "<label><input type=\"radio\" name=\"variant\" value=\"\" checked><span>all</span></label>\n";
  for (const VariantResult& variant : result.variants) {
    text += fmt::format("<label><input type=\"radio\" name=\"variant\" value=\"{0}\"><span>{0}</span></label>\n",
                        escaped(variant.name));
  }
  return text + "</fieldset>\n";
}

}  // namespace

std::string write_html(const ReplayResult& result, const BathtubResult* bathtub) {
  html::Page page;
  page.title = fmt::format("{} on {}", escaped(result.trace_name), escaped(result.accelerator_name));
  page.facts = facts(result);
  page.controls = variant_switch(result);
  for (const Section& section : kSections) page.sections.push_back({section.id, section.title, section.write(result)});
  const auto behind_range = std::find_if(page.sections.begin(), page.sections.end(),
                                         [](const html::PageSection& section) { return section.id == "outliers"; });
  page.sections.insert(behind_range, {"bathtub", "Norm scales", html::bathtub_section(bathtub)});
  page.data = html::chart_data(result);
  page.data["bathtub"] = html::bathtub_data(bathtub);
  return html::page_text(page);
}

}  // namespace guardbit::sim
