#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/hadamard.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h must come before highway.h.
#include <hwy/aligned_allocator.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "models/kernels/float_environment.h"
#include "models/kernels/hadamard.h"
#include "models/kernels/hadamard_plan.h"
#include "models/kernels/scalar_rounder.h"
#include "models/numerics/check.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::ScalableTag<float>;
using IntTag = hn::RebindToSigned<FloatTag>;
using FloatVector = hn::Vec<FloatTag>;

/// All stages of one row, x[0 .. n), n a multiple of the lanes, of which there are 2 to 16. `sum(a, b)` is the rounded
/// sum. A lane of an in-vector stage has the sum or, where its bit h is set, partner - own = partner + (-own).
template <class Sum>
HWY_INLINE void transform(float* HWY_RESTRICT x, std::size_t n, const Sum& sum) {
  const FloatTag d;
  const IntTag di;
  const std::size_t lanes = hn::Lanes(d);
  const auto lane = hn::Iota(di, 0);
  const auto cross = [&](FloatVector v, int h) HWY_ATTR {
    const auto bit = hn::Set(di, h);
    const auto partner = hn::TableLookupLanes(v, hn::IndicesFromVec(d, hn::Xor(lane, bit)));
    const auto sign = hn::IfThenElseZero(hn::Ne(hn::And(lane, bit), hn::Zero(di)), hn::Set(di, INT32_MIN));
    return sum(partner, hn::Xor(v, hn::BitCast(d, sign)));
  };
  for (std::size_t i = 0; i < n; i += lanes) {
    auto v = cross(hn::Load(d, x + i), 1);
    if (lanes > 2) v = cross(v, 2);
    if (lanes > 4) v = cross(v, 4);
    if (lanes > 8) v = cross(v, 8);
    hn::Store(v, d, x + i);
  }
  std::size_t h = lanes;
  if (std::countr_zero(n / lanes) % 2 == 1) {
    for (std::size_t base = 0; base < n; base += 2 * h) {
      for (std::size_t i = base; i < base + h; i += lanes) {
        const auto a = hn::Load(d, x + i);
        const auto b = hn::Load(d, x + i + h);
        hn::Store(sum(a, b), d, x + i);
        hn::Store(sum(a, hn::Neg(b)), d, x + i + h);
      }
    }
    h *= 2;
  }
  for (; h < n; h *= 4) {  // two stages for each load and store
    for (std::size_t base = 0; base < n; base += 4 * h) {
      for (std::size_t i = base; i < base + h; i += lanes) {
        const auto x0 = hn::Load(d, x + i);
        const auto x1 = hn::Load(d, x + i + h);
        const auto x2 = hn::Load(d, x + i + 2 * h);
        const auto x3 = hn::Load(d, x + i + 3 * h);
        const auto y0 = sum(x0, x1);
        const auto y1 = sum(x0, hn::Neg(x1));
        const auto y2 = sum(x2, x3);
        const auto y3 = sum(x2, hn::Neg(x3));
        hn::Store(sum(y0, y2), d, x + i);
        hn::Store(sum(y1, y3), d, x + i + h);
        hn::Store(sum(y0, hn::Neg(y2)), d, x + i + 2 * h);
        hn::Store(sum(y1, hn::Neg(y3)), d, x + i + 3 * h);
      }
    }
  }
}

/// r is a + b exactly, for p-bit a, b and their p-bit rounded sum r, p <= 11. With r = a + b + delta, r - a = b + delta
/// rounds to b and r - b = a + delta rounds to a only if |delta| <= 2^-24 of the smaller addend; but delta is a
/// multiple of the last bit of the smallest of a, b, r, so delta = 0, or r is below half the smaller addend, and then
/// the sum was exact by Sterbenz's lemma.
HWY_INLINE hn::Mask<FloatTag> is_exact(FloatVector a, FloatVector b, FloatVector r) {
  return hn::And(hn::Eq(hn::Sub(r, a), b), hn::Eq(hn::Sub(r, b), a));
}

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
    largest = hn::Max(largest, hn::And(hn::BitCast(du, hn::Load(d, x + i)), hn::Set(du, 0x7FFFFFFFu)));
  }
  return max_of_lanes(largest);
}

