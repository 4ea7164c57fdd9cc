// Conversions of the aligned float GEMM kernel. Targets with fused multiply-add. Included once per Highway target.
#if defined(GUARDBIT_FLOAT_GEMM_ALIGNED_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GUARDBIT_FLOAT_GEMM_ALIGNED_INL
#undef GUARDBIT_FLOAT_GEMM_ALIGNED_INL
#else
#define GUARDBIT_FLOAT_GEMM_ALIGNED_INL
#endif

#include "models/kernels/float_gemm_aligned.h"
#include "models/kernels/float_gemm_lanes-inl.h"
#include "models/kernels/float_gemm_round-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

using IntegerTag = hn::RebindToSigned<SingleTag>;
using IntegerVector = hn::Vec<IntegerTag>;
using WideTag = hn::Repartition<double, SingleTag>;
using WideVector = hn::Vec<WideTag>;

/// 2^max(floor(log2 |x|), emin) of operands, 0 for zeros; `least` is 2^emin.
HWY_INLINE SingleVector power_of(SingleVector x, SingleVector least) {
  const SingleTag d;
  const auto field = hn::BitCast(d, hn::Set(WordTag(), 0x7F800000u));
  return hn::IfThenZeroElse(hn::Eq(x, hn::Zero(d)), hn::Max(hn::And(x, field), least));
}

/// A term below 2^31 quanta as an integer of them.
template <bool kFloor>
HWY_INLINE IntegerVector to_quanta(SingleVector term) {
#if HWY_TARGET <= HWY_AVX3
  if (kFloor) {
    return IntegerVector{_mm512_cvt_roundps_epi32(term.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
  }
  return IntegerVector{_mm512_cvttps_epi32(term.raw)};
#else
  if (kFloor) return IntegerVector{_mm256_cvttps_epi32(_mm256_floor_ps(term.raw))};
  return IntegerVector{_mm256_cvttps_epi32(term.raw)};
#endif
}

/// A sum in binary32, rounded to nearest or truncated.
template <bool kNearest>
HWY_INLINE SingleVector to_single(IntegerVector sum) {
#if HWY_TARGET <= HWY_AVX3
  constexpr int kMode = (kNearest ? _MM_FROUND_TO_NEAREST_INT : _MM_FROUND_TO_ZERO) | _MM_FROUND_NO_EXC;
  return SingleVector{_mm512_cvt_roundepi32_ps(sum.raw, kMode)};
#else
  if (kNearest) return SingleVector{_mm256_cvtepi32_ps(sum.raw)};
  // Exact in binary64; the 29 bits that binary32 does not have are cut off there.
  const __m256d mask = _mm256_castsi256_pd(_mm256_set1_epi64x(-(1ll << 29)));
  const auto truncated = [&](__m128i half)
                             HWY_ATTR { return _mm256_cvtpd_ps(_mm256_and_pd(_mm256_cvtepi32_pd(half), mask)); };
  return SingleVector{
      _mm256_set_m128(truncated(_mm256_extracti128_si256(sum.raw, 1)), truncated(_mm256_castsi256_si128(sum.raw)))};
#endif
}

/// acc + sum * quantum, rounded once to binary32 or truncated to the bits kept. The sum of the two in binary64 is
/// rounded to odd; it is a multiple of 2^-118, so that the result is normal.
template <bool kNearest>
HWY_INLINE SingleVector add_sum(SingleVector acc, IntegerVector sum, SingleVector quantum, WordVector keep,
                                WordVector& inexact) {
  const SingleTag d;
  const WideTag dw;
  const hn::Half<SingleTag> dh;
  const hn::RebindToUnsigned<WideTag> du;
  // The code of a binary64 number has 29 more bits below.
  const auto mask = hn::Set(du, ~std::uint64_t{0} << (29 + std::countr_zero(hn::GetLane(keep))));
  const auto half = [&](auto acc_half, auto sum_half, auto quantum_half, WideVector& exact) HWY_ATTR {
    const auto addend = hn::Mul(hn::PromoteTo(dw, sum_half), hn::PromoteTo(dw, quantum_half));
    exact = add_to_odd<numerics::RoundingMode::kTiesToEven>(hn::PromoteTo(dw, acc_half), addend);
    return hn::DemoteTo(dh, kNearest ? exact : hn::BitCast(dw, hn::And(hn::BitCast(du, exact), mask)));
  };
  WideVector exact[2];
  const auto low = half(hn::LowerHalf(dh, acc), hn::LowerHalf(sum), hn::LowerHalf(dh, quantum), exact[0]);
  const auto high =
      half(hn::UpperHalf(dh, acc), hn::UpperHalf(hn::Half<IntegerTag>(), sum), hn::UpperHalf(dh, quantum), exact[1]);
  HWY_ALIGN std::uint32_t differs[HWY_LANES(float)];
  const hn::Rebind<std::int32_t, WideTag> di;
  const auto note = [&](auto result, WideVector value, std::uint32_t* to) HWY_ATTR {
    const auto is_inexact = hn::IfThenElseZero(hn::Ne(hn::PromoteTo(dw, result), value), hn::Set(dw, 1.0));
    hn::Store(hn::DemoteTo(di, is_inexact), di, reinterpret_cast<std::int32_t*>(to));
  };
  note(low, exact[0], differs);
  note(high, exact[1], differs + hn::Lanes(dw));
  inexact = hn::Load(WordTag(), differs);
  return hn::Combine(d, high, low);
}

#endif

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
