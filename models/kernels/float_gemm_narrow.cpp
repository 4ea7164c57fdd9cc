#include "models/kernels/float_gemm_steps.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/float_gemm_narrow.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "models/kernels/float_gemm_narrow-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2  // has fused multiply-add

/// The accumulators of kRowsAtOnce rows and two vectors of columns.
struct Accumulators {
  SingleVector c0[kRowsAtOnce], c1[kRowsAtOnce];

  /// False if one of them is a NaN.
  HWY_INLINE bool are_numbers() const {
    auto are_numbers = hn::And(hn::Eq(c0[0], c0[0]), hn::Eq(c1[0], c1[0]));
    for (std::size_t i = 1; i < kRowsAtOnce; ++i) {
      are_numbers = hn::And(are_numbers, hn::And(hn::Eq(c0[i], c0[i]), hn::Eq(c1[i], c1[i])));
    }
    return hn::AllTrue(SingleTag(), are_numbers);
  }
  HWY_INLINE bool are_within(SingleVector guard) const {
    auto largest0 = hn::Zero(SingleTag());
    auto largest1 = largest0;
    for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
      largest0 = max_magnitude(largest0, c0[i]);
      largest1 = max_magnitude(largest1, c1[i]);
    }
    return hn::AllTrue(SingleTag(), hn::Le(hn::Max(largest0, largest1), guard));
  }
};

template <class V, Zeros kZeros>
HWY_INLINE void run_step(const StepRange& range, std::size_t k, std::size_t row, std::size_t col,
                         const NarrowLanes& lanes, Accumulators& acc, StepLanes& n) {
  const SingleTag d;
  const std::size_t width = hn::Lanes(d);
  const auto b0 = hn::LoadU(d, range.b + k * kTileCols + col);
  const auto b1 = hn::LoadU(d, range.b + k * kTileCols + col + width);
  const auto b0_is_non_zero = hn::Ne(b0, hn::Zero(d));  // in most variants unused, and then not computed
  const auto b1_is_non_zero = hn::Ne(b1, hn::Zero(d));
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
    const auto a = hn::Set(d, range.a[k * kTileRows + row + i]);
    const auto random0 = random_of<V>(range, k, row + i, col);
    const auto random1 = random_of<V>(range, k, row + i, col + width);
    acc.c0[i] = narrow_step<V, kZeros, false>({a, b0, acc.c0[i], random0, b0_is_non_zero}, lanes, n);
    acc.c1[i] = narrow_step<V, kZeros, true>({a, b1, acc.c1[i], random1, b1_is_non_zero}, lanes, n);
  }
}

HWY_INLINE bool has_zero(const StepRange& range, std::size_t k) {
  return range.a_nonzero[k] != kTileRows || range.b_nonzero[k] != kTileCols;
}

/// Steps [0, length) of the rows from `row` and columns from `col` on; results in acc. The number of steps done.
template <class V>
HWY_INLINE std::size_t run_part(const StepRange& range, std::size_t length, std::size_t row, std::size_t col,
                                const NarrowLanes& lanes, float scale, float* acc, StepLanes& n) {
  const SingleTag d;
  const std::size_t width = hn::Lanes(d);
  const auto to_domain = hn::Set(d, scale);
  const auto from_domain = hn::Set(d, 1.0F / scale);
  const auto guard = hn::Set(d, range.guard * scale);
  Accumulators c;
  for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
    c.c0[i] = hn::Mul(hn::LoadU(d, range.acc + (row + i) * kTileCols + col), to_domain);
    c.c1[i] = hn::Mul(hn::LoadU(d, range.acc + (row + i) * kTileCols + col + width), to_domain);
  }
  std::size_t done = 0;
  if (!c.are_numbers()) return done;
  while (done < length && c.are_within(guard)) {
    const std::size_t end = std::min(done + range.stride, length);
    for (; done < end; ++done) {
      if (V::kNeedsProducts && has_zero(range, done)) {
        run_step<V, Zeros::kSome>(range, done, row, col, lanes, c, n);
      } else {
        run_step<V, Zeros::kNone>(range, done, row, col, lanes, c, n);
      }
    }
  }
  for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
    hn::Store(hn::Mul(c.c0[i], from_domain), d, acc + (row + i) * kTileCols + col);
    hn::Store(hn::Mul(c.c1[i], from_domain), d, acc + (row + i) * kTileCols + col + width);
  }
  return done;
}

