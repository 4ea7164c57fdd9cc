#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/hadamard_row.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h must come before highway.h.
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "models/kernels/hadamard_plan.h"

// Per target, after highway.h.
#include "models/kernels/hadamard_stages-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels {
namespace HWY_NAMESPACE {
namespace {

#if HWY_TARGET != HWY_SCALAR

/// One more in the lanes of the mask. Never by population counts, which g++ 12 miscompiles for spilled mask registers.
HWY_INLINE hn::Vec<IntTag> count_lanes(hn::Vec<IntTag> counts, hn::Mask<FloatTag> mask) {
  const IntTag di;
#if HWY_TARGET == HWY_AVX3
  return hn::IfThenElse(hn::RebindMask(di, mask), hn::Add(counts, hn::Set(di, 1)), counts);  // one masked addition
#else
  return hn::Sub(counts, hn::BitCast(di, hn::VecFromMask(FloatTag(), mask)));
#endif
}

/// Exact results are what the lanes count, since a comparison with a NaN is false.
HWY_INLINE std::uint64_t num_inexact(hn::Vec<IntTag> exact, std::size_t n) {
  const IntTag di;
  HWY_ALIGN std::int32_t lanes[HWY_MAX_BYTES / sizeof(std::int32_t)];
  hn::Store(exact, di, lanes);
  std::uint64_t num_roundings = n * static_cast<std::uint64_t>(std::countr_zero(n));
  for (std::size_t i = 0; i < hn::Lanes(di); ++i) num_roundings -= static_cast<std::uint64_t>(lanes[i]);
  return num_roundings;
}

HWY_INLINE std::uint32_t max_of_lanes(hn::Vec<hn::RebindToUnsigned<FloatTag>> values) {
  const hn::RebindToUnsigned<FloatTag> du;
  HWY_ALIGN std::uint32_t lanes[HWY_MAX_BYTES / sizeof(std::uint32_t)];
  hn::Store(values, du, lanes);
  return *std::max_element(lanes, lanes + hn::Lanes(du));
}

/// Largest magnitude as a binary32 code; an infinity or NaN has a code beyond every finite one's.
HWY_INLINE std::uint32_t largest_code(const float* HWY_RESTRICT x, std::size_t n) {
  const FloatTag d;
  const hn::RebindToUnsigned<FloatTag> du;
  auto largest = hn::Zero(du);
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    largest = hn::Max(largest, hn::And(hn::BitCast(du, hn::LoadU(d, x + i)), hn::Set(du, 0x7FFFFFFFu)));
  }
  return max_of_lanes(largest);
}

/// fp32: the host's addition. An overflow or an infinity leaves a non-finite element at the end, because both results
/// of a butterfly with a non-finite element are non-finite.
template <bool kCount>
struct SingleSums {
  HWY_INLINE SingleSums() : exact(hn::Zero(IntTag())) {}
  HWY_INLINE FloatVector round(FloatVector s, FloatVector a, FloatVector b) {
    if constexpr (kCount) exact = count_lanes(exact, is_exact_fp32(a, b, s));
    return s;
  }
  hn::Vec<IntTag> exact;
};

/// p <= 11, emin = -126: the low bits of the fp32 sum are rounded off as an integer, its subnormals are the format's.
/// Two roundings are one: 24 >= 2p + 2 (Figueroa 1995). Overflow shows as in SingleSums.
template <bool kCount>
struct WideRangeSums {
  HWY_INLINE explicit WideRangeSums(int drop_bits_in)
      : drop_bits(drop_bits_in),
        half_minus_one(hn::Set(IntTag(), (1 << (drop_bits - 1)) - 1)),
        keep(hn::Set(IntTag(), -(1 << drop_bits))),
        exact(hn::Zero(IntTag())) {}
  HWY_INLINE FloatVector round(FloatVector sum, FloatVector a, FloatVector b) {
    const IntTag di;
    const auto s = hn::BitCast(di, sum);
    const auto is_odd = hn::And(hn::ShiftRightSame(s, drop_bits), hn::Set(di, 1));
    const auto r = hn::BitCast(FloatTag(), hn::And(hn::Add(hn::Add(s, half_minus_one), is_odd), keep));
    if constexpr (kCount) exact = count_lanes(exact, is_exact(a, b, r));
    return r;
  }
  int drop_bits;
  hn::Vec<IntTag> half_minus_one, keep;
  hn::Vec<IntTag> exact;
};

/// p <= 11 and a range well inside fp32's: adding 1.5 * 2^(24-p) times the sum's power of two leaves ulp_p(sum) as the
/// last place of the fp32 intermediate, so that addition rounds to nearest even. Subnormal sums are exact, as both
/// addends are multiples of the quantum, and the smaller quantum of their binade does nothing to them. `largest` tells
/// whether any result left the range, if kTrack.
template <bool kCount, bool kTrack>
struct NarrowRangeSums {
  HWY_INLINE explicit NarrowRangeSums(int precision_bits)
      : magic(hn::Set(FloatTag(), std::ldexp(1.5F, 24 - precision_bits))),
        largest(hn::Zero(FloatTag())),
        exact(hn::Zero(IntTag())) {}
  HWY_INLINE FloatVector round(FloatVector s, FloatVector a, FloatVector b) {
    const FloatTag d;
    const auto binade = hn::And(s, hn::BitCast(d, hn::Set(IntTag(), 0x7F800000)));
    // binade * magic is exact, fused or not. A zero loses its sign there.
    const auto value = hn::NegMulAdd(binade, magic, hn::MulAdd(binade, magic, s));
    const auto r = hn::Or(value, hn::And(s, hn::SignBit(d)));
    if constexpr (kCount) exact = count_lanes(exact, is_exact(a, b, r));
    if constexpr (kTrack) largest = hn::Max(largest, hn::Abs(r));
    return r;
  }
  FloatVector magic;
  FloatVector largest;
  hn::Vec<IntTag> exact;
};

/// Runs all stages from source to x with the sums; returns the number of inexact roundings, if kCount.
template <bool kCount, class Sums>
HWY_NOINLINE std::uint64_t transform(const float* source, float* x, std::size_t n, Sums& sums) {
  Sums own = sums;
  Transform<Sums>(own).run(source, x, n);
  sums = own;
  return kCount ? num_inexact(own.exact, n) : 0;
}

/// to = x * scale (to may be x), rounded to nearest even by the same addition in binary64, where the product of two
/// carriers is exact. Adds to counts[0 .. 2]: inexact, underflow, flushed; returns false if a result left the range.
HWY_NOINLINE bool scale_row(const float* x, std::size_t n, const HadamardPlan& plan, float* to,
                            std::uint64_t* HWY_RESTRICT counts) {
  const hn::ScalableTag<double> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<float, decltype(d)> df;
  const auto factor = hn::Set(d, static_cast<double>(plan.scale));
  const auto exponent_field = hn::BitCast(d, hn::Set(di, std::int64_t{0x7FF} << 52));
  const auto min_normal = hn::Set(d, static_cast<double>(plan.min_normal));
  const auto tiny_below = hn::Set(d, plan.tiny_below);
  const auto magic = hn::Set(d, std::ldexp(1.5, 53 - plan.precision_bits));
  const auto zero = hn::Zero(d);
  auto largest = hn::Zero(d);
  auto inexact = hn::Zero(di);
  auto underflow = hn::Zero(di);
  auto flushed = hn::Zero(di);
  const auto count = [&](auto mask) HWY_ATTR { return hn::BitCast(di, hn::VecFromMask(d, mask)); };
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    const auto s = hn::Mul(hn::PromoteTo(d, hn::Load(df, x + i)), factor);
    const auto shift = hn::Mul(hn::Max(hn::And(s, exponent_field), min_normal), magic);
    const auto r = hn::CopySign(hn::Sub(hn::Add(s, shift), shift), s);
    const auto differs = hn::Ne(r, s);
    const auto is_tiny = hn::And(differs, hn::Lt(hn::Abs(s), tiny_below));
    inexact = hn::Sub(inexact, count(differs));
    if (!hn::AllFalse(d, is_tiny)) {  // what becomes zero is tiny
      underflow = hn::Sub(underflow, count(is_tiny));
      flushed = hn::Sub(flushed, count(hn::And(is_tiny, hn::Eq(r, zero))));
    }
    largest = hn::Max(largest, hn::Abs(r));
    hn::StoreU(hn::DemoteTo(df, r), df, to + i);
  }
  const auto total = [&](auto lane_counts)
                         HWY_ATTR { return static_cast<std::uint64_t>(hn::GetLane(hn::SumOfLanes(di, lane_counts))); };
  counts[0] += total(inexact);
  counts[1] += total(underflow);
  counts[2] += total(flushed);
  return hn::GetLane(hn::MaxOfLanes(d, largest)) <= static_cast<double>(plan.max_finite);
}

