#include "sim/report/html/html_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "sim/base/sha256.h"
#include "sim/report/html/assets.h"
#include "sim/report/html/chart_data.h"
#include "sim/report/html/html_text.h"
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

/// RFC 4648, with padding.
std::string base64(const std::vector<std::uint8_t>& bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < count ? bytes[at + i] : 0u);
    for (std::size_t i = 0; i < 4; ++i) text += i <= count ? kDigits[group >> (18 - 6 * i) & 63u] : '=';
  }
  return text;
}

/// The script's hash as a content security policy names it.
std::string script_hash() {
  const std::string hex = sha256_hex(html::kScript);
  std::vector<std::uint8_t> bytes;
  for (std::size_t at = 0; at < hex.size(); at += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(at, 2), nullptr, 16)));
  }
  return "sha256-" + base64(bytes);
}

std::string mode_text(const ReplayResult& result) {
  if (result.mode == "no_values") return "timing alone";
  return result.mode == "closed_loop" ? "closed loop" : "open loop";
}

std::string facts(const ReplayResult& result) {
  std::string text = fmt::format("{} windows, {} tokens, {}, {} MHz", html::grouped(result.num_windows),
                                 html::grouped(result.num_tokens), mode_text(result), result.clock_mhz);
  if (result.residual_gain != 1) text += fmt::format(", residual gain {:.6g}", result.residual_gain);
  if (result.channels != 0)
    text += fmt::format(", channel gain {:.6g} on {} channels", result.channel_gain, result.channels);
  const auto commit = result.provenance.find("commit");
  if (commit != result.provenance.end()) text += ", Guardbit " + escaped(commit->second);
  return text;
}

std::string head(std::string_view title) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src '{}'; style-src "
      "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n",
      script_hash(), title, html::kStyle);
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

std::string write_html(const ReplayResult& result) {
  const std::string title = fmt::format("{} on {}", escaped(result.trace_name), escaped(result.accelerator_name));
  std::string navigation;
  std::string sections;
  for (const Section& section : kSections) {
    const std::string content = section.write(result);
    if (content.empty()) continue;
    navigation += fmt::format("<a href=\"#{}\">{}</a>\n", section.id, section.title);
    sections += content;
  }
  return fmt::format(
      "{}<body>\n<a class=\"skip\" href=\"#variants\">Skip to the report</a>\n"
      "<header>\n<h1>{}</h1>\n<p>{}</p>\n</header>\n"
      "<div class=\"bar\">\n<nav aria-label=\"Sections\">\n{}</nav>\n{}</div>\n<main>\n{}</main>\n"
      "<script type=\"application/json\" id=\"data\">{}</script>\n<script>{}</script>\n</body>\n</html>\n",
      head(title), title, facts(result), navigation, variant_switch(result), sections,
      html::script_json(html::chart_data(result)), html::kScript);
}

}  // namespace guardbit::sim
