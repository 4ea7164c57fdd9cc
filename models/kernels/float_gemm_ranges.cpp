#include "models/kernels/float_gemm_ranges.h"

namespace guardbit::kernels {

using numerics::Event;

StepRange step_range(const TileJob& job, KBlock range, float* acc) {
  const auto at = [](const auto& values, std::size_t index) {
    return values.empty() ? nullptr : values.data() + index;
  };
  const std::size_t a_index = range.begin * kTileRows;
  const std::size_t b_index = range.begin * kTileCols;
  return {.a = at(job.a->values, a_index),
          .b = at(job.b->values, b_index),
          .a_halves = at(job.a->half_pairs, a_index),
          .b_halves = at(job.b->half_codes, b_index),
          .a_random = at(job.a->random_words, a_index),
          .b_random = at(job.b->random_words, b_index),
          .a_nonzero = at(job.a->nonzero_counts, range.begin),
          .b_nonzero = at(job.b->nonzero_counts, range.begin),
          .length = range.end - range.begin,
          .acc = acc};
}

StepCounting wanted_counting(numerics::EventSet wanted) {
  if (wanted.has(Event::kInexact) || wanted.has(Event::kUnderflow) || wanted.has(Event::kFlushed)) {
    return StepCounting::kAll;
  }
  return wanted.has(Event::kSwamped) ? StepCounting::kSwamped : StepCounting::kNone;
}

void add_events(const TileJob& job, const StepCounts& counts, numerics::EventCounts& events) {
  if (!job.plan->counts) return;
  events[Event::kOverflow] += counts.overflow;
  events[Event::kSaturated] += counts.saturated;
  events[Event::kInexact] += counts.inexact;
  events[Event::kSwamped] += counts.swamped;
  events[Event::kUnderflow] += counts.underflow;
  events[Event::kFlushed] += counts.flushed;
}

}  // namespace guardbit::kernels