/// to = x * scale (to may be x) where a binary32 product is enough and no events are wanted; returns the code of the
/// largest result. fp32: the host's multiplication. Narrow range: the scale is a power of two between 2^-40 and 2^40,
/// so that the product is exact, and is rounded like a sum.
HWY_NOINLINE std::uint32_t scale_row_single(const float* x, std::size_t n, const HadamardPlan& plan, float* to) {
  const FloatTag d;
  const IntTag di;
  const auto factor = hn::Set(d, plan.scale);
  const auto exponent_field = hn::BitCast(d, hn::Set(di, 0x7F800000));
  const auto min_normal = hn::Set(d, plan.min_normal);
  const auto magic = hn::Set(d, std::ldexp(1.5F, 24 - plan.precision_bits));
  const hn::RebindToUnsigned<FloatTag> du;
  auto largest = hn::Zero(du);
  const bool rounds = plan.method != HadamardMethod::kFp32;
  for (std::size_t i = 0; i < n; i += hn::Lanes(d)) {
    auto value = hn::Mul(hn::Load(d, x + i), factor);
    if (rounds) {
      const auto binade = hn::Max(hn::And(value, exponent_field), min_normal);
      value = hn::CopySign(hn::NegMulAdd(binade, magic, hn::MulAdd(binade, magic, value)), value);
    }
    hn::StoreU(value, d, to + i);
    largest = hn::Max(largest, hn::And(hn::BitCast(du, value), hn::Set(du, 0x7FFFFFFFu)));
  }
  return max_of_lanes(largest);
}

