/// outer = round(outer + scale * sum) for the lanes of a tile: the vector forms of OuterMethod. Included once for each
/// Highway target by int_gemm_tile.cpp; everything here has internal linkage.
///
/// In all of them the accumulator and the scale are finite and nothing overflows, or *within_range becomes false.
#if defined(GUARDBIT_INT_GEMM_OUTER_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef GUARDBIT_INT_GEMM_OUTER_INL_H_
#undef GUARDBIT_INT_GEMM_OUTER_INL_H_
#else
#define GUARDBIT_INT_GEMM_OUTER_INL_H_
#endif

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// Counts of one chunk of a tile.
struct OuterCounts {
  std::uint64_t inexact = 0;
  std::uint64_t swamped = 0;
  std::uint64_t underflow = 0;
  std::uint64_t flushed = 0;
  bool within_range = true;
};

template <class D>
HWY_INLINE std::uint64_t sum_lanes(D d, hn::Vec<D> counts) {
  HWY_ALIGN hn::TFromD<D> lanes[HWY_MAX_BYTES / sizeof(hn::TFromD<D>)];
  hn::Store(counts, d, lanes);
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) sum += static_cast<std::uint64_t>(lanes[i]);
  return sum;
}

/// a + b rounded to odd in binary64.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V add_to_odd(D d, V a, V b) {
  const hn::RebindToSigned<D> di;
#if HWY_TARGET == HWY_AVX3
  // Of the sums rounded down and up, which are equal or neighbours, the lower magnitude is the truncated one, and an
  // inexact truncated sum gets its last bit set. Exact zeros: down gives -0, up +0, the lower code is +0.
  const auto down = hn::BitCast(di, V{_mm512_add_round_pd(a.raw, b.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)});
  const auto up = hn::BitCast(di, V{_mm512_add_round_pd(a.raw, b.raw, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)});
  const hn::Vec<decltype(di)> truncated{_mm512_min_epu64(down.raw, up.raw)};
  return hn::BitCast(d, hn::Or(truncated, hn::And(hn::Xor(down, up), hn::Set(di, 1))));
#else
  // TwoSum; an even inexact sum moves by one code towards the error.
  const auto sum = hn::Add(a, b);
  const auto b_virtual = hn::Sub(sum, a);
  const auto error = hn::Add(hn::Sub(a, hn::Sub(sum, b_virtual)), hn::Sub(b, b_virtual));
  const auto bits = hn::BitCast(di, sum);
  const auto is_even = hn::Eq(hn::And(bits, hn::Set(di, 1)), hn::Zero(di));
  const auto is_exact = hn::Eq(hn::BitCast(di, hn::Abs(error)), hn::Zero(di));
  const auto signs_differ = hn::Lt(hn::Xor(bits, hn::BitCast(di, error)), hn::Zero(di));
  const auto step = hn::IfThenElse(signs_differ, hn::Set(di, -1), hn::Set(di, 1));
  return hn::BitCast(d, hn::Add(bits, hn::IfThenElseZero(hn::AndNot(is_exact, is_even), step)));
#endif
}

