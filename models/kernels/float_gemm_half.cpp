#include "models/kernels/float_gemm_steps.h"
#include "models/kernels/native_fp16.h"
#include "models/numerics/check.h"

#if defined(GUARDBIT_NATIVE_FP16)
#include <immintrin.h>

namespace guardbit::kernels {
namespace {

constexpr int kRows = 8;
constexpr int kCols = 32;
constexpr int kExactDown = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
constexpr int kExactUp = _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC;
constexpr int kToZero = _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC;

// Operand classes of vfpclassph.
constexpr int kZeroClass = 0x02 | 0x04;
constexpr int kInfinityClass = 0x08 | 0x10;
constexpr int kNanClass = 0x01 | 0x80;
constexpr int kSubnormalClass = 0x20;

[[gnu::target("avx512fp16")]] inline __m512h load_carriers(const float* carriers) {
  const __m256i low = _mm512_cvtps_ph(_mm512_loadu_ps(carriers), _MM_FROUND_TO_NEAREST_INT);
  const __m256i high = _mm512_cvtps_ph(_mm512_loadu_ps(carriers + 16), _MM_FROUND_TO_NEAREST_INT);
  return _mm512_castsi512_ph(_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
}

/// NaNs become the canonical carrier.
[[gnu::target("avx512fp16")]] inline void store_carriers(__m512h half, float* carriers) {
  const __m512i codes = _mm512_castph_si512(half);
  const __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32(0x7FC00000));
  const __m256i parts[] = {_mm512_castsi512_si256(codes), _mm512_extracti64x4_epi64(codes, 1)};
  for (int i = 0; i < 2; ++i) {
    const __m512 values = _mm512_cvtph_ps(parts[i]);
    const __mmask16 is_nan = _mm512_cmp_ps_mask(values, values, _CMP_UNORD_Q);
    _mm512_storeu_ps(carriers + 16 * i, _mm512_mask_mov_ps(values, is_nan, nan));
  }
}

/// Counters of 16 bits: at most 8 * kMaxCountedSteps = 2^14 a lane. They are counted by masked vector subtraction: g++
/// 12 miscompiles population counts of spilled masks.
[[gnu::target("avx512fp16")]] inline __m512i counted(__m512i counter, __mmask32 mask) {
  return _mm512_mask_sub_epi16(counter, mask, counter, _mm512_set1_epi16(-1));
}

[[gnu::target("avx512fp16")]] inline std::uint64_t total(__m512i counter) {
  return static_cast<std::uint64_t>(_mm512_reduce_add_epi32(_mm512_madd_epi16(counter, _mm512_set1_epi16(1))));
}

struct Counters {
  __m512i inexact, swamped, underflow, flushed, doubtful;
};

/// One step of one row. The directed results are equal exactly if the sum is representable (+0 and -0 compare equal:
/// an exact zero). Finite operands: no NaN.
template <StepCounting kCounting, bool kTruncate>
[[gnu::target("avx512fp16"), gnu::always_inline]] inline __m512h step(__m512h a, __m512h b, __m512h c, Counters& n) {
  const __m512h sum = kTruncate ? _mm512_fmadd_round_ph(a, b, c, kToZero) : _mm512_fmadd_ph(a, b, c);
  if constexpr (kCounting == StepCounting::kNone) return sum;
  const __m512h down = _mm512_fmadd_round_ph(a, b, c, kExactDown);
  const __m512h up = _mm512_fmadd_round_ph(a, b, c, kExactUp);
  const __mmask32 inexact = _mm512_cmp_ph_mask(down, up, _CMP_NEQ_OQ);
  n.inexact = counted(n.inexact, inexact);
  const __mmask32 unchanged = _mm512_mask_cmp_ph_mask(inexact, sum, c, _CMP_EQ_OQ);
  if constexpr (kCounting == StepCounting::kInexact) {
    // Sums are multiples of the quantum, so an inexact one is normal, and so is the accumulator that equals it.
    n.swamped = counted(n.swamped, unchanged);
    return sum;
  }
  n.swamped = counted(n.swamped, _mm512_mask_cmp_ph_mask(unchanged, c, _mm512_setzero_ph(), _CMP_NEQ_OQ));
  n.flushed = counted(n.flushed, _mm512_mask_fpclass_ph_mask(inexact, sum, kZeroClass));
  n.underflow = counted(n.underflow, _mm512_mask_fpclass_ph_mask(inexact, sum, kZeroClass | kSubnormalClass));
  const __m512i magnitude = _mm512_and_si512(_mm512_castph_si512(sum), _mm512_set1_epi16(0x7FFF));
  constexpr short kMinNormalCode = 0x0400;
  n.doubtful = counted(n.doubtful, _mm512_mask_cmpeq_epi16_mask(inexact, magnitude, _mm512_set1_epi16(kMinNormalCode)));
  return sum;
}

/// Number of the tile's accumulators that are of some class.
[[gnu::target("avx512fp16")]] inline std::uint64_t count_class(const __m512h (&acc)[kRows], int operand_class) {
  __m512i found = _mm512_setzero_si512();
  for (const __m512h& row : acc) {
    const __mmask32 mask = operand_class == kInfinityClass ? _mm512_fpclass_ph_mask(row, kInfinityClass)
                                                           : _mm512_fpclass_ph_mask(row, kInfinityClass | kNanClass);
    found = counted(found, mask);
  }
  return total(found);
}

template <StepCounting kCounting, bool kTruncate>
[[gnu::target("avx512fp16")]] bool run(const StepRange& range, StepCounts& counts) {
  const __m512i none = _mm512_setzero_si512();
  Counters n{none, none, none, none, none};
  __m512h acc[kRows];
  for (int i = 0; i < kRows; ++i) acc[i] = load_carriers(range.acc + i * kCols);
  const std::uint64_t infinities = count_class(acc, kInfinityClass);
  for (std::size_t k = 0; k < range.length; ++k) {
    const __m512h b = _mm512_loadu_ph(range.b_halves + k * kCols);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const __m512h a = _mm512_castsi512_ph(
          _mm512_set1_epi32(static_cast<int>(range.a_halves[k * kRows + static_cast<std::size_t>(i)])));
      acc[i] = step<kCounting, kTruncate>(a, b, acc[i], n);
    }
  }
  if (range.reject_infinities && count_class(acc, kInfinityClass | kNanClass) != 0) return false;
  if (kCounting == StepCounting::kAll && total(n.doubtful) != 0) return false;
  counts.overflow += count_class(acc, kInfinityClass) - infinities;
  if (kCounting != StepCounting::kNone) {
    counts.inexact += total(n.inexact);
    counts.swamped += total(n.swamped);
    counts.underflow += total(n.underflow);
    counts.flushed += total(n.flushed);
  }
  for (int i = 0; i < kRows; ++i) store_carriers(acc[i], range.acc + i * kCols);
  return true;
}

}  // namespace

