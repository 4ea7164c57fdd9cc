// Rounding of binary32 sums to p <= 11 bits by dropping the low bits of their codes, in the modes other than to nearest
// even. Targets with fused multiply-add. Included once per Highway target.
#if defined(GUARDBIT_FLOAT_GEMM_DROP_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GUARDBIT_FLOAT_GEMM_DROP_INL
#undef GUARDBIT_FLOAT_GEMM_DROP_INL
#else
#define GUARDBIT_FLOAT_GEMM_DROP_INL
#endif

#include "models/kernels/float_gemm_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

/// Dropping bits truncates the magnitude. What is added below the kept bits first decides: a carry out of there is the
/// step up. Exact sums, whose low bits are zeros, stay. Subnormals of the format are exact sums where none underflows;
/// in the scaled domain they are binary32's, whose last place is fixed as theirs is.
template <NarrowRounding::Mode kMode>
HWY_INLINE SingleVector drop_bits(SingleVector s, WordVector random, WordVector keep_mask) {
  using Mode = NarrowRounding::Mode;
  const WordTag du;
  const auto ones = hn::Not(keep_mask);
  auto code = hn::BitCast(du, s);
  if constexpr (kMode == Mode::kStochastic) code = hn::Add(code, random);
  if constexpr (kMode == Mode::kAway) code = hn::Add(code, hn::Sub(ones, hn::ShiftRight<1>(ones)));  // half a place
  if constexpr (kMode == Mode::kUp || kMode == Mode::kDown) {
    const hn::RebindToSigned<WordTag> di;
    const auto negative = hn::BitCast(du, hn::ShiftRight<31>(hn::BitCast(di, code)));
    code = hn::Add(code, kMode == Mode::kUp ? hn::AndNot(negative, ones) : hn::And(negative, ones));
  }
  // The sum carries into the last kept bit if any dropped bit is set.
  if constexpr (kMode == Mode::kOdd) code = hn::Or(code, hn::Add(hn::And(code, ones), ones));
  return hn::BitCast(SingleTag(), hn::And(code, keep_mask));
}

#if HWY_TARGET <= HWY_AVX3

/// a*b + c rounded to 24 bits in the direction of the mode, or truncated: rounding that once more in the same direction
/// rounds the exact sum. Random bits too see the truncated sum only.
template <NarrowRounding::Mode kMode>
HWY_INLINE SingleVector fused_directed(SingleVector a, SingleVector b, SingleVector c) {
  using Mode = NarrowRounding::Mode;
  static_assert(kMode != Mode::kNearest && kMode != Mode::kAway && kMode != Mode::kOdd);
  if constexpr (kMode == Mode::kUp) return fused_up(a, b, c);
  if constexpr (kMode == Mode::kDown) return fused_down(a, b, c);
  return fused_truncated(a, b, c);
}

/// fused_odd() with the mode's exact zero sums.
template <NarrowRounding::Mode kMode>
HWY_INLINE SingleVector fused_odd_in(SingleVector a, SingleVector b, SingleVector c) {
  const auto odd = fused_odd(a, b, c);
  if constexpr (kMode != NarrowRounding::Mode::kDown) return odd;
  const auto sign = hn::BitCast(SingleTag(), hn::Set(WordTag(), 0x80000000u));
  return hn::Or(odd, hn::And(fused_down(a, b, c), sign));  // the signs differ for (-0, +0) only
}

#endif
#endif

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
