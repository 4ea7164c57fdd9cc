// What was run, on what, and how to run it again.
#include <fmt/format.h>

#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"

namespace guardbit::sim::html {
namespace {

using enum Table::Kind;

std::string command_block(const ReplayResult& result) {
  const auto command = result.provenance.find("command");
  if (command == result.provenance.end()) return "";
  return fmt::format("<pre tabindex=\"0\"><code>{}</code></pre>\n", escaped(command->second));
}

std::string provenance_table(const ReplayResult& result) {
  Table table("Provenance", {{"what", kText}, {"value", kCode}});
  for (const auto& [key, value] : result.provenance) {
    if (key != "command") table.add_row({words(key), value});
  }
  for (const VariantResult& variant : result.variants) {
    if (!variant.digest.empty()) table.add_row({"digest of " + variant.name, variant.digest}, variant.name);
  }
  return table.text();
}

std::string key_table(const ReplayResult& result) {
  Table table("Accelerator, every key", {{"key", kText}, {"value", kCode}});
  for (const auto& [key, value] : result.accelerator_keys) table.add_row({key, value});
  return folded("The accelerator, every key", table.text());
}

std::string area_table(const ReplayResult& result) {
  constexpr double kUm2PerMm2 = 1e6;
  Table table("Area of operators and cells", {{"part", kText}, {"mm²"}});
  for (const auto& [part, um2] : result.area_um2) table.add_row({words(part), fixed(um2 / kUm2PerMm2, 3)});
  return table.empty() ? "" : folded("Area", table.text());
}

}  // namespace

std::string provenance_section(const ReplayResult& result) {
  return section("provenance", "Reproduce",
                 "The same commit with the same command gives the same digests, whatever the machine, the number of "
                 "threads and the vector width. Hashes are SHA-256.",
                 command_block(result) + provenance_table(result) + key_table(result) + area_table(result));
}

}  // namespace guardbit::sim::html