std::uint64_t zero_products(const StepRange& range, std::size_t length) {
  std::uint64_t zeros = 0;
  for (std::size_t k = 0; k < length; ++k) {
    zeros += kTileRows * kTileCols - std::size_t{range.a_nonzero[k]} * range.b_nonzero[k];
  }
  return zeros;
}

template <class V>
std::size_t run_variant(const StepRange& range, const NarrowRounding& rounding, StepCounts& counts) {
  HWY_ALIGN float acc[kTileRows * kTileCols];
  const float scale = range.scaled ? rounding.a_scale * rounding.b_scale : 1.0F;
  const NarrowLanes lanes(rounding, scale);
  StepLanes n;
  // Parts that stop early shorten the range; those that went further start again.
  std::size_t length = range.length;
  for (bool agreed = false; !agreed && length != 0;) {
    agreed = true;
    n = StepLanes();
    for (std::size_t row = 0; row < kTileRows && agreed; row += kRowsAtOnce) {
      for (std::size_t col = 0; col < kTileCols && agreed; col += 2 * hn::Lanes(SingleTag())) {
        const std::size_t done = run_part<V>(range, length, row, col, lanes, scale, acc, n);
        agreed = done == length || (row == 0 && col == 0);
        length = done;
      }
    }
  }
  if (length == 0) return 0;
  std::copy(acc, acc + kTileRows * kTileCols, range.acc);
  if constexpr (V::kCounting != StepCounting::kNone) n.add_to(counts);
  if constexpr (V::kCountsUnchanged) counts.swamped -= zero_products(range, length);
  if constexpr (V::kClamps) {
    const std::uint64_t clamped = StepLanes::total(n.overflow);
    counts.overflow += clamped;
    counts.saturated += clamped;
  }
  return length;
}

/// Sums of kSum, which suffices for the results. Modes that drop bits do it alike in both domains.
template <Mode kMode, Sum kSum>
std::size_t run_uncounted(const StepRange& range, const NarrowRounding& rounding, StepCounts& counts) {
  constexpr StepCounting kNone = StepCounting::kNone;
  if constexpr (kMode == Mode::kNearest) {
    if (!range.plain) return run_variant<Variant<kMode, kSum, kNone, false>>(range, rounding, counts);
  }
  return run_variant<Variant<kMode, kSum, kNone, true>>(range, rounding, counts);
}

#if HWY_TARGET <= HWY_AVX3
/// Rounded up or down, what is tiny depends on the sign: such steps are the general kernel's where they may underflow.
template <Mode kMode, bool kClamps>
std::size_t run_all_counted(const StepRange& range, const NarrowRounding& rounding, StepCounts& counts) {
  if constexpr (kMode == Mode::kUp || kMode == Mode::kDown) {
    return 0;
  } else {
    return run_variant<Variant<kMode, Sum::kOdd, StepCounting::kAll, false, kClamps>>(range, rounding, counts);
  }
}

template <Mode kMode, Sum kSum>
std::size_t run_clamped(const StepRange& range, const NarrowRounding& rounding, StepCounting counting,
                        StepCounts& counts) {
  constexpr StepCounting kNone = StepCounting::kNone;
  constexpr StepCounting kSwamped = StepCounting::kSwamped;
  if (counting == kNone) return run_variant<Variant<kMode, kSum, kNone, false, true>>(range, rounding, counts);
  if (counting == kSwamped) return run_variant<Variant<kMode, kSum, kSwamped, false, true>>(range, rounding, counts);
  return run_all_counted<kMode, true>(range, rounding, counts);
}