/// The stages; false if a result may have left the range.
template <bool kCount>
bool transform_in_range(const float* source, float* x, std::size_t n, const HadamardPlan& plan, bool is_bounded,
                        std::uint64_t& inexact) {
  switch (plan.method) {
    case HadamardMethod::kScalar: return false;
    case HadamardMethod::kFp32: {
      SingleSums<kCount> sums;
      inexact += transform<kCount>(source, x, n, sums);
      return true;  // an overflow shows in the end
    }
    case HadamardMethod::kWideRange: {
      WideRangeSums<kCount> sums(24 - plan.precision_bits);
      inexact += transform<kCount>(source, x, n, sums);
      return true;
    }
    case HadamardMethod::kNarrowRange: break;
  }
  if (is_bounded) {
    NarrowRangeSums<kCount, false> sums(plan.precision_bits);
    inexact += transform<kCount>(source, x, n, sums);
    return true;
  }
  NarrowRangeSums<kCount, true> sums(plan.precision_bits);
  inexact += transform<kCount>(source, x, n, sums);
  return hn::GetLane(hn::MaxOfLanes(FloatTag(), sums.largest)) <= plan.max_finite;
}

template <bool kCount>
bool run_row_counted(const HadamardRow& row, const HadamardPlan& plan, std::uint64_t* counts) {
  const std::size_t n = row.length;
  if (n < hn::Lanes(FloatTag()) || hn::Lanes(FloatTag()) > 16 || plan.method == HadamardMethod::kScalar) return false;
  const auto max_code = std::bit_cast<std::uint32_t>(plan.max_finite);
  const std::uint32_t largest_input = largest_code(row.source, n);
  if (largest_input > max_code) return false;
  // A stage at most doubles the largest magnitude, and powers of two times a value of the format round to themselves.
  double largest = static_cast<double>(std::bit_cast<float>(largest_input)) * static_cast<double>(n);
  const bool is_bounded = largest <= static_cast<double>(plan.max_finite);
  if (!transform_in_range<kCount>(row.source, row.work, n, plan, is_bounded, counts[0])) return false;
  if (!is_bounded) {
    const std::uint32_t largest_output = largest_code(row.work, n);
    if (largest_output > max_code) return false;
    largest = static_cast<double>(std::bit_cast<float>(largest_output));
  }
  if (plan.scale == 1.0F) {
    std::copy_n(row.work, n, row.destination);
    return true;
  }
  const auto scale_into = [&](float* to) {
    return !kCount && plan.scales_in_single ? scale_row_single(row.work, n, plan, to) <= max_code
                                            : scale_row(row.work, n, plan, to, counts);
  };
  if (largest * std::fabs(static_cast<double>(plan.scale)) <= static_cast<double>(plan.max_finite)) {
    return scale_into(row.destination);
  }
  if (!scale_into(row.work)) return false;
  std::copy_n(row.work, n, row.destination);
  return true;
}

bool run_row(const HadamardRow& row, const HadamardPlan& plan, std::uint64_t* counts) {
  return plan.counts ? run_row_counted<true>(row, plan, counts) : run_row_counted<false>(row, plan, counts);
}

#else

bool run_row(const HadamardRow&, const HadamardPlan&, std::uint64_t*) { return false; }

#endif

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace guardbit::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {
namespace {

HWY_EXPORT(run_row);

}  // namespace

bool run_hadamard_row(const HadamardRow& row, const HadamardPlan& plan, std::uint64_t* counts) {
  return HWY_DYNAMIC_DISPATCH(run_row)(row, plan, counts);
}

}  // namespace guardbit::kernels
#endif  // HWY_ONCE
