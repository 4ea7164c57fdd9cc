#include "models/kernels/float_gemm_aligned.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/float_gemm_aligned_steps.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "models/kernels/float_gemm_aligned-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX2

inline constexpr std::size_t kMaxTerms = 32;
/// Scales and sums of these rows and two vectors stay in registers.
inline constexpr std::size_t kAlignedRows = HWY_TARGET <= HWY_AVX3 ? 4 : 2;

/// Operands of one step, from its first term and the first row and column on, and their powers of two.
struct AlignedStep {
  const float* a;
  const float* b;
  const float* a_powers;
  const float* b_powers;
  std::size_t num_terms;
};

/// Bits that are not zero, sign aside, where a term was not a whole number of quanta.
HWY_INLINE WordVector lost_bits(WordVector lost, SingleVector term, IntegerVector quanta) {
  const SingleTag d;
  return hn::Or(lost, hn::BitCast(WordTag(), hn::Sub(term, hn::ConvertTo(d, quanta))));
}

/// Which of half a vector's columns have a step whose products' exact sum is not zero: the sum of their nearest
/// multiples of 2^h and that of the rests are exact in binary64, and their sum is zero only if it exactly is.
HWY_INLINE hn::Mask<WideTag> products_differ_from_zero(const AlignedStep& step, std::size_t row, std::size_t col,
                                                       double split_magic) {
  const WideTag d;
  const hn::Rebind<float, WideTag> df;
  const auto magic = hn::Set(d, split_magic);
  auto high = hn::Zero(d);
  auto low = hn::Zero(d);
  for (std::size_t term = 0; term < step.num_terms; ++term) {
    const auto a = hn::Set(d, static_cast<double>(step.a[term * kTileRows + row]));
    const auto product = hn::Mul(a, hn::PromoteTo(d, hn::LoadU(df, step.b + term * kTileCols + col)));
    const auto multiple = hn::Sub(hn::Add(product, magic), magic);
    high = hn::Add(high, multiple);
    low = hn::Add(low, hn::Sub(product, multiple));
  }
  return hn::Ne(hn::Add(high, low), hn::Zero(d));
}

/// Columns of a vector in which the step swamped its accumulator, given those in which it left it as it was.
HWY_NOINLINE std::uint64_t count_swamped(const AlignedStep& step, std::size_t row, std::size_t col, double split_magic,
                                         SingleMask unchanged) {
  const SingleTag d;
  const std::size_t half = hn::Lanes(WideTag());
  HWY_ALIGN std::uint32_t candidates[HWY_LANES(float)];
  HWY_ALIGN double differs[HWY_LANES(float)];
  hn::Store(hn::VecFromMask(WordTag(), hn::RebindMask(WordTag(), unchanged)), WordTag(), candidates);
  for (std::size_t first = 0; first < hn::Lanes(d); first += half) {
    const auto mask = products_differ_from_zero(step, row, col + first, split_magic);
    hn::Store(hn::IfThenElseZero(mask, hn::Set(WideTag(), 1.0)), WideTag(), differs + first);
  }
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) count += candidates[i] != 0 && differs[i] != 0 ? 1 : 0;
  return count;
}

/// What the lanes count.
struct AlignedLanes {
  double split_magic;
  WordVector inexact;
  std::uint64_t swamped = 0;
};