/// The binary32 sum s of a and b is exact: sums rounded down and up agree or, without such instructions, TwoSum has no
/// error (which is a NaN if s - a overflows, as only an inexact sum makes it).
HWY_INLINE hn::Mask<FloatTag> is_exact_fp32(FloatVector a, FloatVector b, FloatVector s) {
#if HWY_TARGET == HWY_AVX3
  (void)s;
  return hn::Eq(FloatVector{_mm512_add_round_ps(a.raw, b.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)},
                FloatVector{_mm512_add_round_ps(a.raw, b.raw, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)});
#else
  const auto b_virtual = hn::Sub(s, a);
  return hn::Eq(hn::Add(hn::Sub(a, hn::Sub(s, b_virtual)), hn::Sub(b, b_virtual)), hn::Zero(FloatTag()));
#endif
}

/// fp32: the host's addition. An overflow or an infinity leaves a non-finite element at the end, because both results
/// of a butterfly with a non-finite element are non-finite.
template <bool kCount>
HWY_NOINLINE std::uint64_t transform_fp32(float* HWY_RESTRICT x, std::size_t n) {
  const IntTag di;
  auto exact = hn::Zero(di);
  const auto sum = [&](FloatVector a, FloatVector b) HWY_ATTR {
    const auto s = hn::Add(a, b);
    if constexpr (kCount) exact = count_lanes(exact, is_exact_fp32(a, b, s));
    return s;
  };
  transform(x, n, sum);
  return kCount ? num_inexact(exact, n) : 0;
}

/// p <= 11, emin = -126: the low bits of the fp32 sum are rounded off as an integer, its subnormals are the format's.
/// Two roundings are one: 24 >= 2p + 2 (Figueroa 1995). Overflow shows as in transform_fp32.
template <bool kCount>
HWY_NOINLINE std::uint64_t transform_wide_range(float* HWY_RESTRICT x, std::size_t n, int drop_bits) {
  const FloatTag d;
  const IntTag di;
  auto exact = hn::Zero(di);
  const auto half_minus_one = hn::Set(di, (1 << (drop_bits - 1)) - 1);
  const auto keep = hn::Set(di, -(1 << drop_bits));
  const auto sum = [&](FloatVector a, FloatVector b) HWY_ATTR {
    const auto s = hn::BitCast(di, hn::Add(a, b));
    const auto is_odd = hn::And(hn::ShiftRightSame(s, drop_bits), hn::Set(di, 1));
    const auto r = hn::BitCast(d, hn::And(hn::Add(hn::Add(s, half_minus_one), is_odd), keep));
    if constexpr (kCount) exact = count_lanes(exact, is_exact(a, b, r));
    return r;
  };
  transform(x, n, sum);
  return kCount ? num_inexact(exact, n) : 0;
}

/// p <= 11 and a range well inside fp32's: adding 1.5 * 2^(24-p) times the sum's power of two (at least 2^emin) leaves
/// ulp_p(sum) as the last place of the fp32 intermediate, so that addition rounds to nearest even. *largest tells
/// whether any result left the range, if kTrack.
template <bool kCount, bool kTrack>
HWY_NOINLINE std::uint64_t transform_narrow_range(float* HWY_RESTRICT x, std::size_t n, const HadamardPlan& plan,
                                                  float* largest) {
  const FloatTag d;
  const IntTag di;
  auto exact = hn::Zero(di);
  auto max_result = hn::Zero(d);
  const auto exponent_field = hn::BitCast(d, hn::Set(di, 0x7F800000));
  const auto min_normal = hn::Set(d, plan.min_normal);
  const auto magic = hn::Set(d, std::ldexp(1.5F, 24 - plan.precision_bits));
  const auto sum = [&](FloatVector a, FloatVector b) HWY_ATTR {
    const auto s = hn::Add(a, b);
    const auto binade = hn::Max(hn::And(s, exponent_field), min_normal);
    // binade * magic is exact, fused or not.
    const auto r = hn::CopySign(hn::NegMulAdd(binade, magic, hn::MulAdd(binade, magic, s)), s);
    if constexpr (kCount) exact = count_lanes(exact, is_exact(a, b, r));
    if constexpr (kTrack) max_result = hn::Max(max_result, hn::Abs(r));
    return r;
  };
  transform(x, n, sum);
  *largest = hn::GetLane(hn::MaxOfLanes(d, max_result));
  return kCount ? num_inexact(exact, n) : 0;
}

/// x *= scale, rounded to nearest even by the same addition in binary64, where the product of two carriers is exact.
/// Adds to counts[0 .. 2]: inexact, underflow, flushed; returns false if a result left the range.
HWY_NOINLINE bool scale_row(float* HWY_RESTRICT x, std::size_t n, const HadamardPlan& plan,
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
    hn::Store(hn::DemoteTo(df, r), df, x + i);
  }
  const auto total = [&](auto lane_counts)
                         HWY_ATTR { return static_cast<std::uint64_t>(hn::GetLane(hn::SumOfLanes(di, lane_counts))); };
  counts[0] += total(inexact);
  counts[1] += total(underflow);
  counts[2] += total(flushed);
  return hn::GetLane(hn::MaxOfLanes(d, largest)) <= static_cast<double>(plan.max_finite);
}

