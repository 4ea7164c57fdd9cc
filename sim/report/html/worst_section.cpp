// Where it went wrong first and foremost, and what each variant makes of it.
#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "sim/report/html/html_text.h"
#include "sim/report/html/sections.h"
#include "sim/report/report_order.h"

namespace guardbit::sim::html {
namespace {

using numerics::Event;
using enum Table::Kind;

/// The gravest class first; inexact and flushed results are no places of their own.
constexpr std::array kLeftRange = {Event::kOverflow, Event::kInvalid, Event::kSaturated, Event::kWrapped};
constexpr std::array kSwamped = {Event::kSwamped};
constexpr std::array kUnderflow = {Event::kUnderflow};
constexpr std::array kQuantizer = {Event::kClipped, Event::kZeroed};
struct EventClass {
  std::string_view title;
  std::span<const Event> events;
};
constexpr std::array kClasses = {
    EventClass{"Results that left their range", kLeftRange}, EventClass{"Addends that were swamped", kSwamped},
    EventClass{"Results that underflowed", kUnderflow}, EventClass{"Losses of quantizers", kQuantizer}};

/// One kind of event at one op and stage.
struct Place {
  std::string op;
  std::size_t stage = 0;
  Event event = Event::kOverflow;
  std::vector<std::uint64_t> counts;  ///< by variant
  std::uint64_t largest() const { return *std::max_element(counts.begin(), counts.end()); }
};

/// Places with events of a class, those with the largest count of any variant first; equals in op order.
std::vector<Place> places_of(const ReplayResult& result, std::span<const Event> events) {
  std::map<std::tuple<std::string, std::size_t, Event>, std::size_t> indices;
  std::vector<Place> places;
  for (std::size_t variant = 0; variant < result.variants.size(); ++variant) {
    for (const OpResult& op : result.variants[variant].ops) {
      for (std::size_t stage = 0; stage < numerics::kNumStages; ++stage) {
        for (const Event event : events) {
          const std::uint64_t count = op.events.stages[stage][event];
          if (count == 0) continue;
          const auto [entry, is_new] = indices.try_emplace({op.name, stage, event}, places.size());
          if (is_new) places.push_back({op.name, stage, event, std::vector<std::uint64_t>(result.variants.size())});
          places[entry->second].counts[variant] = count;
        }
      }
    }
  }
  std::stable_sort(places.begin(), places.end(),
                   [](const Place& a, const Place& b) { return a.largest() > b.largest(); });
  return places;
}

}  // namespace

std::string worst_section(const ReplayResult& result) {
  constexpr std::size_t kPlacesPerClass = 6;
  std::vector<Table::Column> columns = {{"op", kText}, {"stage", kText}, {"event", kText}};
  for (const VariantResult& variant : result.variants) {
    columns.push_back({variant.name, kNumber, "", variant.name});
  }
  Table table("Worst places", std::move(columns));
  for (const EventClass& event_class : kClasses) {
    std::vector<Place> places = places_of(result, event_class.events);
    if (!places.empty()) table.add_group(event_class.title);
    places.resize(std::min(places.size(), kPlacesPerClass));
    for (const Place& place : places) {
      std::vector<std::string> cells = {place.op, words(numerics::kStageNames[place.stage]),
                                        std::string(name_of(place.event))};
      for (const std::uint64_t count : place.counts) cells.push_back(grouped(count));
      table.add_row(cells);
    }
  }
  if (table.empty()) return "";
  return section("worst", "Worst places",
                 "An op, a stage of its unit, and how often each variant has the event there: the six largest counts "
                 "of each kind, the gravest kind first.",
                 table.text());
}

}  // namespace guardbit::sim::html