/// One step of kAlignedRows rows and two vectors. The powers of two of the exponents are multiplied where hardware adds
/// exponents. All terms times `scale` = 2^F / (largest power) are below 2^(F+2), so that conversion to integers rounds
/// them to multiples of the quantum, and their sum fits 32 bits. kSeparate: the accumulator is no term.
template <bool kNearest, bool kFloor, bool kSeparate, bool kCount>
HWY_INLINE void aligned_step(const AlignedStep& step, const AlignedRounding& rounding, std::size_t row, std::size_t col,
                             SingleVector (&acc)[kAlignedRows][2], AlignedLanes& counts) {
  const SingleTag d;
  const WordTag du;
  const std::size_t lanes = hn::Lanes(d);
  const auto field = hn::BitCast(d, hn::Set(du, 0x7F800000u));
  SingleVector largest[kAlignedRows][2];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kAlignedRows; ++i) {
#pragma GCC unroll 2
    for (std::size_t j = 0; j < 2; ++j) {
      // Where every term is zero, any scale will do.
      largest[i][j] = hn::Set(d, 0x1p-90F);
      if (!kSeparate) largest[i][j] = hn::Max(hn::And(acc[i][j], field), largest[i][j]);
    }
  }
  for (std::size_t term = 0; term < step.num_terms; ++term) {
    const auto b0 = hn::Load(d, step.b_powers + term * kTileCols + col);
    const auto b1 = hn::Load(d, step.b_powers + term * kTileCols + col + lanes);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kAlignedRows; ++i) {
      const auto a = hn::Set(d, step.a_powers[term * kTileRows + row + i]);
      largest[i][0] = hn::Max(largest[i][0], hn::Mul(a, b0));
      largest[i][1] = hn::Max(largest[i][1], hn::Mul(a, b1));
    }
  }
  SingleVector scale[kAlignedRows][2];
  IntegerVector sum[kAlignedRows][2];
  WordVector lost[kAlignedRows][2];
  const auto inverse = hn::Set(du, static_cast<std::uint32_t>(254 + rounding.fraction_bits) << 23);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kAlignedRows; ++i) {
#pragma GCC unroll 2
    for (std::size_t j = 0; j < 2; ++j) {
      scale[i][j] = hn::BitCast(d, hn::Sub(inverse, hn::BitCast(du, largest[i][j])));
      const auto scaled = kSeparate ? hn::Zero(d) : hn::Mul(acc[i][j], scale[i][j]);
      sum[i][j] = to_quanta<kFloor>(scaled);
      if (kCount) lost[i][j] = lost_bits(hn::Zero(du), scaled, sum[i][j]);
    }
  }
  for (std::size_t term = 0; term < step.num_terms; ++term) {
    const float* const b = step.b + term * kTileCols + col;
    const SingleVector columns[2] = {hn::LoadU(d, b), hn::LoadU(d, b + lanes)};
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kAlignedRows; ++i) {
      const auto a = hn::Set(d, step.a[term * kTileRows + row + i]);
#pragma GCC unroll 2
      for (std::size_t j = 0; j < 2; ++j) {
        const auto scaled = hn::Mul(hn::Mul(a, columns[j]), scale[i][j]);
        const auto quanta = to_quanta<kFloor>(scaled);
        sum[i][j] = hn::Add(sum[i][j], quanta);
        if (kCount) lost[i][j] = lost_bits(lost[i][j], scaled, quanta);
      }
    }
  }
  // The sum counts quanta of (largest power) * 2^-F.
  const auto to_quantum = hn::Set(d, rounding.quantum);
  const auto keep = hn::Set(du, rounding.keep_mask);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kAlignedRows; ++i) {
#pragma GCC unroll 2
    for (std::size_t j = 0; j < 2; ++j) {
      const auto power = hn::BitCast(d, hn::Sub(inverse, hn::BitCast(du, scale[i][j])));
      const auto quantum = hn::Mul(power, to_quantum);
      auto differs = hn::Zero(du);
      SingleVector result;
      if constexpr (kSeparate) {
        result = add_sum<kNearest>(acc[i][j], sum[i][j], quantum, keep, differs);
      } else {
        const auto kept = hn::BitCast(d, hn::And(hn::BitCast(du, to_single<kNearest>(sum[i][j])), keep));
        result = hn::Mul(kept, quantum);
        // 2^31, to which a sum may be rounded, converts to an integer of other sign: inexact, as it is.
        if (kCount) {
          differs = hn::Xor(hn::BitCast(du, to_quanta</*kFloor=*/false>(kept)), hn::BitCast(du, sum[i][j]));
        }
      }
      if (kCount) {
        const auto any = hn::Or(differs, hn::And(lost[i][j], hn::Set(du, 0x7FFFFFFFu)));
        counts.inexact = hn::Add(counts.inexact, hn::Min(any, hn::Set(du, 1)));
        const auto unchanged = hn::And(hn::Eq(result, acc[i][j]), hn::Ne(result, hn::Zero(d)));
        if (HWY_UNLIKELY(!hn::AllFalse(d, unchanged))) {
          counts.swamped += count_swamped(step, row + i, col + j * lanes, counts.split_magic, unchanged);
        }
      }
      acc[i][j] = result;
    }
  }
}

