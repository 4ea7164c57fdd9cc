#include "sim/report/html/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "sim/base/sha256.h"
#include "sim/report/html/assets.h"
#include "sim/report/html/html_text.h"

namespace guardbit::sim::html {
namespace {

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
  const std::string hex = sha256_hex(kScript);
  std::vector<std::uint8_t> bytes;
  for (std::size_t at = 0; at < hex.size(); at += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(at, 2), nullptr, 16)));
  }
  return "sha256-" + base64(bytes);
}

std::string head(std::string_view title) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src '{}'; style-src "
      "'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n",
      script_hash(), title, kStyle);
}

/// Links to the sections, and controls; nothing where there is one section alone.
std::string bar(std::string_view navigation, std::string_view controls, std::size_t num_sections) {
  if (num_sections < 2) return "";
  return fmt::format("<div class=\"bar\">\n<nav aria-label=\"Sections\">\n{}</nav>\n{}</div>\n", navigation, controls);
}

}  // namespace

std::string page_text(const Page& page) {
  std::string navigation;
  std::string sections;
  std::string_view first;
  std::size_t num_sections = 0;
  for (const PageSection& section : page.sections) {
    if (section.content.empty()) continue;
    if (first.empty()) first = section.id;
    navigation += fmt::format("<a href=\"#{}\">{}</a>\n", section.id, section.title);
    sections += section.content;
    ++num_sections;
  }
  return fmt::format(
      "{}<body>\n<a class=\"skip\" href=\"#{}\">Skip to the report</a>\n"
      "<header>\n<h1>{}</h1>\n<p>{}</p>\n</header>\n"
      "{}<main>\n{}</main>\n"
      "<script type=\"application/json\" id=\"data\">{}</script>\n<script>{}</script>\n</body>\n</html>\n",
      head(page.title), first, page.title, page.facts, bar(navigation, page.controls, num_sections), sections,
      script_json(page.data), kScript);
}

}  // namespace guardbit::sim::html