/// OuterMethod::kFp64. scale * sum is exact (IntGemmPlan), 53 >= p + 2 lets the odd sum be rounded again, and adding
/// 1.5 * 2^(53-p) times its power of two (at least 2^emin) rounds it to ulp_p, ties to even.
template <bool kCount>
HWY_INLINE OuterCounts promote_fp64(const IntGemmPlan& plan, float scale, const std::int32_t* HWY_RESTRICT sums,
                                    float* HWY_RESTRICT outer, std::size_t num_outputs) {
  const hn::ScalableTag<double> d;
  const hn::RebindToSigned<decltype(d)> di;
  const hn::Rebind<float, decltype(d)> df;
  const hn::Rebind<std::int32_t, decltype(d)> di32;
  const auto factor = hn::Set(d, static_cast<double>(scale));
  const auto exponent_field = hn::BitCast(d, hn::Set(di, std::int64_t{0x7FF} << 52));
  const auto min_normal = hn::Set(d, static_cast<double>(plan.min_normal));
  const auto max_finite = hn::Set(d, static_cast<double>(plan.max_finite));
  const auto tiny_below = hn::Set(d, plan.tiny_below);
  const auto magic = hn::Set(d, std::ldexp(1.5, 53 - plan.precision_bits));
  const auto zero = hn::Zero(d);
  auto inexact = hn::Zero(di);
  auto swamped = hn::Zero(di);
  auto underflow = hn::Zero(di);
  auto flushed = hn::Zero(di);
  auto largest = hn::Zero(d);
  const auto ones = [&](auto mask) HWY_ATTR { return hn::BitCast(di, hn::VecFromMask(d, mask)); };
  for (std::size_t i = 0; i < num_outputs; i += hn::Lanes(d)) {
    const auto product = hn::Mul(hn::PromoteTo(d, hn::Load(di32, sums + i)), factor);
    const auto old = hn::PromoteTo(d, hn::Load(df, outer + i));
    const auto odd = add_to_odd(d, old, product);
    const auto shift = hn::Mul(hn::Max(hn::And(odd, exponent_field), min_normal), magic);
    const auto result = hn::CopySign(hn::Sub(hn::Add(odd, shift), shift), odd);
    // Binary64 has room for every finite result here, so no NaN hides an overflow.
    largest = hn::Max(largest, hn::Abs(result));
    if constexpr (kCount) {
      const auto differs = hn::Ne(result, odd);
      const auto is_zero = hn::Eq(result, zero);
      inexact = hn::Sub(inexact, ones(differs));
      underflow = hn::Sub(underflow, ones(hn::And(differs, hn::Lt(hn::Abs(odd), tiny_below))));
      flushed = hn::Sub(flushed, ones(hn::And(differs, is_zero)));
      swamped = hn::Sub(swamped, ones(hn::And(hn::AndNot(is_zero, hn::Eq(result, old)), hn::Ne(product, zero))));
    }
    hn::Store(hn::DemoteTo(df, result), df, outer + i);
  }
  return {sum_lanes(di, inexact), sum_lanes(di, swamped), sum_lanes(di, underflow), sum_lanes(di, flushed),
          hn::AllTrue(d, hn::Le(largest, max_finite))};
}

#if HWY_TARGET == HWY_AVX3

using FloatTag = hn::ScalableTag<float>;
using IntTag = hn::RebindToSigned<FloatTag>;
using FloatVector = hn::Vec<FloatTag>;
using IntVector = hn::Vec<IntTag>;