template <bool kNearest, bool kFloor, bool kSeparate, bool kCount>
HWY_NOINLINE void run_aligned(const AlignedRange& range, const AlignedRounding& rounding, AlignedCounts& counts) {
  const SingleTag d;
  const std::size_t lanes = hn::Lanes(d);
  HWY_ALIGN float a_powers[kMaxTerms * kTileRows];
  HWY_ALIGN float b_powers[kMaxTerms * kTileCols];
  const auto least_a = hn::Set(d, rounding.least_power_a);
  const auto least_b = hn::Set(d, rounding.least_power_b);
  AlignedLanes lane_counts{range.split_magic, hn::Zero(WordTag())};
  for (std::size_t k = 0; k < range.length; k += range.width) {
    const AlignedStep step{range.a + k * kTileRows, range.b + k * kTileCols, a_powers, b_powers,
                           std::min(range.width, range.length - k)};
    for (std::size_t i = 0; i < step.num_terms * kTileRows; i += lanes) {
      const std::size_t valid = std::min(lanes, step.num_terms * kTileRows - i);  // half a vector at the end, perhaps
      HWY_ALIGN float values[HWY_LANES(float)] = {};
      std::copy_n(step.a + i, valid, values);
      hn::Store(power_of(hn::Load(d, values), least_a), d, a_powers + i);
    }
    for (std::size_t i = 0; i < step.num_terms * kTileCols; i += lanes) {
      hn::Store(power_of(hn::LoadU(d, step.b + i), least_b), d, b_powers + i);
    }
    for (std::size_t row = 0; row < kTileRows; row += kAlignedRows) {
      for (std::size_t col = 0; col < kTileCols; col += 2 * lanes) {
        SingleVector acc[kAlignedRows][2];
        float* const carriers = range.acc + row * kTileCols + col;
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kAlignedRows; ++i) {
          acc[i][0] = hn::LoadU(d, carriers + i * kTileCols);
          acc[i][1] = hn::LoadU(d, carriers + i * kTileCols + lanes);
        }
        aligned_step<kNearest, kFloor, kSeparate, kCount>(step, rounding, row, col, acc, lane_counts);
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kAlignedRows; ++i) {
          hn::StoreU(acc[i][0], d, carriers + i * kTileCols);
          hn::StoreU(acc[i][1], d, carriers + i * kTileCols + lanes);
        }
      }
    }
  }
  counts.inexact += StepLanes::total(lane_counts.inexact);
  counts.swamped += lane_counts.swamped;
}

bool run_aligned_here(const AlignedRange& range, const AlignedRounding& rounding, AlignedCounts& counts) {
  const auto run = [&]<bool kNearest, bool kFloor, bool kSeparate>() {
    range.counts_events ? run_aligned<kNearest, kFloor, kSeparate, true>(range, rounding, counts)
                        : run_aligned<kNearest, kFloor, kSeparate, false>(range, rounding, counts);
  };
  const auto run_separate = [&]<bool kNearest, bool kFloor>() {
    rounding.separate ? run.template operator()<kNearest, kFloor, true>()
                      : run.template operator()<kNearest, kFloor, false>();
  };
  if (rounding.nearest) {
    rounding.floors_terms ? run_separate.template operator()<true, true>()
                          : run_separate.template operator()<true, false>();
  } else {
    rounding.floors_terms ? run_separate.template operator()<false, true>()
                          : run_separate.template operator()<false, false>();
  }
  return true;
}

#else

bool run_aligned_here(const AlignedRange&, const AlignedRounding&, AlignedCounts&) { return false; }

#endif

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {

HWY_EXPORT(run_aligned_here);

bool run_aligned_steps(const AlignedRange& range, const AlignedRounding& rounding, AlignedCounts& counts) {
  return HWY_DYNAMIC_DISPATCH(run_aligned_here)(range, rounding, counts);
}

}  // namespace guardbit::kernels
#endif
