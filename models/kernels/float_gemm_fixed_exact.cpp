#include "models/kernels/float_gemm_fixed.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/float_gemm_fixed_exact.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "models/kernels/float_gemm_fixed-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

using numerics::RoundingMode;

inline constexpr double kSplitMagic = kMagic * kSplitUnit;  // 2^kFixedSplit is its last place
inline constexpr std::size_t kFixedRows = HWY_TARGET <= HWY_AVX3 ? 8 : 4;

/// Adds a sum that is exact in quanta and below 2^91 of them.
HWY_INLINE void add_to(FixedSums& sums, std::size_t index, DoubleVector sum) {
  const DoubleTag d;
  const CountTag tag;
  const auto magic = hn::Set(d, kMagic);
  const auto shifted = hn::MulAdd(sum, hn::Set(d, 1 / kSplitUnit), magic);  // rounds to a multiple of 2^kFixedSplit
  const auto high = hn::Sub(code_of(shifted), code_of(magic));
  const auto rest = hn::NegMulAdd(hn::Sub(shifted, magic), hn::Set(d, kSplitUnit), sum);
  hn::Store(hn::Add(hn::Load(tag, sums.high + index), high), tag, sums.high + index);
  hn::Store(hn::Add(hn::Load(tag, sums.low + index), to_integer(rest)), tag, sums.low + index);
}

/// Products and their sums are exact in binary64, and so is every partial sum, fused or not.
void add_fixed_exact_here(const FixedRange& range, FixedSums& sums) {
  const DoubleTag d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t col = 0; col < kTileCols; col += 2 * lanes) {
    for (std::size_t row = 0; row < kTileRows; row += kFixedRows) {
      DoubleVector acc[kFixedRows][2];
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kFixedRows; ++i) acc[i][0] = acc[i][1] = hn::Zero(d);
      for (std::size_t k = 0; k < range.length; ++k) {
        const auto b0 = hn::LoadU(d, range.b + k * kTileCols + col);
        const auto b1 = hn::LoadU(d, range.b + k * kTileCols + col + lanes);
#pragma GCC unroll 8
        for (std::size_t i = 0; i < kFixedRows; ++i) {
          const auto own = hn::Set(d, range.a[k * kTileRows + row + i]);
          acc[i][0] = hn::MulAdd(own, b0, acc[i][0]);
          acc[i][1] = hn::MulAdd(own, b1, acc[i][1]);
        }
      }
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kFixedRows; ++i) {
        add_to(sums, (row + i) * kTileCols + col, acc[i][0]);
        add_to(sums, (row + i) * kTileCols + col + lanes, acc[i][1]);
      }
    }
  }
}

/// Each product, of at most 48 bits and below 2^91 quanta, is split at 2^kFixedSplit: magic + product is in magic's
/// binade, so that its code counts the product's nearest multiple of 2^kFixedSplit, modulo 2^64; the rest is exact and
/// at most half of 2^kFixedSplit, and kBlockLength of them add up exactly.
void add_fixed_split_here(const FixedRange& range, FixedSums& sums) {
  constexpr std::size_t kRows = 4;
  const DoubleTag d;
  const CountTag tag;
  const auto magic = hn::Set(d, kSplitMagic);
  const std::int64_t code = static_cast<std::int64_t>(std::bit_cast<std::uint64_t>(kSplitMagic) * range.length);
  for (std::size_t col = 0; col < kTileCols; col += hn::Lanes(d)) {
    for (std::size_t row = 0; row < kTileRows; row += kRows) {
      CountVector high[kRows];
      DoubleVector low[kRows];
      for (std::size_t i = 0; i < kRows; ++i) {
        high[i] = hn::Zero(tag);
        low[i] = hn::Zero(d);
      }
      for (std::size_t k = 0; k < range.length; ++k) {
        const auto b = hn::LoadU(d, range.b + k * kTileCols + col);
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kRows; ++i) {
          const auto own = hn::Set(d, range.a[k * kTileRows + row + i]);
          const auto sum = hn::MulAdd(own, b, magic);
          high[i] = hn::Add(high[i], code_of(sum));
          low[i] = hn::Add(low[i], hn::MulSub(own, b, hn::Sub(sum, magic)));
        }
      }
      for (std::size_t i = 0; i < kRows; ++i) {
        const std::size_t index = (row + i) * kTileCols + col;
        const auto count = hn::Sub(high[i], hn::Set(tag, code));
        hn::Store(hn::Add(hn::Load(tag, sums.high + index), count), tag, sums.high + index);
        hn::Store(hn::Add(hn::Load(tag, sums.low + index), to_integer(low[i])), tag, sums.low + index);
      }
    }
  }
}

/// With 0 <= low < 2^kFixedSplit and |high| < 2^51, both are binary64 numbers, and their sum is rounded to odd at 53
/// bits, which another rounding to p <= 24 bits does not see.
template <RoundingMode kMode, bool kCount>
HWY_NOINLINE void round_sums(const TileJob& job, const FixedConstants& constants, const FixedSums& sums, float* acc) {
  const DoubleTag d;
  const CountTag tag;
  const LaneRounder<kMode> rounder(job.plan->inner);
  const auto quantum = hn::Set(d, 1 / constants.per_unit);
  const auto no_operand_is_nan = [&] { return hn::Ne(quantum, quantum); };
  for (std::size_t col = 0; col < job.cols; col += hn::Lanes(d)) {
    LaneCounts counts;
    for (std::size_t row = 0; row < job.rows; ++row) {
      const std::size_t index = row * kTileCols + col;
      const auto low = hn::Load(tag, sums.low + index);
      const auto carry = hn::ShiftRight<kFixedSplit>(low);
      const auto high = from_integer(hn::Add(hn::Load(tag, sums.high + index), carry));
      const auto rest = from_integer(hn::Sub(low, hn::ShiftLeft<kFixedSplit>(carry)));
      const auto sum = hn::Mul(add_to_odd<kMode>(hn::Mul(high, hn::Set(d, kSplitUnit)), rest), quantum);
      DoubleMask inexact;
      store_lanes(rounder.template round<kCount>(sum, hn::Zero(d), no_operand_is_nan, counts, inexact), acc + index);
    }
    if (kCount) {
      add_counts(counts, std::min(hn::Lanes(d), job.cols - col), job.plan->wanted, job.events->inner);
    }
  }
}

void round_fixed_here(const TileJob& job, const FixedConstants& constants, const FixedSums& sums, float* acc) {
  with_mode(job.plan->inner.rounding, job.plan->counts,
            [&](auto mode, auto counts) { round_sums<mode.value, counts.value>(job, constants, sums, acc); });
}

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {

HWY_EXPORT(add_fixed_exact_here);
HWY_EXPORT(add_fixed_split_here);
HWY_EXPORT(round_fixed_here);

void add_fixed_exact(const FixedRange& range, FixedSums& sums) {
  HWY_DYNAMIC_DISPATCH(add_fixed_exact_here)(range, sums);
}
void add_fixed_split(const FixedRange& range, FixedSums& sums) {
  HWY_DYNAMIC_DISPATCH(add_fixed_split_here)(range, sums);
}
void round_fixed(const TileJob& job, const FixedConstants& constants, const FixedSums& sums, float* acc) {
  HWY_DYNAMIC_DISPATCH(round_fixed_here)(job, constants, sums, acc);
}

}  // namespace guardbit::kernels
#endif