HWY_INLINE FloatVector fma_down(FloatVector a, FloatVector b, FloatVector c) {
  return FloatVector{_mm512_fmadd_round_ps(a.raw, b.raw, c.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
HWY_INLINE FloatVector fma_up(FloatVector a, FloatVector b, FloatVector c) {
  return FloatVector{_mm512_fmadd_round_ps(a.raw, b.raw, c.raw, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)};
}

/// Masks are counted by vector subtraction: g++ 12 miscompiles population counts of spilled mask registers.
template <class Mask>
HWY_INLINE IntVector count(IntVector counts, Mask mask) {
  const FloatTag d;
  const IntTag di;
  return hn::Sub(counts, hn::BitCast(di, hn::VecFromMask(d, mask)));
}

/// OuterMethod::kFp32Fused: sums are exact in binary32, so one fused multiply-add is one rounding of the exact result;
/// it is inexact iff its roundings down and up differ. A non-finite result stays non-finite.
template <bool kCount>
HWY_INLINE OuterCounts promote_fp32(float scale, const std::int32_t* HWY_RESTRICT sums, float* HWY_RESTRICT outer,
                                    std::size_t num_outputs) {
  const FloatTag d;
  const IntTag di;
  const auto factor = hn::Set(d, scale);
  const auto zero = hn::Zero(d);
  auto inexact = hn::Zero(di);
  auto swamped = hn::Zero(di);
  auto finite = hn::Eq(zero, zero);
  for (std::size_t i = 0; i < num_outputs; i += hn::Lanes(d)) {
    const auto sum = hn::ConvertTo(d, hn::Load(di, sums + i));
    const auto old = hn::Load(d, outer + i);
    const auto result = hn::MulAdd(sum, factor, old);
    finite = hn::And(finite, hn::IsFinite(result));
    if constexpr (kCount) {
      inexact = count(inexact, hn::Ne(fma_down(sum, factor, old), fma_up(sum, factor, old)));
      swamped = count(swamped, hn::And(hn::And(hn::Eq(result, old), hn::Ne(old, zero)), hn::Ne(sum, zero)));
    }
    hn::Store(result, d, outer + i);
  }
  return {sum_lanes(di, inexact), scale == 0 ? 0 : sum_lanes(di, swamped), 0, 0, hn::AllTrue(d, finite)};
}

/// OuterMethod::kOddWide and kOddNarrow: fused to odd in binary32, whose 24 bits are >= p + 2, then rounded to p <= 11
/// bits as an integer (binary32's own subnormals are the format's) or by a large addend (as in promote_fp64).
template <bool kCount, bool kWide>
HWY_INLINE OuterCounts promote_odd(const IntGemmPlan& plan, float scale, const std::int32_t* HWY_RESTRICT sums,
                                   float* HWY_RESTRICT outer, std::size_t num_outputs) {
  const FloatTag d;
  const IntTag di;
  const int drop_bits = 24 - plan.precision_bits;
  const auto factor = hn::Set(d, scale);
  const auto zero = hn::Zero(d);
  const auto exponent_field = hn::BitCast(d, hn::Set(di, 0x7F800000));
  const auto min_normal = hn::Set(d, plan.min_normal);
  const auto max_finite = hn::Set(d, plan.max_finite);
  const auto tiny_below = hn::Set(d, static_cast<float>(plan.tiny_below));
  const auto magic = hn::Set(d, std::ldexp(1.5F, drop_bits));
  const auto half_minus_one = hn::Set(di, (1 << (drop_bits - 1)) - 1);
  const auto keep = hn::Set(di, -(1 << drop_bits));
  const auto one = hn::Set(di, 1);
  auto inexact = hn::Zero(di);
  auto swamped = hn::Zero(di);
  auto underflow = hn::Zero(di);
  auto flushed = hn::Zero(di);
  auto within = hn::Eq(zero, zero);
  for (std::size_t i = 0; i < num_outputs; i += hn::Lanes(d)) {
    const auto sum = hn::ConvertTo(d, hn::Load(di, sums + i));
    const auto old = hn::Load(d, outer + i);
    const auto down = hn::BitCast(di, fma_down(sum, factor, old));
    const auto up = hn::BitCast(di, fma_up(sum, factor, old));
    const IntVector truncated{_mm512_min_epu32(down.raw, up.raw)};
    const auto odd_bits = hn::Or(truncated, hn::And(hn::Xor(down, up), one));
    const auto odd = hn::BitCast(d, odd_bits);
    FloatVector result;
    if constexpr (kWide) {
      const auto is_odd = hn::And(hn::ShiftRightSame(odd_bits, drop_bits), one);
      result = hn::BitCast(d, hn::And(hn::Add(hn::Add(odd_bits, half_minus_one), is_odd), keep));
    } else {
      const auto binade = hn::Max(hn::And(odd, exponent_field), min_normal);
      result = hn::CopySign(hn::NegMulAdd(binade, magic, hn::MulAdd(binade, magic, odd)), odd);
    }
    within = hn::And(within, hn::Le(hn::Abs(result), max_finite));
    if constexpr (kCount) {
      const auto differs = hn::Ne(result, odd);
      inexact = count(inexact, differs);
      swamped = count(swamped, hn::And(hn::And(hn::Eq(result, old), hn::Ne(old, zero)), hn::Ne(sum, zero)));
      const auto tiny = hn::And(differs, hn::Lt(hn::Abs(odd), tiny_below));
      if (!hn::AllFalse(d, tiny)) {  // a zero from something else is tiny
        underflow = count(underflow, tiny);
        flushed = count(flushed, hn::And(tiny, hn::Eq(result, zero)));
      }
    }
    hn::Store(result, d, outer + i);
  }
  return {sum_lanes(di, inexact), scale == 0 ? 0 : sum_lanes(di, swamped), sum_lanes(di, underflow),
          sum_lanes(di, flushed), hn::AllTrue(d, within)};
}

#endif  // HWY_TARGET == HWY_AVX3

template <bool kCount>
OuterCounts promote_vector(const IntGemmPlan& plan, OuterMethod method, float scale, const std::int32_t* sums,
                           float* outer, std::size_t num_outputs) {
#if HWY_TARGET == HWY_AVX3
  if (method == OuterMethod::kFp32Fused) return promote_fp32<kCount>(scale, sums, outer, num_outputs);
  if (method == OuterMethod::kOddWide) return promote_odd<kCount, true>(plan, scale, sums, outer, num_outputs);
  if (method == OuterMethod::kOddNarrow) return promote_odd<kCount, false>(plan, scale, sums, outer, num_outputs);
#endif
  (void)method;
  return promote_fp64<kCount>(plan, scale, sums, outer, num_outputs);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace guardbit::kernels
HWY_AFTER_NAMESPACE();

#endif  // include guard per target
