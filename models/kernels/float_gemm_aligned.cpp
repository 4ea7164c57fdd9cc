#include "models/kernels/float_gemm_steps.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/float_gemm_aligned.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "models/kernels/float_gemm_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

#if HWY_TARGET <= HWY_AVX3  // has conversions with embedded rounding

inline constexpr std::size_t kMaxTerms = 32;
inline constexpr std::size_t kAlignedRows = 4;  // scales and sums of 4 rows x 2 vectors stay in registers

/// 2^max(floor(log2 |x|), emin) of 16 operands, 0 for zeros; `least` is 2^emin.
HWY_INLINE SingleVector power_of(SingleVector x, SingleVector least) {
  const SingleTag d;
  const auto field = hn::BitCast(d, hn::Set(WordTag(), 0x7F800000u));
  return hn::IfThenZeroElse(hn::Eq(x, hn::Zero(d)), hn::Max(hn::And(x, field), least));
}

/// One step of kAlignedRows rows x 32 columns: terms k .. k + num_terms - 1. The powers of two of the exponents are
/// multiplied where hardware adds exponents. All terms times `scale` = 2^F / (largest power) are below 2^(F+2), so that
/// conversion to integers truncates them to multiples of the quantum, and their sum fits 32 bits.
template <bool kNearest>
HWY_INLINE void aligned_step(const StepRange& range, const AlignedRounding& rounding, std::size_t k,
                             std::size_t num_terms, std::size_t row, const float* a_powers, const float* b_powers,
                             SingleVector (&acc)[kAlignedRows][2]) {
  const SingleTag d;
  const WordTag du;
  const hn::RebindToSigned<SingleTag> di;
  const std::size_t lanes = hn::Lanes(d);
  const auto field = hn::BitCast(d, hn::Set(du, 0x7F800000u));
  SingleVector largest[kAlignedRows][2];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kAlignedRows; ++i) {
#pragma GCC unroll 2
    for (std::size_t j = 0; j < 2; ++j) {
      // Where every term is zero, any scale will do.
      largest[i][j] = hn::Max(hn::And(acc[i][j], field), hn::Set(d, 0x1p-90F));
    }
  }
  for (std::size_t term = 0; term < num_terms; ++term) {
    const auto b0 = hn::Load(d, b_powers + term * kTileCols);
    const auto b1 = hn::Load(d, b_powers + term * kTileCols + lanes);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kAlignedRows; ++i) {
      const auto a = hn::Set(d, a_powers[term * kTileRows + row + i]);
      largest[i][0] = hn::Max(largest[i][0], hn::Mul(a, b0));
      largest[i][1] = hn::Max(largest[i][1], hn::Mul(a, b1));
    }
  }
  SingleVector scale[kAlignedRows][2];
  hn::Vec<decltype(di)> sum[kAlignedRows][2];
  const auto inverse = hn::Set(du, static_cast<std::uint32_t>(254 + rounding.fraction_bits) << 23);
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kAlignedRows; ++i) {
#pragma GCC unroll 2
    for (std::size_t j = 0; j < 2; ++j) {
      scale[i][j] = hn::BitCast(d, hn::Sub(inverse, hn::BitCast(du, largest[i][j])));
      sum[i][j] = hn::ConvertTo(di, hn::Mul(acc[i][j], scale[i][j]));
    }
  }
  for (std::size_t term = 0; term < num_terms; ++term) {
    const float* const b = range.b + (k + term) * kTileCols;
    const auto b0 = hn::LoadU(d, b);
    const auto b1 = hn::LoadU(d, b + lanes);
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kAlignedRows; ++i) {
      const auto a = hn::Set(d, range.a[(k + term) * kTileRows + row + i]);
      const auto scaled0 = hn::Mul(hn::Mul(a, b0), scale[i][0]);
      const auto scaled1 = hn::Mul(hn::Mul(a, b1), scale[i][1]);
      sum[i][0].raw = _mm512_add_epi32(sum[i][0].raw, _mm512_cvttps_epi32(scaled0.raw));
      sum[i][1].raw = _mm512_add_epi32(sum[i][1].raw, _mm512_cvttps_epi32(scaled1.raw));
    }
  }
  // The sum counts quanta of (largest power) * 2^-F.
  const auto to_quantum = hn::Set(d, rounding.quantum);
  const auto keep = hn::Set(du, rounding.keep_mask);
  constexpr int kMode = (kNearest ? _MM_FROUND_TO_NEAREST_INT : _MM_FROUND_TO_ZERO) | _MM_FROUND_NO_EXC;
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kAlignedRows; ++i) {
#pragma GCC unroll 2
    for (std::size_t j = 0; j < 2; ++j) {
      const SingleVector rounded{_mm512_cvt_roundepi32_ps(sum[i][j].raw, kMode)};
      const auto kept = hn::BitCast(d, hn::And(hn::BitCast(du, rounded), keep));
      const auto power = hn::BitCast(d, hn::Sub(inverse, hn::BitCast(du, scale[i][j])));
      acc[i][j] = hn::Mul(kept, hn::Mul(power, to_quantum));
    }
  }
}

