#include "models/kernels/float_gemm_steps.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/float_gemm_single.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "models/kernels/float_gemm_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2  // has fused multiply-add, which is one step of an fp32 accumulator

/// The directed sums are equal exactly if the sum is representable (+0 and -0 compare equal: an exact zero).
template <StepCounting kCounting, bool kTruncate>
HWY_INLINE SingleVector single_step(SingleVector a, SingleVector b, SingleVector c, StepLanes& n) {
  SingleVector sum;
#if HWY_TARGET <= HWY_AVX3
  sum = kTruncate ? fused_truncated(a, b, c) : hn::MulAdd(a, b, c);
  if constexpr (kCounting != StepCounting::kNone) {
    const auto inexact = hn::Ne(fused_down(a, b, c), fused_up(a, b, c));
    n.inexact = counted(n.inexact, inexact);
    const auto unchanged = hn::And(inexact, hn::Eq(sum, c));
    if constexpr (kCounting == StepCounting::kInexact) {
      n.swamped = counted(n.swamped, unchanged);  // an inexact sum is normal here, and so is the c that equals it
    } else {
      const SingleTag d;
      const auto zero = hn::Zero(d);
      const auto min_normal = hn::Set(d, 0x1p-126F);
      const auto magnitude = hn::Abs(sum);
      n.swamped = counted(n.swamped, hn::And(unchanged, hn::Ne(c, zero)));
      n.flushed = counted(n.flushed, hn::And(inexact, hn::Eq(sum, zero)));
      n.underflow = counted(n.underflow, hn::And(inexact, hn::Lt(magnitude, min_normal)));
      n.doubtful = counted(n.doubtful, hn::And(inexact, hn::Eq(magnitude, min_normal)));
    }
  }
#else
  static_assert(kCounting == StepCounting::kNone && !kTruncate);
  static_cast<void>(n);
  sum = hn::MulAdd(a, b, c);
#endif
  return sum;
}

template <StepCounting kCounting, bool kTruncate>
bool run_single(const StepRange& range, StepCounts& counts) {
  const SingleTag d;
  HWY_ALIGN float acc[kTileRows * kTileCols];
  const std::size_t lanes = hn::Lanes(d);
  StepLanes n;
  for (std::size_t row = 0; row < kTileRows; row += kRowsAtOnce) {
    for (std::size_t col = 0; col < kTileCols; col += 2 * lanes) {
      SingleVector c0[kRowsAtOnce], c1[kRowsAtOnce];
      for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
        c0[i] = hn::LoadU(d, range.acc + (row + i) * kTileCols + col);
        c1[i] = hn::LoadU(d, range.acc + (row + i) * kTileCols + col + lanes);
      }
      for (std::size_t k = 0; k < range.length; ++k) {
        const auto b0 = hn::LoadU(d, range.b + k * kTileCols + col);
        const auto b1 = hn::LoadU(d, range.b + k * kTileCols + col + lanes);
#pragma GCC unroll 8
        for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
          const auto a = hn::Set(d, range.a[k * kTileRows + row + i]);
          c0[i] = single_step<kCounting, kTruncate>(a, b0, c0[i], n);
          c1[i] = single_step<kCounting, kTruncate>(a, b1, c1[i], n);
        }
      }
      for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
        hn::Store(c0[i], d, acc + (row + i) * kTileCols + col);
        hn::Store(c1[i], d, acc + (row + i) * kTileCols + col + lanes);
      }
    }
  }
  if (kCounting == StepCounting::kAll && StepLanes::total(n.doubtful) != 0) return false;

  const auto infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  const auto nan = hn::Set(d, std::numeric_limits<float>::quiet_NaN());  // the canonical carrier
  auto before = hn::Zero(WordTag());
  auto after = hn::Zero(WordTag());
  auto nans = hn::Zero(WordTag());
  for (std::size_t i = 0; i < kTileRows * kTileCols; i += lanes) {
    const auto value = hn::Load(d, acc + i);
    before = counted(before, hn::Eq(hn::Abs(hn::LoadU(d, range.acc + i)), infinity));
    after = counted(after, hn::Eq(hn::Abs(value), infinity));
    nans = counted(nans, hn::IsNaN(value));
    hn::Store(hn::IfThenElse(hn::IsNaN(value), nan, value), d, acc + i);
  }
  if (range.reject_infinities && StepLanes::total(after) + StepLanes::total(nans) != 0) return false;
  counts.overflow += StepLanes::total(after) - StepLanes::total(before);
  std::copy(acc, acc + kTileRows * kTileCols, range.acc);
  if (kCounting != StepCounting::kNone) n.add_to(counts);
  return true;
}

template <StepCounting kCounting>
bool add_tile(const float* addend, float scale, float* acc, StepCounts& counts) {
  const SingleTag d;
  const auto infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  HWY_ALIGN float sums[kTileRows * kTileCols];
  StepLanes n;
  auto are_finite = hn::Lt(hn::Zero(d), infinity);
  for (std::size_t i = 0; i < kTileRows * kTileCols; i += hn::Lanes(d)) {
    const auto sum =
        single_step<kCounting, false>(hn::LoadU(d, addend + i), hn::Set(d, scale), hn::LoadU(d, acc + i), n);
    are_finite = hn::And(are_finite, hn::Lt(hn::Abs(sum), infinity));
    hn::Store(sum, d, sums + i);
  }
  if (!hn::AllTrue(d, are_finite)) return false;
  if (kCounting == StepCounting::kAll && StepLanes::total(n.doubtful) != 0) return false;
  std::copy(sums, sums + kTileRows * kTileCols, acc);
  if (kCounting != StepCounting::kNone) n.add_to(counts);
  return true;
}

bool add_to_single_here(const float* addend, float scale, bool counts_events, float* acc, StepCounts& counts) {
  if (!counts_events) return add_tile<StepCounting::kNone>(addend, scale, acc, counts);
#if HWY_TARGET <= HWY_AVX3
  return add_tile<StepCounting::kAll>(addend, scale, acc, counts);
#else
  return false;
#endif
}

bool run_single_here(const StepRange& range, StepCounting counting, StepCounts& counts) {
  constexpr StepCounting kNone = StepCounting::kNone;
  if (counting == kNone && !range.truncate) return run_single<kNone, false>(range, counts);
#if HWY_TARGET <= HWY_AVX3
  if (counting == kNone) return run_single<kNone, true>(range, counts);
  if (counting == StepCounting::kInexact) {
    return range.truncate ? run_single<StepCounting::kInexact, true>(range, counts)
                          : run_single<StepCounting::kInexact, false>(range, counts);
  }
  return range.truncate ? run_single<StepCounting::kAll, true>(range, counts)
                        : run_single<StepCounting::kAll, false>(range, counts);
#else
  return false;
#endif
}

#else

bool run_single_here(const StepRange&, StepCounting, StepCounts&) { return false; }
bool add_to_single_here(const float*, float, bool, float*, StepCounts&) { return false; }

#endif

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {

HWY_EXPORT(run_single_here);
HWY_EXPORT(add_to_single_here);

bool run_single_steps(const StepRange& range, StepCounting counting, StepCounts& counts) {
  return HWY_DYNAMIC_DISPATCH(run_single_here)(range, counting, counts);
}

bool add_to_single(const float* addend, float scale, bool counts_events, float* acc, StepCounts& counts) {
  return HWY_DYNAMIC_DISPATCH(add_to_single_here)(addend, scale, counts_events, acc, counts);
}

}  // namespace guardbit::kernels
#endif
