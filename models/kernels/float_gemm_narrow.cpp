#include "models/kernels/float_gemm_steps.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/float_gemm_narrow.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "models/kernels/float_gemm_drop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2  // has fused multiply-add

using Mode = NarrowRounding::Mode;

/// How the exact sum a*b + c becomes a binary32 s that rounds to p bits as the exact sum does.
enum class Sum {
  kFused,     ///< nearest binary32: exact where NarrowRounding::fused_is_exact
  kOdd,       ///< rounded to odd: always exact, since 24 >= p + 2; s differs from the result iff the sum does
  kDirected,  ///< fused_directed(): enough where the rounding is directed, or by chance
};

/// A variant of the kernel.
template <Mode kMode_, Sum kSum_, StepCounting kCounting_, bool kPlain_, bool kBounded_>
struct Variant {
  static constexpr Mode kMode = kMode_;
  static constexpr Sum kSum = kSum_;
  static constexpr StepCounting kCounting = kCounting_;
  static constexpr bool kPlain = kPlain_;
  static constexpr bool kBounded = kBounded_;
};

template <class V>
HWY_INLINE SingleVector narrow_step(SingleVector a, SingleVector b, SingleVector c, WordVector random,
                                    NarrowLanes& lanes, StepLanes& n) {
  const SingleTag d;
#if HWY_TARGET <= HWY_AVX3
  SingleVector s;
  if constexpr (V::kSum == Sum::kFused) s = hn::MulAdd(a, b, c);
  if constexpr (V::kSum == Sum::kOdd) s = fused_odd_in<V::kMode>(a, b, c);
  if constexpr (V::kSum == Sum::kDirected) s = fused_directed<V::kMode>(a, b, c);
#else
  static_assert(V::kSum == Sum::kFused, "directed sums need embedded rounding");
  const auto s = hn::MulAdd(a, b, c);
#endif
  if (!V::kBounded) lanes.largest = max_magnitude(lanes.largest, s);
  SingleVector r;
  if constexpr (V::kMode == Mode::kNearest) {
    r = round_nearest<V::kPlain>(s, lanes);
  } else {
    r = drop_bits<V::kMode>(s, random, lanes.keep_mask);
  }
  if constexpr (V::kCounting != StepCounting::kNone) {
    const auto inexact = hn::Ne(r, s);
    n.inexact = counted(n.inexact, inexact);
    const auto unchanged = hn::And(inexact, hn::Eq(r, c));
    if constexpr (V::kCounting == StepCounting::kInexact) {
      n.swamped = counted(n.swamped, unchanged);  // an inexact sum is normal here, and so is the c that equals it
    } else {
      const auto zero = hn::Zero(d);
      n.swamped = counted(n.swamped, hn::And(unchanged, hn::Ne(c, zero)));
      n.flushed = counted(n.flushed, hn::And(inexact, hn::Eq(r, zero)));
      n.underflow = counted(n.underflow, hn::And(inexact, hn::Lt(hn::Abs(s), lanes.tiny_threshold)));
    }
  }
  return r;
}

template <class V>
HWY_INLINE WordVector random_of(const StepRange& range, std::size_t k, std::size_t row, std::size_t col) {
  const WordTag du;
  if constexpr (V::kMode != Mode::kStochastic) return hn::Zero(du);
  return hn::Xor(hn::LoadU(du, range.b_random + k * kTileCols + col), hn::Set(du, range.a_random[k * kTileRows + row]));
}

template <class V>
bool run_variant(const StepRange& range, const NarrowRounding& rounding, StepCounts& counts) {
  const SingleTag d;
  HWY_ALIGN float acc[kTileRows * kTileCols];
  const std::size_t lanes = hn::Lanes(d);
  StepLanes n;
  const float scale = range.scaled ? rounding.a_scale * rounding.b_scale : 1.0F;
  const auto to_domain = hn::Set(d, scale);
  const auto from_domain = hn::Set(d, 1.0F / scale);
  NarrowLanes narrow(rounding, scale);
  for (std::size_t row = 0; row < kTileRows; row += kRowsAtOnce) {
    for (std::size_t col = 0; col < kTileCols; col += 2 * lanes) {
      SingleVector c0[kRowsAtOnce], c1[kRowsAtOnce];
      for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
        c0[i] = hn::Mul(hn::LoadU(d, range.acc + (row + i) * kTileCols + col), to_domain);
        c1[i] = hn::Mul(hn::LoadU(d, range.acc + (row + i) * kTileCols + col + lanes), to_domain);
      }
      for (std::size_t k = 0; k < range.length; ++k) {
        const auto b0 = hn::LoadU(d, range.b + k * kTileCols + col);
        const auto b1 = hn::LoadU(d, range.b + k * kTileCols + col + lanes);
#pragma GCC unroll 8
        for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
          const auto a = hn::Set(d, range.a[k * kTileRows + row + i]);
          const auto random0 = random_of<V>(range, k, row + i, col);
          const auto random1 = random_of<V>(range, k, row + i, col + lanes);
          c0[i] = narrow_step<V>(a, b0, c0[i], random0, narrow, n);
          c1[i] = narrow_step<V>(a, b1, c1[i], random1, narrow, n);
        }
      }
      for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
        hn::Store(hn::Mul(c0[i], from_domain), d, acc + (row + i) * kTileCols + col);
        hn::Store(hn::Mul(c1[i], from_domain), d, acc + (row + i) * kTileCols + col + lanes);
      }
    }
  }
  if (!V::kBounded && !hn::AllTrue(d, hn::Le(narrow.largest, hn::Set(d, rounding.sum_limit * scale)))) return false;
  std::copy(acc, acc + kTileRows * kTileCols, range.acc);
  if (V::kCounting != StepCounting::kNone) n.add_to(counts);
  return true;
}

