#include <algorithm>
#include <cmath>
#include <limits>

#include "models/kernels/float_gemm_proof.h"
#include "models/kernels/float_gemm_ranges.h"

namespace guardbit::kernels {
namespace {

constexpr double kLargestClampedSum = 0x1p100;  // as NarrowRounding::sum_limit at most
constexpr std::size_t kStride = 8;  // steps between two looks at the accumulators where no bound excludes overflow

/// Which variant of the narrow kernel a block asks for.
enum class BlockKind {
  kNotFinite,  ///< none: an operand is infinite or NaN
  kPlain,      ///< no sum underflows and no accumulator is -0, nor becomes it
  kScaled,     ///< sums may underflow; operands fit the scaled domain
  kGradual,    ///< sums may underflow
};

/// Neighbouring steps that run on one variant.
struct Segment {
  KBlock range;
  BlockKind kind = BlockKind::kNotFinite;
  double max_product = 0;
  double bound = 0;  ///< of |acc| at its end
};

/// How overflow is kept out, or dealt with.
enum class Overflow {
  kBounded,  ///< a bound carried from block to block excludes it
  kWatched,  ///< the kernel looks at the accumulators every kStride steps, and stops where the next ones could overflow
  kPressed,  ///< likewise before each step
  kClamped,  ///< the kernel clamps, as the spec does
};

/// Runs a chunk segment by segment. Where watching fails, clamping finishes the block, or pressing on as far as it goes
/// and then the general kernel.
class NarrowChunk {
 public:
  NarrowChunk(const TileJob& job, const KChunk& chunk, const RunExact& run_exact, float* acc)
      : job_(job),
        plan_(*job.plan),
        chunk_(chunk),
        run_exact_(run_exact),
        acc_(acc),
        counting_(wanted_counting(plan_.wanted)),
        limit_(static_cast<double>(plan_.narrow.sum_limit)),
        k_(chunk.range.begin),
        block_(chunk.first_block) {}

  void run() {
    while (k_ < chunk_.range.end) {
      Segment segment = next_segment();
      if (!can_run(segment.kind)) {
        run_exact_to(segment.range.end, segment.kind);
        continue;
      }
      advance(segment, segment.bound <= limit_ ? Overflow::kBounded : Overflow::kWatched);
      while (k_ < segment.range.end) {
        finish_block(segment.kind);
        segment.range.begin = k_;
        if (k_ < segment.range.end) advance(segment, Overflow::kWatched);
      }
    }
  }

 private:
  /// Whether "plain" rounding might drop the sign of an accumulator that is -0 now.
  bool loses_zero_sign() const {
    return plan_.narrow.mode == NarrowRounding::Mode::kNearest && may_have_negative_zero_;
  }
  BlockKind kind_of(const BlockProducts& products) const {
    if (!products.all_finite) return BlockKind::kNotFinite;
    if (cannot_underflow(plan_, products) && !loses_zero_sign()) return BlockKind::kPlain;
    return fits_scaled_domain(plan_, products) ? BlockKind::kScaled : BlockKind::kGradual;
  }
  bool can_run(BlockKind kind) const {
    return kind == BlockKind::kPlain || (kind != BlockKind::kNotFinite && plan_.inner.has_negative_zero);
  }

  /// From here to the end of the last block of the same kind.
  Segment next_segment() const {
    Segment segment{.range = {k_, k_}, .kind = BlockKind::kNotFinite, .max_product = 0, .bound = bound_};
    for (std::size_t block = block_; block < chunk_.end_block; ++block) {
      const BlockProducts products(job_, block);
      const BlockKind kind = kind_of(products);
      if (block != block_ && kind != segment.kind) break;
      segment.kind = kind;
      segment.range.end = plan_.blocks[block].end;
      segment.max_product = std::max(segment.max_product, products.max_magnitude);
      segment.bound = bound_after(plan_.inner, segment.bound, products, kBlockLength);
    }
    return segment;
  }