/// x *= scale where a binary32 product is enough and no events are wanted; returns the code of the largest result.
/// fp32: the host's multiplication. Narrow range: the scale is a power of two between 2^-40 and 2^40, so that the
/// product is exact, and is rounded like a sum.
HWY_NOINLINE std::uint32_t scale_row_single(float* HWY_RESTRICT x, std::size_t n, const HadamardPlan& plan) {
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
    hn::Store(value, d, x + i);
    largest = hn::Max(largest, hn::And(hn::BitCast(du, value), hn::Set(du, 0x7FFFFFFFu)));
  }
  return max_of_lanes(largest);
}

/// Transforms one row (aligned, n >= the lanes, a power of two) or returns false, x then being undefined: the row has
/// or gets an element outside the finite range, whose events only the scalar path knows.
/// counts[0 .. 2]: inexact, underflow, flushed are added to, as far as plan.counts.
template <bool kCount>
bool transform_row_counted(float* HWY_RESTRICT x, std::size_t n, const HadamardPlan& plan, std::uint64_t* counts) {
  const std::size_t lanes = hn::Lanes(FloatTag());
  if (n < lanes || lanes < 2 || lanes > 16) return false;
  const auto max_code = std::bit_cast<std::uint32_t>(plan.max_finite);
  bool in_range = true;  // or an overflow shows in the end
  switch (plan.method) {
    case HadamardMethod::kScalar: return false;
    case HadamardMethod::kFp32: counts[0] += transform_fp32<kCount>(x, n); break;
    case HadamardMethod::kWideRange:
      if (largest_code(x, n) > max_code) return false;
      counts[0] += transform_wide_range<kCount>(x, n, 24 - plan.precision_bits);
      in_range = largest_code(x, n) <= max_code;
      break;
    case HadamardMethod::kNarrowRange: {
      const std::uint32_t largest_input = largest_code(x, n);
      if (largest_input > max_code) return false;
      // A stage at most doubles the largest magnitude, and powers of two times a value of the format round to
      // themselves.
      if (largest_input <= std::bit_cast<std::uint32_t>(plan.max_finite / static_cast<float>(n))) {
        float ignored = 0;
        counts[0] += transform_narrow_range<kCount, false>(x, n, plan, &ignored);
      } else {
        float largest = 0;
        counts[0] += transform_narrow_range<kCount, true>(x, n, plan, &largest);
        in_range = largest <= plan.max_finite && largest_code(x, n) <= max_code;
      }
      break;
    }
  }
  if (!in_range) return false;
  if (plan.scale == 1.0F) return plan.method != HadamardMethod::kFp32 || largest_code(x, n) <= max_code;
  if (!kCount && plan.scales_in_single) return scale_row_single(x, n, plan) <= max_code;
  if (plan.method == HadamardMethod::kFp32 && largest_code(x, n) > max_code) return false;
  return scale_row(x, n, plan, counts);
}

