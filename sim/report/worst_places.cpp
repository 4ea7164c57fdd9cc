#include "sim/report/worst_places.h"

#include <algorithm>
#include <array>

#include "sim/report/report_order.h"
#include "sim/report/text_table.h"

namespace guardbit::sim {
namespace {

using numerics::Event;
using numerics::EventCounts;

/// Compared lexicographically, gravest first.
std::array<std::uint64_t, 4> gravity(const EventCounts& counts) {
  return {counts[Event::kOverflow] + counts[Event::kInvalid] + counts[Event::kSaturated] + counts[Event::kWrapped],
          counts[Event::kSwamped], counts[Event::kUnderflow], counts[Event::kClipped] + counts[Event::kZeroed]};
}

}  // namespace

std::vector<Place> worst_places(const VariantResult& variant, std::size_t limit) {
  std::vector<Place> places;
  for (const OpResult& op : variant.ops) {
    for (std::size_t stage = 0; stage < numerics::kNumStages; ++stage) {
      const EventCounts& counts = op.events.stages[stage];
      if (gravity(counts) != gravity({})) places.push_back({&op, static_cast<numerics::Stage>(stage), counts});
    }
  }
  std::stable_sort(places.begin(), places.end(),
                   [](const Place& a, const Place& b) { return gravity(a.counts) > gravity(b.counts); });
  if (places.size() > limit) places.resize(limit);
  return places;
}

std::string gravest_events(const EventCounts& counts) {
  constexpr std::size_t kShown = 3;
  std::string text;
  std::size_t num_shown = 0;
  for (const Event event : {Event::kOverflow, Event::kInvalid, Event::kSaturated, Event::kWrapped, Event::kSwamped,
                            Event::kUnderflow, Event::kClipped, Event::kZeroed}) {
    if (counts[event] == 0 || num_shown == kShown) continue;
    text += (text.empty() ? "" : ", ") + std::string(name_of(event)) + " " + count_text(counts[event]);
    ++num_shown;
  }
  return text;
}

}  // namespace guardbit::sim
