// Binary32 lanes of the fast float GEMM kernels: directed sums and event counters. Targets with fused multiply-add.
// Included once per Highway target.
#if defined(GUARDBIT_FLOAT_GEMM_LANES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GUARDBIT_FLOAT_GEMM_LANES_INL
#undef GUARDBIT_FLOAT_GEMM_LANES_INL
#else
#define GUARDBIT_FLOAT_GEMM_LANES_INL
#endif

#include <algorithm>

#include "hwy/highway.h"
#include "models/kernels/float_gemm_plan.h"
#include "models/kernels/float_gemm_steps.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

namespace hn = hwy::HWY_NAMESPACE;

using SingleTag = hn::ScalableTag<float>;
using WordTag = hn::RebindToUnsigned<SingleTag>;
using SingleVector = hn::Vec<SingleTag>;
using WordVector = hn::Vec<WordTag>;
using SingleMask = hn::Mask<SingleTag>;

// The accumulators of kRowsAtOnce rows x 2 vectors stay in registers.
inline constexpr std::size_t kRowsAtOnce = HWY_TARGET <= HWY_AVX3 ? 8 : 4;

/// counter + 1 where the mask is set. Masks are counted in vectors: g++ 12 miscompiles population counts of spilled
/// mask registers.
HWY_INLINE WordVector counted(WordVector counter, SingleMask mask) {
  const WordTag du;
#if HWY_TARGET <= HWY_AVX3
  return WordVector{_mm512_mask_sub_epi32(counter.raw, mask.raw, counter.raw, _mm512_set1_epi32(-1))};
#else
  return hn::Sub(counter, hn::VecFromMask(du, hn::RebindMask(du, mask)));
#endif
}

/// Counters of all outputs of the tile together: 32 bits a lane, at most 8 * 2 * (chunk length) before add_to().
struct StepLanes {
  WordVector inexact, swamped, underflow, flushed, doubtful, overflow;

  HWY_INLINE StepLanes() { inexact = swamped = underflow = flushed = doubtful = overflow = hn::Zero(WordTag()); }

  static HWY_INLINE std::uint64_t total(WordVector counter) {
    HWY_ALIGN std::uint32_t lanes[HWY_LANES(std::uint32_t)];
    hn::Store(counter, WordTag(), lanes);
    std::uint64_t sum = 0;
    for (const std::uint32_t lane : lanes) sum += lane;
    return sum;
  }
  HWY_INLINE void add_to(StepCounts& counts) const {
    counts.inexact += total(inexact);
    counts.swamped += total(swamped);
    counts.underflow += total(underflow);
    counts.flushed += total(flushed);
  }
};

/// Larger magnitude; a NaN x is ignored.
HWY_INLINE SingleVector max_magnitude(SingleVector magnitude, SingleVector x) {
#if HWY_TARGET <= HWY_AVX3
  constexpr int kMaxOfMagnitudesPositive = 0x0B;
  return SingleVector{_mm512_range_ps(magnitude.raw, x.raw, kMaxOfMagnitudesPositive)};
#else
  return hn::Max(hn::Abs(x), magnitude);  // of a NaN and a number, x86 takes the second
#endif
}

/// NarrowRounding in vectors, and the largest sum so far.
struct NarrowLanes {
  HWY_INLINE explicit NarrowLanes(const NarrowRounding& r, float scale = 1)
      : spread(hn::Set(SingleTag(), r.spread)),
        spread_exponent(hn::Set(WordTag(), r.spread_exponent)),
        least_grid(hn::Set(SingleTag(), 1.5F * r.min_normal)),
        tiny_threshold(hn::Set(SingleTag(), r.tiny_threshold * scale)),
        max_finite(hn::Set(SingleTag(), r.max_finite * scale)),
        keep_mask(hn::Set(WordTag(), r.keep_mask)),
        largest(hn::Zero(SingleTag())) {}
  SingleVector spread;
  WordVector spread_exponent;
  SingleVector least_grid, tiny_threshold, max_finite;
  WordVector keep_mask;
  SingleVector largest;
};

// Rounding s to p <= 11 bits, to nearest, ties to even. With d = 24 - p, m = s * 2^d is exact, and a multiple of s's
// quantum, which is the ulp of m's binade; t = m - s, rounded to binary32, is a multiple of it too, and so
// m - t, which is exact, is s rounded to a multiple of its quantum:
//   ties            s is half a quantum off the grid, so its 24-bit significand, which is m in quanta, is a multiple of
//                   2^(d-1): m is even, and t is even exactly if m - t is
//   next binade     |m - s| lies below m's binade only if |s| is within 2^(e-d) of the power of two 2^e below it, which
//                   is less than a quarter of a quantum since d >= p + 2; t, now rounded to a multiple of half a
//                   quantum, is m - 2^e
// |s| < 2^104 keeps m finite (d <= 22). A sum below 2^emin that is a multiple of the format's quantum has less than p
// bits: rounding to p bits leaves it, and where it is a binary32 subnormal, t has at most 23 bits and is exact.

