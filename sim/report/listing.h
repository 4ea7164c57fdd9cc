#pragma once
/// What a build knows, by topic: the registries as `guardbit list` prints them, for people and for programs.
#include <span>
#include <string>
#include <string_view>

namespace guardbit::sim {

struct Listing {
  std::string_view topic;
  std::string_view summary;  ///< one line
  std::string (*text)();     ///< aligned, a line or more per entry
};

/// formats, accumulators, units, methods, families, reports, events, exit_codes.
[[nodiscard]] std::span<const Listing> listings();

/// An object with an array per topic (all of them if `topic` is empty), whose entries have name, summary and what else
/// the text says. Schema guardbit-list/1.
[[nodiscard]] std::string listing_json(std::string_view topic);

}  // namespace guardbit::sim