  /// Whether the largest finite value is what every overflow of finite operands delivers, and sums stay moderate.
  bool can_clamp(double max_product) const {
    const numerics::FloatSpec& spec = plan_.spec.inner;
    const bool saturates = spec.overflow == numerics::OverflowPolicy::kSaturate || !spec.format.has_nan() ||
                           spec.rounding == numerics::RoundingMode::kTowardZero ||
                           spec.rounding == numerics::RoundingMode::kToOdd;
    return saturates && plan_.inner.max_finite + max_product <= kLargestClampedSum;
  }

  void set_guard(const Segment& segment, Overflow overflow, StepRange& range) const {
    range.stride = range.length;
    switch (overflow) {
      case Overflow::kBounded: range.guard = std::numeric_limits<float>::infinity(); break;
      case Overflow::kClamped: range.guard = plan_.narrow.max_finite; break;
      case Overflow::kWatched: range.stride = kStride; break;
      case Overflow::kPressed: range.stride = 1; break;
    }
    range.clamps = overflow == Overflow::kClamped;
    if (overflow == Overflow::kWatched || overflow == Overflow::kPressed) {
      range.guard = guard_of(segment, range.stride);
    }
  }

  /// Runs what the kernel runs of the segment, and moves on to there.
  void advance(const Segment& segment, Overflow overflow) {
    StepRange range = step_range(job_, segment.range, acc_);
    range.plain = segment.kind == BlockKind::kPlain;
    range.scaled = segment.kind == BlockKind::kScaled;
    set_guard(segment, overflow, range);
    if (range.scaled) {
      range.a = job_.a->scaled_values.data() + segment.range.begin * kTileRows;
      range.b = job_.b->scaled_values.data() + segment.range.begin * kTileCols;
    }
    if (range.guard < plan_.narrow.min_normal) return;
    const StepCounting counting = counting_ == StepCounting::kAll && range.plain ? StepCounting::kInexact : counting_;
    StepCounts counts;
    const std::size_t done = run_narrow_steps(range, plan_.narrow, counting, counts);
    if (done == 0) return;
    add_events(job_, counts, job_.events->inner);
    if (!range.plain) may_have_negative_zero_ = true;
    move_to(segment.range.begin + done, overflow == Overflow::kBounded ? segment.bound : limit_);
  }

  float guard_of(const Segment& segment, std::size_t stride) const {
    const double guard = guard_before(plan_, segment.max_product, stride);
    return std::nextafter(static_cast<float>(guard), 0.0F);
  }

  void finish_block(BlockKind kind) {
    const BlockProducts products(job_, block_);
    const std::size_t end = plan_.blocks[block_].end;
    const Segment rest{.range = {k_, end}, .kind = kind, .max_product = products.max_magnitude, .bound = limit_};
    if (can_clamp(rest.max_product)) advance(rest, Overflow::kClamped);
    if (k_ == rest.range.begin) advance(rest, Overflow::kPressed);
    if (k_ < end) run_exact_to(end, kind);
  }

  void run_exact_to(std::size_t end, BlockKind kind) {
    run_exact_({k_, end});
    if (kind != BlockKind::kPlain) may_have_negative_zero_ = true;
    move_to(end, std::numeric_limits<double>::infinity());
  }

  void move_to(std::size_t k, double bound) {
    k_ = k;
    bound_ = bound;
    while (block_ < chunk_.end_block && plan_.blocks[block_].end <= k_) ++block_;
  }

  const TileJob& job_;
  const GemmPlan& plan_;
  const KChunk& chunk_;
  const RunExact& run_exact_;
  float* acc_;
  StepCounting counting_;
  double limit_;  ///< of sums
  std::size_t k_;
  std::size_t block_;  ///< that has k_
  double bound_ = 0;   ///< of |acc|
  bool may_have_negative_zero_ = false;
};

}  // namespace

void run_narrow_chunk(const TileJob& job, const KChunk& chunk, const RunExact& run_exact, float* acc) {
  NarrowChunk(job, chunk, run_exact, acc).run();
}

}  // namespace guardbit::kernels
