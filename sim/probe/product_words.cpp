#include "sim/probe/product_words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>
#include <string_view>
#include <vector>

#include "sim/base/error.h"
#include "sim/config/suggest.h"

namespace guardbit::sim {

numerics::EventSet parse_event_set(const std::string& text) {
  if (text == "all") return numerics::EventSet::all();
  numerics::EventSet wanted;
  if (text == "none") return wanted;
  std::istringstream names(text);
  for (std::string name; std::getline(names, name, ',');) {
    const auto* found = std::find(numerics::kEventNames.begin(), numerics::kEventNames.end(), name);
    if (found == numerics::kEventNames.end()) {
      const std::vector<std::string> known(numerics::kEventNames.begin(), numerics::kEventNames.end());
      throw UserError(ExitCode::kUsage,
                      fmt::format("--events: got '{}'; expected all, none or some of {}{}", printable(name),
                                  fmt::join(known, ", "), did_you_mean(name, known)));
    }
    wanted.add(static_cast<numerics::Event>(found - numerics::kEventNames.begin()));
  }
  if (wanted.empty()) throw UserError(ExitCode::kUsage, "--events: got an empty list; expected all, none or names");
  return wanted;
}

LoadedAccelerator load_product_hardware(const std::string& file, std::span<const std::string> overrides) {
  if (!file.empty()) return load_accelerator(file, overrides, ConfigScope::kLinear);
  std::vector<std::string> all(overrides.begin(), overrides.end());
  const auto any_begins = [&](std::string_view text) {
    return std::any_of(all.begin(), all.end(), [&](const std::string& set) { return set.starts_with(text); });
  };
  const bool flows_down = any_begins("array.dataflow=ws") || any_begins("array.dataflow=\"ws\"") ||
                          any_begins("array.dataflow=is") || any_begins("array.dataflow=\"is\"");
  if (flows_down && !any_begins("accumulator.buffer.format=")) all.emplace_back("accumulator.buffer.format=fp32");
  return default_accelerator(all, ConfigScope::kLinear);
}

}  // namespace guardbit::sim
