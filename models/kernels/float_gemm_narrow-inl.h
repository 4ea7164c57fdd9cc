// One step of the sequential kernel of p <= 11 bits, on one vector of outputs. Targets with fused multiply-add.
// Included once per Highway target.
#if defined(GUARDBIT_FLOAT_GEMM_NARROW_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GUARDBIT_FLOAT_GEMM_NARROW_INL
#undef GUARDBIT_FLOAT_GEMM_NARROW_INL
#else
#define GUARDBIT_FLOAT_GEMM_NARROW_INL
#endif

#include "models/kernels/float_gemm_drop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

using Mode = NarrowRounding::Mode;

/// How the exact sum a*b + c becomes a binary32 s that rounds to p bits as the exact sum does.
enum class Sum {
  kFused,     ///< nearest binary32: exact where NarrowRounding::fused_is_exact
  kOdd,       ///< rounded to odd: always exact, since 24 >= p + 2; s differs from the result iff the sum does
  kDirected,  ///< fused_directed(): enough where the rounding is directed, or by chance
};

/// A variant of the kernel. kClamps: results beyond the largest finite value become that value, and are counted.
template <Mode kMode_, Sum kSum_, StepCounting kCounting_, bool kPlain_, bool kClamps_ = false>
struct Variant {
  static constexpr Mode kMode = kMode_;
  static constexpr Sum kSum = kSum_;
  static constexpr StepCounting kCounting = kCounting_;
  static constexpr bool kPlain = kPlain_;
  static constexpr bool kClamps = kClamps_;
  /// Plain: a non-zero addend to zero gives something else than zero, so steps that leave the accumulator as it is are
  /// the swamped ones and those whose product is zero, which are known beforehand.
  static constexpr bool kCountsUnchanged = kCounting_ == StepCounting::kSwamped && kPlain_;
  static constexpr bool kNeedsProducts = kCounting_ == StepCounting::kSwamped && !kPlain_;
};

/// One vector of outputs in one step.
struct StepInput {
  SingleVector a, b, c;
  WordVector random;         ///< kStochastic only
  SingleMask b_is_non_zero;  ///< kNeedsProducts and Zeros::kSome only
};

/// Whether some operand of a step is zero; if not, no product is.
enum class Zeros { kNone, kSome };

#if HWY_TARGET <= HWY_AVX3
template <class V, Zeros kZeros>
HWY_INLINE void count_events(const StepInput& in, SingleVector s, SingleVector r, const NarrowLanes& lanes,
                             StepLanes& n) {
  const auto zero = hn::Zero(SingleTag());
  if constexpr (V::kNeedsProducts) {
    auto unchanged = hn::Eq(r, in.c);
    if constexpr (kZeros == Zeros::kSome) {
      unchanged = and_equal(and_different(in.b_is_non_zero, in.a, zero), r, in.c);
    }
    n.swamped = counted(n.swamped, and_different(unchanged, r, zero));
  } else if constexpr (V::kCounting == StepCounting::kInexact || V::kCounting == StepCounting::kAll) {
    const auto inexact = hn::Ne(r, s);
    n.inexact = counted(n.inexact, inexact);
    const auto unchanged = and_equal(inexact, r, in.c);
    if constexpr (V::kCounting == StepCounting::kInexact) {
      n.swamped = counted(n.swamped, unchanged);  // an inexact sum is normal here, and so is the c that equals it
    } else {
      n.swamped = counted(n.swamped, and_different(unchanged, in.c, zero));
      n.flushed = counted(n.flushed, and_equal(inexact, r, zero));
      n.underflow = counted(n.underflow, and_less(inexact, hn::Abs(s), lanes.tiny_threshold));
    }
  }
}
#endif

/// kBySums: the vectors of a tile take turns in how they round, which keeps more of the CPU's ports busy.
template <class V, Zeros kZeros, bool kBySums>
HWY_INLINE SingleVector narrow_step(const StepInput& in, const NarrowLanes& lanes, StepLanes& n) {
#if HWY_TARGET <= HWY_AVX3
  SingleVector s;
  if constexpr (V::kSum == Sum::kFused) s = hn::MulAdd(in.a, in.b, in.c);
  if constexpr (V::kSum == Sum::kOdd) s = fused_odd_in<V::kMode>(in.a, in.b, in.c);
  if constexpr (V::kSum == Sum::kDirected) s = fused_directed<V::kMode>(in.a, in.b, in.c);
#else
  static_assert(V::kSum == Sum::kFused, "directed sums need embedded rounding");
  const auto s = hn::MulAdd(in.a, in.b, in.c);
#endif
  SingleVector r;
  if constexpr (V::kMode == Mode::kNearest) {
    r = V::kPlain && kBySums ? round_plain_by_sums(s, lanes) : round_nearest<V::kPlain>(s, lanes);
  } else {
    r = drop_bits<V::kMode>(s, in.random, lanes.keep_mask);
  }
#if HWY_TARGET <= HWY_AVX3
  if constexpr (V::kClamps) {
    constexpr int kMinOfMagnitudesSigned = 0x02;
    const SingleVector clamped{_mm512_range_ps(r.raw, lanes.max_finite.raw, kMinOfMagnitudesSigned)};
    n.overflow = counted(n.overflow, hn::Ne(clamped, r));
    r = clamped;
  }
#endif
  if constexpr (V::kCountsUnchanged) {
    n.swamped = counted(n.swamped, hn::Eq(r, in.c));
  } else if constexpr (V::kCounting != StepCounting::kNone) {
#if HWY_TARGET <= HWY_AVX3
    count_events<V, kZeros>(in, s, r, lanes, n);
#endif
  }
  return r;
}

template <class V>
HWY_INLINE WordVector random_of(const StepRange& range, std::size_t k, std::size_t row, std::size_t col) {
  const WordTag du;
  if constexpr (V::kMode != Mode::kStochastic) return hn::Zero(du);
  return hn::Xor(hn::LoadU(du, range.b_random + k * kTileCols + col), hn::Set(du, range.a_random[k * kTileRows + row]));
}

#endif

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
