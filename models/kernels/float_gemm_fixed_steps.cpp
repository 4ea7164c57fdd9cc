#include "models/kernels/float_gemm_fixed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/float_gemm_fixed_steps.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "models/kernels/float_gemm_fixed-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

using numerics::RoundingMode;

/// An integer next to x in the mode's direction.
template <RoundingMode kMode>
HWY_INLINE DoubleVector round_to_integer(DoubleVector x) {
  if constexpr (kMode == RoundingMode::kTowardZero) {
    return hn::Trunc(x);
  } else if constexpr (kMode == RoundingMode::kTowardNegative) {
    return hn::Floor(x);
  } else if constexpr (kMode == RoundingMode::kTowardPositive) {
    return hn::Ceil(x);
  } else {
    return hn::Round(x);
  }
}

struct FixedLaneCounts {
  CountVector inexact, outside, swamped;

  HWY_INLINE FixedLaneCounts() { inexact = outside = swamped = hn::Zero(CountTag()); }
  HWY_INLINE void add_to(FixedCounts& counts) const {
    counts.inexact += total(inexact);
    counts.outside += total(outside);
    counts.swamped += total(swamped);
  }

 private:
  static HWY_INLINE std::uint64_t total(CountVector counter) {
    return static_cast<std::uint64_t>(hn::GetLane(hn::SumOfLanes(CountTag(), counter)));
  }
};

/// A tile's accumulators below 2^50 quanta as binary64 numbers.
HWY_INLINE DoubleVector short_sum(const FixedSums& sums, std::size_t index) {
  const auto high = hn::ShiftLeft<kFixedSplit>(hn::Load(CountTag(), sums.high + index));
  return from_integer(hn::Add(high, hn::Load(CountTag(), sums.low + index)));
}

/// Sums of integers below 2^50 are exact. One is swamped by a product that becomes zero.
template <RoundingMode kMode, bool kCount>
HWY_NOINLINE void add_rounded(const FixedRange& range, FixedSums& sums, FixedCounts& counts) {
  constexpr std::size_t kRows = 4;
  const DoubleTag d;
  const auto zero = hn::Zero(d);
  FixedLaneCounts lane_counts;
  for (std::size_t col = 0; col < kTileCols; col += hn::Lanes(d)) {
    for (std::size_t row = 0; row < kTileRows; row += kRows) {
      DoubleVector acc[kRows];
      for (std::size_t i = 0; i < kRows; ++i) acc[i] = short_sum(sums, (row + i) * kTileCols + col);
      for (std::size_t k = 0; k < range.length; ++k) {
        const auto b = hn::LoadU(d, range.b + k * kTileCols + col);
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kRows; ++i) {
          const auto product = hn::Mul(hn::Set(d, range.a[k * kTileRows + row + i]), b);
          const auto rounded = round_to_integer<kMode>(product);
          if (kCount) {
            const auto inexact = hn::Ne(rounded, product);
            count(lane_counts.inexact, inexact);
            count(lane_counts.swamped, hn::And(hn::And(inexact, hn::Eq(rounded, zero)), hn::Ne(acc[i], zero)));
          }
          acc[i] = hn::Add(acc[i], rounded);
        }
      }
      for (std::size_t i = 0; i < kRows; ++i) {
        const std::size_t index = (row + i) * kTileCols + col;
        hn::Store(hn::Zero(CountTag()), CountTag(), sums.high + index);
        hn::Store(to_integer(acc[i]), CountTag(), sums.low + index);
      }
    }
  }
  lane_counts.add_to(counts);
}

/// |acc| <= 2^61 and an addend of at most 2^50 stay within 64 bits.
template <RoundingMode kMode, bool kCount>
HWY_INLINE CountVector fixed_step(CountVector acc, DoubleVector product, const FixedConstants& constants,
                                  FixedLaneCounts& counts) {
  const CountTag tag;
  const auto rounded = round_to_integer<kMode>(product);
  const auto sum = hn::Add(acc, to_integer(rounded));
  auto next = sum;
  if (constants.saturate) {
    const auto max = hn::Set(tag, (std::int64_t{1} << (constants.bits - 1)) - 1);
    const auto min = hn::Set(tag, -(std::int64_t{1} << (constants.bits - 1)));
    next = hn::Max(hn::Min(sum, max), min);
  } else {
    const int spare_bits = 64 - constants.bits;
    next = hn::ShiftRightSame(hn::ShiftLeftSame(sum, spare_bits), spare_bits);
  }
  if (kCount) {
    const auto zero = hn::Zero(tag);
    const auto are_not_zero = hn::And(hn::Ne(acc, zero), hn::RebindMask(tag, hn::Ne(product, hn::Zero(DoubleTag()))));
    count(counts.inexact, hn::Ne(rounded, product));
    counts.outside = hn::Sub(counts.outside, hn::VecFromMask(tag, hn::Ne(next, sum)));
    counts.swamped = hn::Sub(counts.swamped, hn::VecFromMask(tag, hn::And(hn::Eq(next, acc), are_not_zero)));
  }
  return next;
}

