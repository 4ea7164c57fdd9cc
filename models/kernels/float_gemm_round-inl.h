// Rounding of exact sums in binary64 lanes, with every event: the kernels' equal of numerics::round_to_format for
// rne, rtz and stochastic rounding into any format with p <= 24 and e <= 8.
// Included once per Highway target; no include guard in the usual sense (foreach_target.h).
#if defined(GUARDBIT_FLOAT_GEMM_ROUND_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GUARDBIT_FLOAT_GEMM_ROUND_INL
#undef GUARDBIT_FLOAT_GEMM_ROUND_INL
#else
#define GUARDBIT_FLOAT_GEMM_ROUND_INL
#endif

#include <limits>

#include "hwy/highway.h"
#include "models/kernels/float_gemm_plan.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using DoubleTag = hn::ScalableTag<double>;
using LongTag = hn::RebindToUnsigned<DoubleTag>;
using CountTag = hn::RebindToSigned<DoubleTag>;
using NarrowTag = hn::Rebind<float, DoubleTag>;  // as many binary32 lanes as there are binary64 lanes
using NarrowWordTag = hn::Rebind<std::int32_t, DoubleTag>;
using DoubleVector = hn::Vec<DoubleTag>;
using DoubleMask = hn::Mask<DoubleTag>;
using CountVector = hn::Vec<CountTag>;

/// Event counters of one stage, 64 bits a lane. Masks are counted in vectors: g++ 12 miscompiles the population count
/// of a spilled mask register (docs of kernels.md, appendix B).
struct LaneCounts {
  CountVector underflow, flushed, inexact, swamped;
  /// Counted out of line, and so apart from the registers of the others.
  struct Special {
    CountVector overflow, saturated, invalid, inexact;
  } special;

  HWY_INLINE LaneCounts() {
    underflow = flushed = inexact = swamped = hn::Zero(CountTag());
    special.overflow = special.saturated = special.invalid = special.inexact = hn::Zero(CountTag());
  }
};

HWY_INLINE void count(CountVector& counter, DoubleMask mask) {
  const CountTag tag;
  counter = hn::Sub(counter, hn::VecFromMask(tag, hn::RebindMask(tag, mask)));
}

/// Adds the first `lanes` lanes of the counters that are wanted.
HWY_INLINE void add_counts(const LaneCounts& counts, std::size_t lanes, numerics::EventSet wanted,
                           numerics::EventCounts& events) {
  const CountTag tag;
  HWY_ALIGN std::int64_t buffer[HWY_LANES(std::int64_t)];
  const auto add = [&](numerics::Event event, CountVector counter) {
    if (!wanted.has(event)) return;
    hn::Store(counter, tag, buffer);
    for (std::size_t i = 0; i < lanes; ++i) events[event] += static_cast<std::uint64_t>(buffer[i]);
  };
  add(numerics::Event::kOverflow, counts.special.overflow);
  add(numerics::Event::kSaturated, counts.special.saturated);
  add(numerics::Event::kUnderflow, counts.underflow);
  add(numerics::Event::kFlushed, counts.flushed);
  add(numerics::Event::kInvalid, counts.special.invalid);
  add(numerics::Event::kInexact, counts.inexact);
  add(numerics::Event::kInexact, counts.special.inexact);
  add(numerics::Event::kSwamped, counts.swamped);
}

/// x + y rounded to odd at 53 bits: truncated, then the last bit is set if anything was lost. Rounding that once more
/// to p <= 24 bits, at any position, gives what rounding x + y once would (53 >= p + 2), and the result differs from
/// x + y exactly if it differs from this. Infinities and NaNs as IEEE 754; an exact zero sum is +0 unless both are -0.
/// Finite |x| and |y| are below 2^300: no overflow.
HWY_INLINE DoubleVector add_to_odd(DoubleVector x, DoubleVector y) {
  const DoubleTag d;
  const LongTag du;
#if HWY_TARGET <= HWY_AVX3
  // The two directed sums are equal, or neighbours; neighbours have different last bits. The smaller code is the
  // truncation. (-0, +0), an exact zero sum, becomes +0.
  const auto low =
      hn::BitCast(du, DoubleVector{_mm512_add_round_pd(x.raw, y.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)});
  const auto high =
      hn::BitCast(du, DoubleVector{_mm512_add_round_pd(x.raw, y.raw, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)});
  const auto sticky = hn::And(hn::Xor(low, high), hn::Set(du, 1));
  return hn::BitCast(d, hn::Or(hn::Min(low, high), sticky));
#else
  // TwoSum (Knuth): error = x + y - sum exactly. An error of opposite sign means that the sum was rounded away from
  // zero; one step back in code is the truncation.
  const auto sum = hn::Add(x, y);
  const auto y_part = hn::Sub(sum, x);
  const auto error = hn::Add(hn::Sub(x, hn::Sub(sum, y_part)), hn::Sub(y, y_part));
  const auto lost = hn::BitCast(du, hn::VecFromMask(d, hn::Gt(hn::Abs(error), hn::Zero(d))));  // false for NaN
  const auto opposite = hn::ShiftRight<63>(hn::Xor(hn::BitCast(du, sum), hn::BitCast(du, error)));
  const auto truncated = hn::Sub(hn::BitCast(du, sum), hn::And(opposite, lost));
  return hn::BitCast(d, hn::Or(truncated, hn::And(lost, hn::Set(du, 1))));
#endif
}