template <bool kNearest>
void run_aligned(const StepRange& range, std::size_t width, const AlignedRounding& rounding) {
  const SingleTag d;
  const std::size_t lanes = hn::Lanes(d);
  HWY_ALIGN float a_powers[kMaxTerms * kTileRows];
  HWY_ALIGN float b_powers[kMaxTerms * kTileCols];
  const auto least_a = hn::Set(d, rounding.least_power_a);
  const auto least_b = hn::Set(d, rounding.least_power_b);
  for (std::size_t k = 0; k < range.length; k += width) {
    const std::size_t num_terms = std::min(width, range.length - k);
    for (std::size_t i = 0; i < num_terms * kTileRows; i += lanes) {
      const std::size_t valid = std::min(lanes, num_terms * kTileRows - i);  // half a vector at the end, perhaps
      HWY_ALIGN float values[HWY_LANES(float)] = {};
      std::copy_n(range.a + k * kTileRows + i, valid, values);
      hn::Store(power_of(hn::Load(d, values), least_a), d, a_powers + i);
    }
    for (std::size_t i = 0; i < num_terms * kTileCols; i += lanes) {
      hn::Store(power_of(hn::LoadU(d, range.b + k * kTileCols + i), least_b), d, b_powers + i);
    }
    for (std::size_t row = 0; row < kTileRows; row += kAlignedRows) {
      SingleVector acc[kAlignedRows][2];
      float* const carriers = range.acc + row * kTileCols;
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kAlignedRows; ++i) {
        acc[i][0] = hn::LoadU(d, carriers + i * kTileCols);
        acc[i][1] = hn::LoadU(d, carriers + i * kTileCols + lanes);
      }
      aligned_step<kNearest>(range, rounding, k, num_terms, row, a_powers, b_powers, acc);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kAlignedRows; ++i) {
        hn::StoreU(acc[i][0], d, carriers + i * kTileCols);
        hn::StoreU(acc[i][1], d, carriers + i * kTileCols + lanes);
      }
    }
  }
}

bool run_aligned_here(const StepRange& range, std::size_t width, const AlignedRounding& rounding) {
  if (rounding.nearest) {
    run_aligned<true>(range, width, rounding);
  } else {
    run_aligned<false>(range, width, rounding);
  }
  return true;
}

#else

bool run_aligned_here(const StepRange&, std::size_t, const AlignedRounding&) { return false; }

#endif

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {

HWY_EXPORT(run_aligned_here);

bool run_aligned_steps(const StepRange& range, std::size_t width, const AlignedRounding& rounding) {
  return HWY_DYNAMIC_DISPATCH(run_aligned_here)(range, width, rounding);
}

}  // namespace guardbit::kernels
#endif
