#include "models/kernels/float_gemm_fixed.h"

#include <algorithm>
#include <cmath>

#include "models/kernels/float_gemm_proof.h"
#include "models/numerics/check.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;
using numerics::RoundingMode;

constexpr int kMaxShortBits = 62;
constexpr double kDoubleQuanta = 0x1p53;  // binary64 has all multiples up to so many
constexpr double kMaxStepProduct = 0x1p50;
constexpr double kMaxRoundedSum = 0x1p50;
constexpr double kMaxSum = 0x1p90;

enum class FixedMethod { kExact, kSplit, kRounded, kSteps, kReference };

/// Consecutive blocks that run in one call.
struct Segment {
  KBlock range;
  FixedMethod method = FixedMethod::kReference;
  double magnitude = 0;  ///< at most, of the products' sum, in quanta
  double grid = 0;       ///< all products are multiples of this many quanta
};

bool rounds_in_lanes(RoundingMode mode) {
  return mode == RoundingMode::kTiesToEven || mode == RoundingMode::kTowardZero ||
         mode == RoundingMode::kTowardPositive || mode == RoundingMode::kTowardNegative;
}

/// Cuts a chunk into segments and keeps a bound of the accumulators.
class Segments {
 public:
  Segments(const TileJob& job, const FixedConstants& constants, const KChunk& chunk)
      : job_(job), constants_(constants), block_(chunk.first_block), end_(chunk.end_block) {}

  bool is_at_end() const { return block_ == end_; }
  Segment next() {
    Segment segment = take_block();
    while (block_ < end_) {
      const Segments before = *this;
      const Segment more = take_block();
      const Segment joined{.range = {segment.range.begin, more.range.end},
                           .method = segment.method,
                           .magnitude = segment.magnitude + more.magnitude,
                           .grid = std::min(segment.grid, more.grid)};
      if (more.method != segment.method || !is_one_call(joined)) {
        block_ = before.block_;
        bound_ = before.bound_;
        break;
      }
      segment = joined;
    }
    return segment;
  }

 private:
  static bool is_exact(const Segment& segment) { return segment.magnitude <= kDoubleQuanta * segment.grid; }
  static bool is_one_call(const Segment& segment) {
    return segment.method != FixedMethod::kSplit && (segment.method != FixedMethod::kExact || is_exact(segment));
  }

  Segment take_block() {
    constexpr double kSlack = 1 + 1e-9;  // covers the rounding of this computation itself
    const BlockProducts products(job_, block_);
    Segment segment{.range = job_.plan->blocks[block_]};
    ++block_;
    if (!products.all_finite) return segment;
    const double largest = products.max_magnitude * constants_.per_unit;
    const auto length = static_cast<double>(segment.range.end - segment.range.begin);
    segment.magnitude = length * largest * kSlack;
    segment.grid = std::ldexp(1.0, products.quantum_exponent - constants_.quantum_exponent);
    const bool is_exact_product = segment.grid >= 1;
    const double bound = bound_ + segment.magnitude + (is_exact_product ? 0 : length);  // rounding adds below a quantum
    const bool stays_in_range = bound < std::min(constants_.range_limit, kMaxSum);
    if (is_exact_product && stays_in_range) {
      segment.method = is_exact(segment) ? FixedMethod::kExact : FixedMethod::kSplit;
    } else if (!rounds_in_lanes(constants_.rounding)) {
      return segment;
    } else if (stays_in_range && bound < kMaxRoundedSum) {
      segment.method = FixedMethod::kRounded;
    } else if (constants_.is_short && largest < kMaxStepProduct) {
      segment.method = FixedMethod::kSteps;
    }
    bound_ = std::min(bound, constants_.range_limit);
    return segment;
  }

  const TileJob& job_;
  const FixedConstants& constants_;
  std::size_t block_;
  std::size_t end_;
  double bound_ = 0;
};

FixedRange fixed_range(const TileJob& job, KBlock range) {
  return {.a = job.a->wide_values.data() + range.begin * kTileRows,
          .b = job.b->wide_values.data() + range.begin * kTileCols,
          .length = range.end - range.begin};
}

}  // namespace

FixedConstants::FixedConstants(const GemmPlan& plan)
    : bits(plan.spec.fixed.format.bits()),
      saturate(plan.spec.fixed.overflow == numerics::IntOverflow::kSaturate),
      rounding(plan.spec.fixed.rounding) {
  const numerics::FixedFormat& format = plan.spec.fixed.format;
  const int product_quantum = plan.operands.a.quantum_exponent() + plan.operands.b.quantum_exponent();
  is_short = bits <= kMaxShortBits;
  // A long accumulator's low bits that no product reaches are left out.
  quantum_exponent = is_short ? -format.fraction_bits : std::max(-format.fraction_bits, product_quantum);
  per_unit = std::ldexp(1.0, -quantum_exponent);
  range_limit = std::ldexp(1.0, format.integer_bits - 1 - quantum_exponent);
}

bool has_fixed_kernel(const arith::AccumulationSpec& spec) {
  return !spec.product && spec.interleave == 1 && spec.inner.rounding != RoundingMode::kStochastic;
}

bool can_run_fixed(const TileJob& job) {
  const FixedConstants constants(*job.plan);
  for (const KChunk& chunk : job.plan->chunks) {
    for (Segments segments(job, constants, chunk); !segments.is_at_end();) {
      if (segments.next().method == FixedMethod::kReference) return false;
    }
  }
  return true;
}

void run_fixed_chunk(const TileJob& job, const KChunk& chunk, float* acc) {
  const FixedConstants constants(*job.plan);
  FixedSums sums;
  FixedCounts counts;
  for (Segments segments(job, constants, chunk); !segments.is_at_end();) {
    const Segment segment = segments.next();
    const FixedRange range = fixed_range(job, segment.range);
    switch (segment.method) {
      case FixedMethod::kExact: add_fixed_exact(range, sums); break;
      case FixedMethod::kSplit: add_fixed_split(range, sums); break;
      case FixedMethod::kRounded: add_fixed_rounded(range, constants, job.plan->counts, sums, counts); break;
      case FixedMethod::kSteps: add_fixed_steps(range, constants, job.plan->counts, sums, counts); break;
      case FixedMethod::kReference: GUARDBIT_CHECK(false, "can_run_fixed() said so");
    }
  }
  round_fixed(job, constants, sums, acc);
  if (!job.plan->counts) return;
  numerics::EventCounts& events = job.events->inner;
  events[Event::kInexact] += counts.inexact;
  events[constants.saturate ? Event::kSaturated : Event::kWrapped] += counts.outside;
  events[Event::kSwamped] += counts.swamped;
}

}  // namespace guardbit::kernels