/// RoundingConstants in vectors.
template <numerics::RoundingMode kMode>
class LaneRounder {
 public:
  HWY_INLINE explicit LaneRounder(const RoundingConstants& constants)
      : constants_(constants),
        min_normal_(hn::Set(DoubleTag(), constants.min_normal)),
        magic_(hn::Set(DoubleTag(), constants.magic)),
        tiny_threshold_(hn::Set(DoubleTag(), constants.tiny_threshold)),
        max_finite_(hn::Set(DoubleTag(), constants.max_finite)) {}

  /// Rounds `sum` (exact, or rounded to odd by add_to_odd). `random` holds integers 0 .. 2^n - 1, kStochastic only.
  /// With kCount, adds the events of the rounding; `inexact` becomes the lanes whose sum is finite and differs from the
  /// result. `operand_is_nan()` is asked for the lanes in which a NaN sum came from a NaN operand: no event invalid.
  template <bool kCount, class OperandIsNan>
  HWY_INLINE DoubleVector round(DoubleVector sum, DoubleVector random, const OperandIsNan& operand_is_nan,
                                LaneCounts& counts, DoubleMask& inexact) const {
    const DoubleTag d;
    const auto zero = hn::Zero(d);
    const auto magnitude = hn::Abs(sum);
    const auto rounded = round_magnitude(magnitude, random);
    const auto is_normal_case = hn::Le(rounded, max_finite_);  // false for overflow, infinity and NaN
    const auto tiny = hn::And(hn::Lt(magnitude, tiny_threshold_), hn::Gt(magnitude, zero));
    auto value = rounded;
    if (kCount) {
      inexact = hn::Ne(rounded, magnitude);
      if (constants_.flush_output) inexact = hn::Or(inexact, tiny);
      count(counts.underflow, hn::And(inexact, tiny));
      count(counts.flushed, constants_.flush_output ? tiny : hn::And(hn::Eq(rounded, zero), hn::Gt(magnitude, zero)));
    }
    if (constants_.flush_output) value = hn::IfThenZeroElse(tiny, value);
    if (HWY_LIKELY(hn::AllTrue(d, is_normal_case))) {
      if (kCount) count(counts.inexact, inexact);
      return with_sign_of(sum, value);
    }
    if (kCount) {
      inexact = hn::And(inexact, is_normal_case);
      count(counts.inexact, inexact);
      count_special(sum, is_normal_case, operand_is_nan(), counts.special);
      inexact = hn::Or(inexact, hn::AndNot(is_normal_case, is_finite(magnitude)));
    }
    return deliver_special(sum, value, is_normal_case);
  }