template <Sum kSum>
bool run_nearest_uncounted(const StepRange& range, const NarrowRounding& rounding, StepCounts& counts) {
  constexpr Mode kMode = Mode::kNearest;
  constexpr StepCounting kNone = StepCounting::kNone;
  if (!range.plain) return run_variant<Variant<kMode, kSum, kNone, false, false>>(range, rounding, counts);
  return range.bounded ? run_variant<Variant<kMode, kSum, kNone, true, true>>(range, rounding, counts)
                       : run_variant<Variant<kMode, kSum, kNone, true, false>>(range, rounding, counts);
}

template <Mode kMode, Sum kSum>
bool run_dropping_uncounted(const StepRange& range, const NarrowRounding& rounding, StepCounts& counts) {
  constexpr StepCounting kNone = StepCounting::kNone;
  return range.bounded ? run_variant<Variant<kMode, kSum, kNone, true, true>>(range, rounding, counts)
                       : run_variant<Variant<kMode, kSum, kNone, true, false>>(range, rounding, counts);
}

#if HWY_TARGET <= HWY_AVX3
/// Modes that drop bits: plain or in the scaled domain.
template <Mode kMode, Sum kUncountedSum>
bool run_dropping(const StepRange& range, const NarrowRounding& rounding, StepCounting counting, StepCounts& counts) {
  if (!range.plain && !range.scaled) return false;
  if (counting == StepCounting::kNone) {
    return run_dropping_uncounted<kMode, kUncountedSum>(range, rounding, counts);
  }
  if (counting == StepCounting::kInexact) {
    return run_variant<Variant<kMode, Sum::kOdd, StepCounting::kInexact, true, false>>(range, rounding, counts);
  }
  if constexpr (kMode == Mode::kUp || kMode == Mode::kDown) {
    return false;  // what is tiny depends on the sign
  } else {
    return run_variant<Variant<kMode, Sum::kOdd, StepCounting::kAll, true, false>>(range, rounding, counts);
  }
}

bool run_nearest(const StepRange& range, const NarrowRounding& rounding, StepCounting counting, StepCounts& counts) {
  constexpr StepCounting kInexact = StepCounting::kInexact;
  constexpr StepCounting kAll = StepCounting::kAll;
  if (counting == StepCounting::kNone) return run_nearest_uncounted<Sum::kOdd>(range, rounding, counts);
  return counting == kInexact && range.plain
             ? run_variant<Variant<Mode::kNearest, Sum::kOdd, kInexact, true, false>>(range, rounding, counts)
             : run_variant<Variant<Mode::kNearest, Sum::kOdd, kAll, false, false>>(range, rounding, counts);
}
#endif

bool run_narrow_here(const StepRange& range, const NarrowRounding& rounding, StepCounting counting,
                     StepCounts& counts) {
  if (counting == StepCounting::kNone && rounding.fused_is_exact) {
    if (rounding.mode == Mode::kNearest) return run_nearest_uncounted<Sum::kFused>(range, rounding, counts);
    if (rounding.mode == Mode::kAway && (range.plain || range.scaled)) {
      return run_dropping_uncounted<Mode::kAway, Sum::kFused>(range, rounding, counts);
    }
  }
#if HWY_TARGET <= HWY_AVX3
  switch (rounding.mode) {
    case Mode::kNearest: return run_nearest(range, rounding, counting, counts);
    case Mode::kTruncate: return run_dropping<Mode::kTruncate, Sum::kDirected>(range, rounding, counting, counts);
    case Mode::kStochastic: return run_dropping<Mode::kStochastic, Sum::kDirected>(range, rounding, counting, counts);
    case Mode::kUp: return run_dropping<Mode::kUp, Sum::kDirected>(range, rounding, counting, counts);
    case Mode::kDown: return run_dropping<Mode::kDown, Sum::kDirected>(range, rounding, counting, counts);
    case Mode::kAway: return run_dropping<Mode::kAway, Sum::kOdd>(range, rounding, counting, counts);
    case Mode::kOdd: return run_dropping<Mode::kOdd, Sum::kOdd>(range, rounding, counting, counts);
  }
#endif
  return false;
}

#else

bool run_narrow_here(const StepRange&, const NarrowRounding&, StepCounting, StepCounts&) { return false; }

#endif

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {

HWY_EXPORT(run_narrow_here);

bool run_narrow_steps(const StepRange& range, const NarrowRounding& rounding, StepCounting counting,
                      StepCounts& counts) {
  return HWY_DYNAMIC_DISPATCH(run_narrow_here)(range, rounding, counting, counts);
}

}  // namespace guardbit::kernels
#endif
