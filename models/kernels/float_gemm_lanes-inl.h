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
  WordVector inexact, swamped, underflow, flushed, doubtful;

  HWY_INLINE StepLanes() { inexact = swamped = underflow = flushed = doubtful = hn::Zero(WordTag()); }

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
      : magic(hn::Set(SingleTag(), r.magic)),
        min_normal(hn::Set(SingleTag(), r.min_normal)),
        tiny_threshold(hn::Set(SingleTag(), r.tiny_threshold * scale)),
        keep_mask(hn::Set(WordTag(), r.keep_mask)),
        largest(hn::Zero(SingleTag())) {}
  SingleVector magic, min_normal, tiny_threshold;
  WordVector keep_mask;
  SingleVector largest;
};

/// Nearest multiple of the quantum of s's binade, ties to even: s + binade * magic has an ulp of one quantum, and the
/// difference is exact. |s| < 2^110 keeps it finite. Where subnormal results are possible (not plain), the binade is at
/// least min_normal's and zeros keep their sign; else they are exact sums, to which a smaller quantum does nothing.
template <bool kPlain>
HWY_INLINE SingleVector round_nearest(SingleVector s, const NarrowLanes& lanes) {
  const SingleTag d;
  auto binade = hn::And(s, hn::BitCast(d, hn::Set(WordTag(), 0x7F800000u)));
  if (!kPlain) binade = hn::Max(binade, lanes.min_normal);
  const auto rounded = hn::NegMulAdd(binade, lanes.magic, hn::MulAdd(binade, lanes.magic, s));
  if (kPlain) return rounded;
  return hn::Or(rounded, hn::And(s, hn::BitCast(d, hn::Set(WordTag(), 0x80000000u))));
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
  constexpr int kXorThenAnd = 0x28;  // (A ^ B) & C
  const __m512i low = _mm512_castps_si512(fused_down(a, b, c).raw);
  const __m512i high = _mm512_castps_si512(fused_up(a, b, c).raw);
  const __m512i sticky = _mm512_ternarylogic_epi32(low, high, _mm512_set1_epi32(1), kXorThenAnd);
  return SingleVector{_mm512_castsi512_ps(_mm512_or_si512(_mm512_min_epu32(low, high), sticky))};
}
#endif

#endif

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