 private:
  /// magnitude -> nearest multiple (or next lower one, or by chance either) of the quantum: that of the magnitude's
  /// binade, at least that of min_normal's. Adding and subtracting 1.5 * 2^52 quanta rounds to a multiple of the
  /// quantum in the host's rounding, ties to even: the sum has an ulp of one quantum, since magnitude < 2 * binade is
  /// small beside it, and the difference is exact. Infinity and NaN give NaN.
  HWY_INLINE DoubleVector round_magnitude(DoubleVector magnitude, DoubleVector random) const {
    const DoubleTag d;
    const auto exponent_field = hn::BitCast(d, hn::Set(LongTag(), 0x7FF0000000000000ull));
    const auto binade = hn::Max(hn::And(magnitude, exponent_field), min_normal_);
    if constexpr (kMode == numerics::RoundingMode::kTiesToEven) {
      return round_to_grid(magnitude, hn::Mul(binade, magic_));
    } else {
      const auto quantum = hn::Mul(binade, hn::Set(d, constants_.quantum));
      auto shifted = magnitude;
      if constexpr (kMode == numerics::RoundingMode::kStochastic) {
        // floor(tail * 2^n) + r >= 2^n  <=>  truncation of (truncation to 2^-n quanta) + r * 2^-n quanta carries. The
        // sum has at most p + n + 1 <= 51 bits: exact.
        const auto grid = hn::Mul(binade, hn::Set(d, constants_.random_grid));
        const auto kept = truncate_to_grid(magnitude, hn::Mul(binade, hn::Set(d, constants_.random_magic)), grid);
        shifted = hn::Add(kept, hn::Mul(random, grid));
      }
      return truncate_to_grid(shifted, hn::Mul(binade, magic_), quantum);
    }
  }

  static HWY_INLINE DoubleVector round_to_grid(DoubleVector x, DoubleVector magic) {
    return hn::Sub(hn::Add(x, magic), magic);
  }
  static HWY_INLINE DoubleVector truncate_to_grid(DoubleVector x, DoubleVector magic, DoubleVector grid) {
    const auto nearest = round_to_grid(x, magic);
    return hn::IfThenElse(hn::Gt(nearest, x), hn::Sub(nearest, grid), nearest);
  }

  HWY_INLINE DoubleVector with_sign_of(DoubleVector sum, DoubleVector magnitude) const {
    const DoubleTag d;
    const auto value = hn::CopySignToAbs(magnitude, sum);
    if (constants_.has_negative_zero) return value;
    return hn::IfThenZeroElse(hn::Eq(value, hn::Zero(d)), value);
  }

  static HWY_INLINE DoubleMask is_finite(DoubleVector magnitude) {
    return hn::Lt(magnitude, hn::Set(DoubleTag(), std::numeric_limits<double>::infinity()));
  }

  /// Lanes outside is_normal_case: overflow, infinite sum, NaN.
  HWY_NOINLINE DoubleVector deliver_special(DoubleVector sum, DoubleVector value, DoubleMask is_normal_case) const {
    const DoubleTag d;
    const auto magnitude = hn::Abs(sum);
    const auto is_infinite = hn::Eq(magnitude, hn::Set(d, std::numeric_limits<double>::infinity()));
    const auto is_overflow = hn::AndNot(is_normal_case, is_finite(magnitude));
    value = hn::IfThenElse(is_overflow, hn::Set(d, constants_.finite_overflow), value);
    value = hn::IfThenElse(is_infinite, hn::Set(d, constants_.infinite_overflow), value);
    return hn::IfThenElse(hn::IsNaN(sum), hn::Set(d, constants_.nan_result), with_sign_of(sum, value));
  }

  /// Events of the same lanes. A format without NaN raises invalid for every NaN sum, others if no operand was one.
  HWY_NOINLINE void count_special(DoubleVector sum, DoubleMask is_normal_case, DoubleMask operand_is_nan,
                                  LaneCounts::Special& counts) const {
    const auto magnitude = hn::Abs(sum);
    const auto is_nan = hn::IsNaN(sum);
    const auto infinity = hn::Set(DoubleTag(), std::numeric_limits<double>::infinity());
    count_all(constants_.finite_overflow_events, hn::AndNot(is_normal_case, is_finite(magnitude)), counts);
    count_all(constants_.infinite_overflow_events, hn::Eq(magnitude, infinity), counts);
    count_all(constants_.nan_events, is_nan, counts);
    if (constants_.nan_events.empty()) count(counts.invalid, hn::AndNot(operand_is_nan, is_nan));
  }

  static HWY_INLINE void count_all(numerics::EventSet events, DoubleMask mask, LaneCounts::Special& counts) {
    if (events.has(numerics::Event::kOverflow)) count(counts.overflow, mask);
    if (events.has(numerics::Event::kInexact)) count(counts.inexact, mask);
    if (events.has(numerics::Event::kSaturated)) count(counts.saturated, mask);
    if (events.has(numerics::Event::kInvalid)) count(counts.invalid, mask);
  }

  const RoundingConstants& constants_;
  DoubleVector min_normal_;
  DoubleVector magic_;
  DoubleVector tiny_threshold_;
  DoubleVector max_finite_;
};

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
