#include <algorithm>
#include <cmath>
#include <limits>

#include "models/kernels/float_gemm_proof.h"
#include "models/kernels/float_gemm_ranges.h"

namespace guardbit::kernels {
namespace {

constexpr std::size_t kStride = 8;  // steps between two looks at the accumulators where no bound excludes overflow

/// Which variant of the narrow kernel a block asks for.
enum class BlockKind {
  kNotFinite,  ///< none: an operand is infinite or NaN
  kPlain,
  kScaled,   ///< sums may underflow; operands fit the scaled domain
  kGradual,  ///< sums may underflow
};

/// Neighbouring steps that run on one variant.
struct Segment {
  KBlock range;
  BlockKind kind = BlockKind::kNotFinite;
  double max_product = 0;
  double bound = 0;  ///< of |acc| at its end
};

/// Runs a chunk segment by segment. Sums that could overflow never run on the fast kernel: either a bound that is
/// carried from block to block excludes them, or the kernel looks at the accumulators every kStride steps; where the
/// next kStride steps could overflow, before each step; where the next step could, the general kernel finishes the
/// block.
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
      const Segment segment = next_segment();
      if (!can_run(segment.kind)) {
        run_exact_to(segment.range.end);
        continue;
      }
      const bool is_bounded = segment.bound <= limit_;
      advance(segment, is_bounded ? segment.range.end - k_ : kStride, is_bounded);
      if (k_ < segment.range.end) finish_block(segment.kind);
    }
  }

 private:
  BlockKind kind_of(const BlockProducts& products) const {
    if (!products.all_finite) return BlockKind::kNotFinite;
    const bool nearest = plan_.narrow.mode == NarrowRounding::Mode::kNearest;
    if (cannot_underflow(plan_, products) && !(nearest && may_have_negative_zero_)) return BlockKind::kPlain;
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

  /// Runs what the kernel runs of the segment, and moves on to there.
  void advance(const Segment& segment, std::size_t stride, bool is_bounded) {
    StepRange range = step_range(job_, segment.range, acc_);
    range.plain = segment.kind == BlockKind::kPlain;
    range.scaled = segment.kind == BlockKind::kScaled;
    range.stride = stride;
    range.guard = is_bounded ? std::numeric_limits<float>::infinity() : guard_of(segment, stride);
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
    move_to(segment.range.begin + done, is_bounded ? segment.bound : limit_);
  }

  float guard_of(const Segment& segment, std::size_t stride) const {
    const double guard = guard_before(plan_, segment.max_product, stride);
    return std::nextafter(static_cast<float>(guard), 0.0F);
  }

  void finish_block(BlockKind kind) {
    const BlockProducts products(job_, block_);
    const std::size_t end = plan_.blocks[block_].end;
    const Segment rest{.range = {k_, end}, .kind = kind, .max_product = products.max_magnitude, .bound = limit_};
    advance(rest, 1, /*is_bounded=*/false);
    if (k_ < end) run_exact_to(end);
  }

  void run_exact_to(std::size_t end) {
    run_exact_({k_, end});
    may_have_negative_zero_ = true;  // "plain" rounding to nearest loses its sign
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