bool run_half_steps(const StepRange& range, StepCounting counting, StepCounts& counts) {
  GUARDBIT_CHECK(counting == StepCounting::kNone || range.length <= kMaxCountedSteps,
                 "16-bit counters do not overflow");
  switch (counting) {
    case StepCounting::kNone:
      return range.truncate ? run<StepCounting::kNone, true>(range, counts)
                            : run<StepCounting::kNone, false>(range, counts);
    case StepCounting::kInexact:
      return range.truncate ? run<StepCounting::kInexact, true>(range, counts)
                            : run<StepCounting::kInexact, false>(range, counts);
    case StepCounting::kSwamped:
    case StepCounting::kAll: break;
  }
  return range.truncate ? run<StepCounting::kAll, true>(range, counts) : run<StepCounting::kAll, false>(range, counts);
}

[[gnu::target("avx512fp16")]] void pack_half(std::span<const float> values, std::span<std::uint16_t> codes) {
  GUARDBIT_CHECK(values.size() % 16 == 0 && codes.size() == values.size(), "panels are whole vectors");
  for (std::size_t i = 0; i < values.size(); i += 16) {
    const __m256i half = _mm512_cvtps_ph(_mm512_loadu_ps(values.data() + i), _MM_FROUND_TO_NEAREST_INT);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes.data() + i), half);
  }
}

[[gnu::target("avx512fp16,f16c")]] void pack_half_pairs(std::span<const float> values, std::span<std::uint32_t> pairs) {
  GUARDBIT_CHECK(values.size() % 8 == 0 && pairs.size() == values.size(), "row blocks are whole vectors");
  for (std::size_t i = 0; i < values.size(); i += 8) {
    const __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(values.data() + i), _MM_FROUND_TO_NEAREST_INT);
    const __m256i words = _mm256_cvtepu16_epi32(half);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(pairs.data() + i),
                        _mm256_or_si256(words, _mm256_slli_epi32(words, 16)));
  }
}

}  // namespace guardbit::kernels

#else

namespace guardbit::kernels {

bool run_half_steps(const StepRange&, StepCounting, StepCounts&) {
  fail_check(__FILE__, __LINE__, "has_native_fp16()", "this build has no AVX512-FP16 kernels");
}
void pack_half(std::span<const float>, std::span<std::uint16_t>) {}
void pack_half_pairs(std::span<const float>, std::span<std::uint32_t>) {}

}  // namespace guardbit::kernels
#endif