bool transform_row(float* HWY_RESTRICT x, std::size_t n, const HadamardPlan& plan, std::uint64_t* counts) {
  return plan.counts ? transform_row_counted<true>(x, n, plan, counts)
                     : transform_row_counted<false>(x, n, plan, counts);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace guardbit::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {
namespace {

using numerics::Event;

constexpr std::size_t kElementsPerTask = 32768;

/// |exact| below this is tiny, ties to even: 2^emin, less a quarter quantum if p bits decide after rounding.
double tiny_limit(const numerics::FloatSpec& spec) {
  const double min_normal = static_cast<double>(numerics::min_normal(spec.format));
  if (spec.tininess == numerics::Tininess::kBeforeRounding) return min_normal;
  return min_normal - std::ldexp(1.0, spec.format.quantum_exponent() - 2);
}

HadamardPlan plan_of(const numerics::FloatSpec& spec, float scale) {
  const numerics::FloatFormat& format = spec.format;
  HadamardPlan plan{.precision_bits = format.precision_bits(),
                    .min_normal = numerics::min_normal(format),
                    .max_finite = numerics::max_finite(format),
                    .scale = scale,
                    .tiny_below = tiny_limit(spec)};
  constexpr int kMaxShortPrecision = 11;
  constexpr int kInnerExponent = 80;  // 1.5 * 2^24 times any sum of a long row stays within binary32
  if (spec.rounding != numerics::RoundingMode::kTiesToEven || spec.flush_input || spec.flush_output ||
      !format.has_negative_zero()) {
    return plan;
  }
  if (format == numerics::kFp32) plan.method = HadamardMethod::kFp32;
  if (format.precision_bits() > kMaxShortPrecision) return plan;
  if (format.emin() == numerics::kFp32.emin() && format.has_infinity() && format.exponent_bits == 8) {
    plan.method = HadamardMethod::kWideRange;
  } else if (format.quantum_exponent() > -kInnerExponent && format.max_exponent() < kInnerExponent) {
    plan.method = HadamardMethod::kNarrowRange;
  }
  return plan;
}

/// The specification in plain loops, for everything that transform_row() does not do.
void transform_row_scalar(std::span<float> x, float scale, const ScalarRounder& rounder, EventCounts& events) {
  for (std::size_t h = 1; h < x.size(); h *= 2) {
    for (std::size_t base = 0; base < x.size(); base += 2 * h) {
      for (std::size_t i = base; i < base + h; ++i) {
        const float a = x[i];
        const float b = x[i + h];
        x[i] = rounder.add(a, b, events);
        x[i + h] = rounder.add(a, -b, events);
      }
    }
  }
  if (scale == 1.0F) return;
  const float min_normal = numerics::min_normal(rounder.spec().format);
  for (float& value : x) {
    if (rounder.spec().flush_input && value != 0 && std::fabs(value) < min_normal) {
      ++events[Event::kFlushed];
      value = std::copysign(0.0F, value);
    }
    value = rounder(product_of(value, scale), events);
  }
}

HWY_EXPORT(transform_row);

}  // namespace

void hadamard_rows(numerics::MatrixView<float> x, const FloatSpec& spec, float scale,
                   const numerics::ParallelFor& parallel_for, EventCounts& events, numerics::EventSet wanted) {
  GUARDBIT_CHECK(std::has_single_bit(x.cols), "a row has a power of two elements");
  GUARDBIT_CHECK(spec.rounding != numerics::RoundingMode::kStochastic, "butterflies are not rounded stochastically");
  GUARDBIT_CHECK(std::isfinite(scale) && scale != 0, "the scale is finite and not zero");
  HadamardPlan plan = plan_of(spec, scale);
  plan.counts = !wanted.empty();
  constexpr float kLargestScale = 0x1p40F;
  const bool is_moderate = std::fabs(scale) <= kLargestScale && std::fabs(scale) >= 1 / kLargestScale;
  int exponent;
  plan.scales_in_single =
      plan.method == HadamardMethod::kFp32 ||
      (plan.method == HadamardMethod::kNarrowRange && is_moderate && std::fabs(std::frexp(scale, &exponent)) == 0.5F);
  const ScalarRounder rounder(spec);
  const std::size_t rows_per_task = std::max<std::size_t>(1, kElementsPerTask / x.cols);
  const std::size_t num_tasks = (x.rows + rows_per_task - 1) / rows_per_task;
  std::vector<EventCounts> task_events(num_tasks);
  numerics::run_parallel(parallel_for, num_tasks, [&](std::size_t task) {
    const FloatEnvironment environment;
    const auto work = hwy::AllocateAligned<float>(x.cols);
    const std::size_t end = std::min(x.rows, (task + 1) * rows_per_task);
    for (std::size_t row = task * rows_per_task; row < end; ++row) {
      const auto load = [&] {
        if (x.col_stride == 1) {
          std::copy_n(x.row(row), x.cols, work.get());
        } else {
          for (std::size_t i = 0; i < x.cols; ++i) work[i] = x(row, i);
        }
      };
      load();
      std::array<std::uint64_t, 3> counts{};
      if (HWY_DYNAMIC_DISPATCH(transform_row)(work.get(), x.cols, plan, counts.data())) {
        task_events[task][Event::kInexact] += counts[0];
        task_events[task][Event::kUnderflow] += counts[1];
        task_events[task][Event::kFlushed] += counts[2];
      } else {
        load();
        transform_row_scalar({work.get(), x.cols}, scale, rounder, task_events[task]);
      }
      if (x.col_stride == 1) {
        std::copy_n(work.get(), x.cols, x.row(row));
      } else {
        for (std::size_t i = 0; i < x.cols; ++i) x(row, i) = work[i];
      }
    }
  });
  for (const EventCounts& counts : task_events) {
    for (std::size_t i = 0; i < numerics::kNumEvents; ++i) {
      if (wanted.has(static_cast<Event>(i))) events.counts[i] += counts.counts[i];
    }
  }
}

}  // namespace guardbit::kernels
#endif  // HWY_ONCE
