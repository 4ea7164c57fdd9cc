#include "models/kernels/float_gemm_chunk.h"

#include <algorithm>
#include <cmath>

#include "models/kernels/float_gemm_half.h"
#include "models/kernels/float_gemm_proof.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;
using numerics::EventSet;
using numerics::OverflowPolicy;
using numerics::RoundingMode;

bool wants_any(EventSet wanted, EventSet events) {
  for (std::size_t i = 0; i < numerics::kNumEvents; ++i) {
    const auto event = static_cast<Event>(i);
    if (wanted.has(event) && events.has(event)) return true;
  }
  return false;
}

double max_magnitude(const float* acc) {
  float maximum = 0;
  for (std::size_t i = 0; i < kTileRows * kTileCols; ++i) {
    // Negated so that a NaN counts as infinite.
    if (!(std::fabs(acc[i]) <= maximum)) maximum = std::isnan(acc[i]) ? HUGE_VALF : std::fabs(acc[i]);
  }
  return static_cast<double>(maximum);
}

/// How native fp16 steps relate to the spec.
struct HalfPolicy {
  explicit HalfPolicy(const GemmPlan& plan)
      : truncate(plan.inner.rounding == RoundingMode::kTowardZero),
        counts_overflow(wants_any(plan.wanted, {Event::kOverflow, Event::kSaturated, Event::kInvalid})),
        counts_steps(wants_any(plan.wanted, {Event::kInexact, Event::kUnderflow, Event::kFlushed, Event::kSwamped})),
        // To nearest, an overflow becomes infinite and stays so while operands are finite: if it may not, an infinite
        // accumulator at the end of a block tells.
        reject_infinities(!truncate && plan.spec.inner.overflow != OverflowPolicy::kInfinity),
        // Truncated, an overflow becomes the largest finite value, as the spec asks, but leaves no trace to count.
        must_exclude_overflow(truncate && counts_overflow) {}

  bool truncate;
  bool counts_overflow;
  bool counts_steps;
  bool reject_infinities;
  bool must_exclude_overflow;
};

/// A run of k on one kernel.
struct Segment {
  KBlock range;
  bool exact = false;
  HalfCounting counting = HalfCounting::kNone;
};

Segment segment_of(const TileJob& job, const HalfPolicy& policy, std::size_t block, const float* acc) {
  const GemmPlan& plan = *job.plan;
  Segment segment{.range = plan.blocks[block]};
  const BlockProducts products(job, block);
  segment.exact = !products.all_finite && (plan.counts || policy.reject_infinities || policy.truncate);
  if (segment.exact) return segment;
  const std::size_t length = segment.range.end - segment.range.begin;
  if (policy.must_exclude_overflow && !cannot_overflow(plan.inner, max_magnitude(acc), products, length)) {
    segment.exact = true;
    return segment;
  }
  if (policy.counts_steps) {
    segment.counting = cannot_underflow(plan, products) ? HalfCounting::kInexact : HalfCounting::kAll;
  }
  return segment;
}

void run_segment(const TileJob& job, const HalfPolicy& policy, const Segment& segment, const RunExact& run_exact,
                 float* acc) {
  const KBlock range = segment.range;
  HalfCounts counts;
  const HalfRange half{.a = job.a->half_pairs.data() + range.begin * kTileRows,
                       .b = job.b->half_codes.data() + range.begin * kTileCols,
                       .length = range.end - range.begin,
                       .truncate = policy.truncate,
                       .reject_infinities = policy.reject_infinities,
                       .acc = acc};
  if (segment.exact || !run_half_range(half, segment.counting, counts)) {
    run_exact(range);
    return;
  }
  if (!job.plan->counts) return;
  numerics::EventCounts& events = job.events->inner;
  events[Event::kOverflow] += counts.overflow;
  events[Event::kInexact] += counts.inexact;
  events[Event::kSwamped] += counts.swamped;
  events[Event::kUnderflow] += counts.underflow;
  events[Event::kFlushed] += counts.flushed;
}

}  // namespace

void run_half_chunk(const TileJob& job, const KChunk& chunk, const RunExact& run_exact, float* acc) {
  const HalfPolicy policy(*job.plan);
  const bool depends_on_state = policy.reject_infinities || policy.must_exclude_overflow;
  for (std::size_t block = chunk.first_block; block < chunk.end_block;) {
    Segment segment = segment_of(job, policy, block, acc);
    ++block;
    // Blocks that cannot be rejected run together.
    const bool extends = !depends_on_state && segment.counting != HalfCounting::kAll;
    while (extends && block < chunk.end_block && job.plan->blocks[block].end - segment.range.begin <= kMaxHalfSteps) {
      const Segment next = segment_of(job, policy, block, acc);
      if (next.exact != segment.exact || next.counting != segment.counting) break;
      segment.range.end = next.range.end;
      ++block;
    }
    run_segment(job, policy, segment, run_exact, acc);
  }
}

}  // namespace guardbit::kernels
