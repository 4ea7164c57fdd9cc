#include "models/kernels/float_gemm_chunk.h"

#include <algorithm>
#include <cmath>

#include "models/kernels/float_gemm_proof.h"
#include "models/kernels/float_gemm_ranges.h"
#include "models/kernels/float_gemm_steps.h"

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

/// How steps of hardware arithmetic (fp16, fp32) relate to the spec.
struct NativePolicy {
  explicit NativePolicy(const GemmPlan& plan)
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
  StepCounting counting = StepCounting::kNone;
};

Segment segment_of(const TileJob& job, const NativePolicy& policy, std::size_t block, const float* acc) {
  const GemmPlan& plan = *job.plan;
  Segment segment{.range = plan.blocks[block]};
  const BlockProducts products(job, block);
  segment.exact = !products.all_finite && (plan.counts || policy.reject_infinities || policy.truncate);
  if (segment.exact) return segment;
  const std::size_t length = segment.range.end - segment.range.begin;
  if (policy.must_exclude_overflow &&
      bound_after(plan.inner, max_magnitude(acc), products, length) > plan.inner.max_finite) {
    segment.exact = true;
    return segment;
  }
  if (policy.counts_steps) {
    segment.counting = cannot_underflow(plan, products) ? StepCounting::kInexact : StepCounting::kAll;
  }
  return segment;
}

void run_segment(const TileJob& job, const NativePolicy& policy, const Segment& segment, const RunExact& run_exact,
                 float* acc) {
  StepCounts counts;
  StepRange range = step_range(job, segment.range, acc);
  range.truncate = policy.truncate;
  range.reject_infinities = policy.reject_infinities;
  const auto run_steps = job.plan->fast == FastKernel::kHalf ? run_half_steps : run_single_steps;
  if (segment.exact || !run_steps(range, segment.counting, counts)) {
    run_exact(segment.range);
  } else {
    add_events(job, counts, job.events->inner);
  }
}

/// fp16 or fp32 steps of the CPU.
void run_native_chunk(const TileJob& job, const KChunk& chunk, const RunExact& run_exact, float* acc) {
  const NativePolicy policy(*job.plan);
  const bool depends_on_state = policy.reject_infinities || policy.must_exclude_overflow;
  for (std::size_t block = chunk.first_block; block < chunk.end_block;) {
    Segment segment = segment_of(job, policy, block, acc);
    ++block;
    // Blocks that cannot be rejected run together.
    const bool extends = !depends_on_state && segment.counting != StepCounting::kAll;
    while (extends && block < chunk.end_block &&
           job.plan->blocks[block].end - segment.range.begin <= kMaxCountedSteps) {
      const Segment next = segment_of(job, policy, block, acc);
      if (next.exact != segment.exact || next.counting != segment.counting) break;
      segment.range.end = next.range.end;
      ++block;
    }
    run_segment(job, policy, segment, run_exact, acc);
  }
}

}  // namespace

void run_sequential_chunk(const TileJob& job, const KChunk& chunk, const RunExact& run_exact, float* acc) {
  switch (job.plan->fast) {
    case FastKernel::kNone:
    case FastKernel::kNarrowTree:
    case FastKernel::kAligned:
    case FastKernel::kFixed:
    case FastKernel::kHalfTree: run_exact(chunk.range); return;
    case FastKernel::kHalf:
    case FastKernel::kSingle: run_native_chunk(job, chunk, run_exact, acc); return;
    case FastKernel::kNarrow: run_narrow_chunk(job, chunk, run_exact, acc); return;
  }
}

}  // namespace guardbit::kernels