template <RoundingMode kMode, bool kCount>
HWY_NOINLINE void add_steps(const FixedRange& range, const FixedConstants& constants, FixedSums& sums,
                            FixedCounts& counts) {
  constexpr std::size_t kRows = 4;
  const DoubleTag d;
  const CountTag tag;
  FixedLaneCounts lane_counts;
  for (std::size_t col = 0; col < kTileCols; col += hn::Lanes(d)) {
    for (std::size_t row = 0; row < kTileRows; row += kRows) {
      const auto index = [&](std::size_t i) { return (row + i) * kTileCols + col; };
      CountVector acc[kRows];
      for (std::size_t i = 0; i < kRows; ++i) {
        const auto high = hn::ShiftLeft<kFixedSplit>(hn::Load(tag, sums.high + index(i)));
        acc[i] = hn::Add(high, hn::Load(tag, sums.low + index(i)));
      }
      for (std::size_t k = 0; k < range.length; ++k) {
        const auto b = hn::LoadU(d, range.b + k * kTileCols + col);
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kRows; ++i) {
          const auto product = hn::Mul(hn::Set(d, range.a[k * kTileRows + row + i]), b);
          acc[i] = fixed_step<kMode, kCount>(acc[i], product, constants, lane_counts);
        }
      }
      for (std::size_t i = 0; i < kRows; ++i) {
        hn::Store(hn::Zero(tag), tag, sums.high + index(i));
        hn::Store(acc[i], tag, sums.low + index(i));
      }
    }
  }
  lane_counts.add_to(counts);
}

/// Calls body with the rounding of products and whether to count as types' constants.
template <class Body>
void with_product_rounding(RoundingMode mode, bool counts_events, const Body& body) {
  const auto with_counts = [&](auto constant) {
    counts_events ? body(constant, std::true_type()) : body(constant, std::false_type());
  };
  if (mode == RoundingMode::kTowardZero) {
    with_counts(std::integral_constant<RoundingMode, RoundingMode::kTowardZero>());
  } else if (mode == RoundingMode::kTowardNegative) {
    with_counts(std::integral_constant<RoundingMode, RoundingMode::kTowardNegative>());
  } else if (mode == RoundingMode::kTowardPositive) {
    with_counts(std::integral_constant<RoundingMode, RoundingMode::kTowardPositive>());
  } else {
    with_counts(std::integral_constant<RoundingMode, RoundingMode::kTiesToEven>());
  }
}

void add_fixed_rounded_here(const FixedRange& range, const FixedConstants& constants, bool counts_events,
                            FixedSums& sums, FixedCounts& counts) {
  with_product_rounding(constants.rounding, counts_events,
                        [&](auto mode, auto counted) { add_rounded<mode.value, counted.value>(range, sums, counts); });
}

void add_fixed_steps_here(const FixedRange& range, const FixedConstants& constants, bool counts_events, FixedSums& sums,
                          FixedCounts& counts) {
  with_product_rounding(constants.rounding, counts_events, [&](auto mode, auto counted) {
    add_steps<mode.value, counted.value>(range, constants, sums, counts);
  });
}

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {

HWY_EXPORT(add_fixed_rounded_here);
HWY_EXPORT(add_fixed_steps_here);

void add_fixed_rounded(const FixedRange& range, const FixedConstants& constants, bool counts_events, FixedSums& sums,
                       FixedCounts& counts) {
  HWY_DYNAMIC_DISPATCH(add_fixed_rounded_here)(range, constants, counts_events, sums, counts);
}
void add_fixed_steps(const FixedRange& range, const FixedConstants& constants, bool counts_events, FixedSums& sums,
                     FixedCounts& counts) {
  HWY_DYNAMIC_DISPATCH(add_fixed_steps_here)(range, constants, counts_events, sums, counts);
}

}  // namespace guardbit::kernels
#endif
