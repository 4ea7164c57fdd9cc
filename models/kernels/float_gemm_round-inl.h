// Rounding of exact sums in binary64 lanes, with every event: the kernels' equal of numerics::round_to_format for
// every rounding into any format with p <= 24 and e <= 8.
// Included once per Highway target; no include guard in the usual sense (foreach_target.h).
#if defined(GUARDBIT_FLOAT_GEMM_ROUND_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GUARDBIT_FLOAT_GEMM_ROUND_INL
#undef GUARDBIT_FLOAT_GEMM_ROUND_INL
#else
#define GUARDBIT_FLOAT_GEMM_ROUND_INL
#endif

#include <limits>

#include "models/kernels/float_gemm_modes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

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

/// RoundingConstants in vectors. kMode is their rounding.
template <numerics::RoundingMode kMode>
class LaneRounder {
 public:
  HWY_INLINE explicit LaneRounder(const RoundingConstants& constants)
      : constants_(constants),
        round_magnitude_(constants),
        tiny_threshold_(hn::Set(DoubleTag(), constants.positive.tiny_threshold)),
        max_finite_(hn::Set(DoubleTag(), constants.max_finite)) {}

  /// Rounds `sum` (exact, or rounded to odd by add_to_odd). `random` is as QuantumRounder takes it.
  /// With kCount, adds the events of the rounding; `inexact` becomes the lanes whose sum is finite and differs from the
  /// result. `operand_is_nan()` is asked for the lanes in which a NaN sum came from a NaN operand: no event invalid.
  template <bool kCount, class OperandIsNan>
  HWY_INLINE DoubleVector round(DoubleVector sum, DoubleVector random, const OperandIsNan& operand_is_nan,
                                LaneCounts& counts, DoubleMask& inexact) const {
    const DoubleTag d;
    const auto zero = hn::Zero(d);
    const auto magnitude = hn::Abs(sum);
    const auto rounded = round_magnitude_(sum, random);
    const auto is_normal_case = hn::Le(rounded, max_finite_);  // false for overflow, infinity and NaN
    const auto tiny = is_tiny(sum, magnitude);
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
  /// Non-zero and below the mode's threshold, which the directed modes have one of for each sign.
  HWY_INLINE DoubleMask is_tiny(DoubleVector sum, DoubleVector magnitude) const {
    const auto is_nonzero = hn::Gt(magnitude, hn::Zero(DoubleTag()));
    if constexpr (kDirected) {
      const auto negative_threshold = hn::Set(DoubleTag(), -constants_.negative.tiny_threshold);
      return hn::And(is_nonzero, hn::And(hn::Lt(sum, tiny_threshold_), hn::Gt(sum, negative_threshold)));
    }
    return hn::And(is_nonzero, hn::Lt(magnitude, tiny_threshold_));
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
    auto overflow = hn::Set(d, constants_.positive.overflow.magnitude);
    if (kDirected) {
      const auto negative_overflow = hn::Set(d, constants_.negative.overflow.magnitude);
      overflow = hn::IfThenElse(hn::Lt(sum, hn::Zero(d)), negative_overflow, overflow);
    }
    value = hn::IfThenElse(is_overflow, overflow, value);
    value = hn::IfThenElse(is_infinite, hn::Set(d, constants_.infinite_overflow.magnitude), value);
    return hn::IfThenElse(hn::IsNaN(sum), hn::Set(d, constants_.nan_result), with_sign_of(sum, value));
  }

  /// Events of the same lanes. A format without NaN raises invalid for every NaN sum, others if no operand was one.
  HWY_NOINLINE void count_special(DoubleVector sum, DoubleMask is_normal_case, DoubleMask operand_is_nan,
                                  LaneCounts::Special& counts) const {
    const auto magnitude = hn::Abs(sum);
    const auto is_nan = hn::IsNaN(sum);
    const auto infinity = hn::Set(DoubleTag(), std::numeric_limits<double>::infinity());
    const auto is_overflow = hn::AndNot(is_normal_case, is_finite(magnitude));
    const auto is_negative = hn::Lt(sum, hn::Zero(DoubleTag()));
    count_all(constants_.positive.overflow.events, hn::AndNot(is_negative, is_overflow), counts);
    count_all(constants_.negative.overflow.events, hn::And(is_negative, is_overflow), counts);
    count_all(constants_.infinite_overflow.events, hn::Eq(magnitude, infinity), counts);
    count_all(constants_.nan_events, is_nan, counts);
    if (constants_.nan_events.empty()) count(counts.invalid, hn::AndNot(operand_is_nan, is_nan));
  }

  static HWY_INLINE void count_all(numerics::EventSet events, DoubleMask mask, LaneCounts::Special& counts) {
    if (events.has(numerics::Event::kOverflow)) count(counts.overflow, mask);
    if (events.has(numerics::Event::kInexact)) count(counts.inexact, mask);
    if (events.has(numerics::Event::kSaturated)) count(counts.saturated, mask);
    if (events.has(numerics::Event::kInvalid)) count(counts.invalid, mask);
  }

  static constexpr bool kDirected =
      kMode == numerics::RoundingMode::kTowardPositive || kMode == numerics::RoundingMode::kTowardNegative;

  const RoundingConstants& constants_;
  QuantumRounder<kMode> round_magnitude_;
  DoubleVector tiny_threshold_;
  DoubleVector max_finite_;
};

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