/// Where no sum underflows and no result is -0.
HWY_INLINE SingleVector round_plain(SingleVector s, const NarrowLanes& lanes) {
  return hn::MulSub(s, lanes.spread, hn::MulSub(s, lanes.spread, s));
}

/// The same on other ports: one more operation, but two fused ones less. A zero or subnormal s has another m here, of
/// the binade of 2^(d-127), whose ulp divides s: s remains.
HWY_INLINE SingleVector round_plain_by_sums(SingleVector s, const NarrowLanes& lanes) {
  const auto m = hn::BitCast(SingleTag(), hn::Add(hn::BitCast(WordTag(), s), lanes.spread_exponent));
  return hn::Sub(m, hn::Sub(m, s));
}

/// Everywhere: m is at least 1.5 * 2^emin * 2^d, in the binade whose ulp is the format's quantum and even in it, and
/// has the sign of s, as the result gets. |s| below 1.5 * 2^emin leaves t in that binade.
HWY_INLINE SingleVector round_gradually(SingleVector s, const NarrowLanes& lanes) {
  const SingleTag d;
  const auto sign = hn::BitCast(d, hn::Set(WordTag(), 0x80000000u));
#if HWY_TARGET <= HWY_AVX3
  constexpr int kMaxOfMagnitudesSigned = 0x03;
  const SingleVector grid{_mm512_range_ps(s.raw, lanes.least_grid.raw, kMaxOfMagnitudesSigned)};
  const auto rounded = hn::MulSub(grid, lanes.spread, hn::MulSub(grid, lanes.spread, s));
#else
  const auto magnitude = hn::Abs(s);
  const auto grid = hn::Max(magnitude, lanes.least_grid);
  const auto rounded = hn::MulSub(grid, lanes.spread, hn::MulSub(grid, lanes.spread, magnitude));
#endif
  return hn::OrAnd(rounded, s, sign);
}

template <bool kPlain>
HWY_INLINE SingleVector round_nearest(SingleVector s, const NarrowLanes& lanes) {
  return kPlain ? round_plain(s, lanes) : round_gradually(s, lanes);
}

#if HWY_TARGET <= HWY_AVX3
HWY_INLINE SingleVector fused_down(SingleVector a, SingleVector b, SingleVector c) {
  return SingleVector{_mm512_fmadd_round_ps(a.raw, b.raw, c.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
}
HWY_INLINE SingleVector fused_up(SingleVector a, SingleVector b, SingleVector c) {
  return SingleVector{_mm512_fmadd_round_ps(a.raw, b.raw, c.raw, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC)};
}
HWY_INLINE SingleVector fused_truncated(SingleVector a, SingleVector b, SingleVector c) {
  return SingleVector{_mm512_fmadd_round_ps(a.raw, b.raw, c.raw, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)};
}

/// a*b + c rounded to odd at 24 bits. The two directed sums are equal, or neighbours; neighbours have different last
/// bits, and the smaller code is the truncation. (-0, +0), an exact zero sum, becomes +0.
HWY_INLINE SingleVector fused_odd(SingleVector a, SingleVector b, SingleVector c) {
  constexpr int kOrOfAnd = 0xF8;  // A | (B & C)
  const __m512i low = _mm512_castps_si512(fused_down(a, b, c).raw);
  const __m512i high = _mm512_castps_si512(fused_up(a, b, c).raw);
  const __m512i truncated = _mm512_min_epu32(low, high);
  const __m512i different = _mm512_xor_si512(low, high);
  return SingleVector{
      _mm512_castsi512_ps(_mm512_ternarylogic_epi32(truncated, different, _mm512_set1_epi32(1), kOrOfAnd))};
}

/// Comparisons that hold where a mask is set.
HWY_INLINE SingleMask and_equal(SingleMask mask, SingleVector x, SingleVector y) {
  return SingleMask{_mm512_mask_cmp_ps_mask(mask.raw, x.raw, y.raw, _CMP_EQ_OQ)};
}
HWY_INLINE SingleMask and_different(SingleMask mask, SingleVector x, SingleVector y) {
  return SingleMask{_mm512_mask_cmp_ps_mask(mask.raw, x.raw, y.raw, _CMP_NEQ_OQ)};
}
HWY_INLINE SingleMask and_less(SingleMask mask, SingleVector x, SingleVector y) {
  return SingleMask{_mm512_mask_cmp_ps_mask(mask.raw, x.raw, y.raw, _CMP_LT_OQ)};
}
#endif

#endif

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