template <Mode kMode, Sum kSum>
std::size_t run_mode(const StepRange& range, const NarrowRounding& rounding, StepCounting counting,
                     StepCounts& counts) {
  constexpr StepCounting kSwamped = StepCounting::kSwamped;
  constexpr StepCounting kInexact = StepCounting::kInexact;
  if (kMode != Mode::kNearest && !range.plain && !range.scaled) return 0;
  if (range.clamps) return run_clamped<kMode, kSum>(range, rounding, counting, counts);
  switch (counting) {
    case StepCounting::kNone: return run_uncounted<kMode, kSum>(range, rounding, counts);
    case kSwamped:
      return range.plain ? run_variant<Variant<kMode, kSum, kSwamped, true>>(range, rounding, counts)
                         : run_variant<Variant<kMode, kSum, kSwamped, false>>(range, rounding, counts);
    case kInexact:
    case StepCounting::kAll: break;
  }
  return counting == kInexact && range.plain
             ? run_variant<Variant<kMode, Sum::kOdd, kInexact, true>>(range, rounding, counts)
             : run_all_counted<kMode, false>(range, rounding, counts);
}

std::size_t run_narrow_here(const StepRange& range, const NarrowRounding& rounding, StepCounting counting,
                            StepCounts& counts) {
  switch (rounding.mode) {
    case Mode::kNearest:
      return rounding.fused_is_exact ? run_mode<Mode::kNearest, Sum::kFused>(range, rounding, counting, counts)
                                     : run_mode<Mode::kNearest, Sum::kOdd>(range, rounding, counting, counts);
    case Mode::kAway:
      return rounding.fused_is_exact ? run_mode<Mode::kAway, Sum::kFused>(range, rounding, counting, counts)
                                     : run_mode<Mode::kAway, Sum::kOdd>(range, rounding, counting, counts);
    case Mode::kTruncate: return run_mode<Mode::kTruncate, Sum::kDirected>(range, rounding, counting, counts);
    case Mode::kStochastic: return run_mode<Mode::kStochastic, Sum::kDirected>(range, rounding, counting, counts);
    case Mode::kUp: return run_mode<Mode::kUp, Sum::kDirected>(range, rounding, counting, counts);
    case Mode::kDown: return run_mode<Mode::kDown, Sum::kDirected>(range, rounding, counting, counts);
    case Mode::kOdd: return run_mode<Mode::kOdd, Sum::kOdd>(range, rounding, counting, counts);
  }
  return 0;  // unreachable
}
#else
/// To nearest, where a binary32 fused sum is enough.
template <Mode kMode>
std::size_t run_fused(const StepRange& range, const NarrowRounding& rounding, StepCounting counting,
                      StepCounts& counts) {
  constexpr StepCounting kSwamped = StepCounting::kSwamped;
  if (!rounding.fused_is_exact || range.clamps) return 0;
  if (kMode != Mode::kNearest && !range.plain && !range.scaled) return 0;
  if (counting == StepCounting::kNone) return run_uncounted<kMode, Sum::kFused>(range, rounding, counts);
  if (counting != kSwamped || !range.plain) return 0;
  return run_variant<Variant<kMode, Sum::kFused, kSwamped, true>>(range, rounding, counts);
}

std::size_t run_narrow_here(const StepRange& range, const NarrowRounding& rounding, StepCounting counting,
                            StepCounts& counts) {
  if (rounding.mode == Mode::kNearest) return run_fused<Mode::kNearest>(range, rounding, counting, counts);
  if (rounding.mode == Mode::kAway) return run_fused<Mode::kAway>(range, rounding, counting, counts);
  return 0;
}
#endif

#else

std::size_t run_narrow_here(const StepRange&, const NarrowRounding&, StepCounting, StepCounts&) { return 0; }

#endif

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {

HWY_EXPORT(run_narrow_here);

std::size_t run_narrow_steps(const StepRange& range, const NarrowRounding& rounding, StepCounting counting,
                             StepCounts& counts) {
  return HWY_DYNAMIC_DISPATCH(run_narrow_here)(range, rounding, counting, counts);
}

}  // namespace guardbit::kernels
#endif
