#include <algorithm>

#include "models/kernels/float_gemm_tree.h"
#include "models/kernels/native_fp16.h"
#include "models/numerics/check.h"

#if defined(GUARDBIT_NATIVE_FP16)
#include <immintrin.h>

namespace guardbit::kernels {
namespace {

constexpr std::size_t kMaxWidth = 64;
constexpr std::size_t kTrees = 4;  // rows whose trees are evaluated side by side: the open nodes stay in registers
constexpr int kDown = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
constexpr int kUp = _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC;

/// The same node of kTrees trees.
struct Nodes {
  __m512h values[kTrees];
};

/// Operands of a group, from its first product and the trees' first row on.
struct Group {
  const float* a;
  const float* b;
  const std::uint32_t* a_halves;
  const std::uint16_t* b_halves;
};

[[gnu::target("avx512fp16"), gnu::always_inline]] inline __m512h add(__m512h x, __m512h y) {
  return _mm512_add_ph(x, y);
}

[[gnu::target("avx512fp16"), gnu::always_inline]] inline __m512h broadcast_pair(std::uint32_t pair) {
  return _mm512_castsi512_ph(_mm512_set1_epi32(static_cast<int>(pair)));
}

/// a0*b0 + a1*b1 in binary32, rounded to odd (float_gemm_lanes-inl.h, fused_odd) and then to binary16, which is one
/// rounding since 24 >= 11 + 2.
[[gnu::target("avx512fp16"), gnu::always_inline]] inline __m256i rounded_pair(__m512 a0, __m512 b0, __m512 a1,
                                                                              __m512 b1) {
  constexpr int kXorThenAnd = 0x28;  // (A ^ B) & C
  const __m512 first = _mm512_mul_ps(a0, b0);
  const __m512i low = _mm512_castps_si512(_mm512_fmadd_round_ps(a1, b1, first, kDown));
  const __m512i high = _mm512_castps_si512(_mm512_fmadd_round_ps(a1, b1, first, kUp));
  const __m512i sticky = _mm512_ternarylogic_epi32(low, high, _mm512_set1_epi32(1), kXorThenAnd);
  const __m512i odd = _mm512_or_si512(_mm512_min_epu32(low, high), sticky);
  return _mm512_cvtps_ph(_mm512_castsi512_ps(odd), _MM_FROUND_TO_NEAREST_INT);
}

/// Products k and k + 1 of kTrees rows, and their rounded sum. kExactProducts: the first product is a binary16, and the
/// second is fused into the sum.
template <bool kExactProducts>
[[gnu::target("avx512fp16"), gnu::always_inline]] inline Nodes leaf_pair(const Group& group, std::size_t k) {
  Nodes nodes;
  if constexpr (kExactProducts) {
    const __m512h b0 = _mm512_loadu_ph(group.b_halves + k * kTileCols);
    const __m512h b1 = _mm512_loadu_ph(group.b_halves + (k + 1) * kTileCols);
#pragma GCC unroll 4
    for (std::size_t t = 0; t < kTrees; ++t) {
      const __m512h first = _mm512_mul_ph(broadcast_pair(group.a_halves[k * kTileRows + t]), b0);
      nodes.values[t] = _mm512_fmadd_ph(broadcast_pair(group.a_halves[(k + 1) * kTileRows + t]), b1, first);
    }
  } else {
    const float* const b = group.b + k * kTileCols;
    const __m512 b0[] = {_mm512_loadu_ps(b), _mm512_loadu_ps(b + kTileCols / 2)};
    const __m512 b1[] = {_mm512_loadu_ps(b + kTileCols), _mm512_loadu_ps(b + kTileCols + kTileCols / 2)};
#pragma GCC unroll 4
    for (std::size_t t = 0; t < kTrees; ++t) {
      const __m512 a0 = _mm512_set1_ps(group.a[k * kTileRows + t]);
      const __m512 a1 = _mm512_set1_ps(group.a[(k + 1) * kTileRows + t]);
      const __m256i low = rounded_pair(a0, b0[0], a1, b1[0]);
      const __m256i high = rounded_pair(a0, b0[1], a1, b1[1]);
      nodes.values[t] = _mm512_castsi512_ph(_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
    }
  }
  return nodes;
}

/// Root of the tree over products k .. k + kWidth - 1.
template <bool kExactProducts, std::size_t kWidth>
[[gnu::target("avx512fp16"), gnu::always_inline]] inline Nodes root_of(const Group& group, std::size_t k) {
  if constexpr (kWidth == 2) {
    return leaf_pair<kExactProducts>(group, k);
  } else {
    Nodes nodes = root_of<kExactProducts, kWidth / 2>(group, k);
    const Nodes right = root_of<kExactProducts, kWidth / 2>(group, k + kWidth / 2);
#pragma GCC unroll 4
    for (std::size_t t = 0; t < kTrees; ++t) nodes.values[t] = add(nodes.values[t], right.values[t]);
    return nodes;
  }
}

/// Operands of the last, partial group, padded with +0.
struct PaddedGroup {
  explicit PaddedGroup(const StepRange& range, std::size_t begin) {
    std::copy(range.a + begin * kTileRows, range.a + range.length * kTileRows, a);
    std::copy(range.b + begin * kTileCols, range.b + range.length * kTileCols, b);
    std::copy(range.a_halves + begin * kTileRows, range.a_halves + range.length * kTileRows, a_halves);
    std::copy(range.b_halves + begin * kTileCols, range.b_halves + range.length * kTileCols, b_halves);
  }
  float a[kMaxWidth * kTileRows] = {};
  float b[kMaxWidth * kTileCols] = {};
  std::uint32_t a_halves[kMaxWidth * kTileRows] = {};
  std::uint16_t b_halves[kMaxWidth * kTileCols] = {};
};

/// Accumulators of all groups, in binary16; true if all are finite.
template <bool kExactProducts, std::size_t kWidth>
[[gnu::target("avx512fp16")]] bool run(const StepRange& range) {
  constexpr int kInfinityOrNan = 0x08 | 0x10 | 0x01 | 0x80;  // operand classes of vfpclassph
  const std::size_t whole = range.length / kWidth * kWidth;
  __m512h acc[kTileRows];
  __mmask32 not_finite = 0;
  for (std::size_t row = 0; row < kTileRows; row += kTrees) {
    Nodes sums;
    for (std::size_t t = 0; t < kTrees; ++t) sums.values[t] = _mm512_setzero_ph();
    for (std::size_t k = 0; k < whole; k += kWidth) {
      const Group group{range.a + k * kTileRows + row, range.b + k * kTileCols, range.a_halves + k * kTileRows + row,
                        range.b_halves + k * kTileCols};
      const Nodes root = root_of<kExactProducts, kWidth>(group, 0);
      for (std::size_t t = 0; t < kTrees; ++t) sums.values[t] = add(sums.values[t], root.values[t]);
    }
    if (whole < range.length) {
      const PaddedGroup last(range, whole);
      const Nodes root = root_of<kExactProducts, kWidth>({last.a + row, last.b, last.a_halves + row, last.b_halves}, 0);
      for (std::size_t t = 0; t < kTrees; ++t) sums.values[t] = add(sums.values[t], root.values[t]);
    }
    for (std::size_t t = 0; t < kTrees; ++t) {
      acc[row + t] = sums.values[t];
      not_finite |= _mm512_fpclass_ph_mask(sums.values[t], kInfinityOrNan);
    }
  }
  if (not_finite != 0) return false;
  for (std::size_t row = 0; row < kTileRows; ++row) {
    const __m512i codes = _mm512_castph_si512(acc[row]);
    _mm512_storeu_ps(range.acc + row * kTileCols, _mm512_cvtph_ps(_mm512_castsi512_si256(codes)));
    _mm512_storeu_ps(range.acc + row * kTileCols + kTileCols / 2, _mm512_cvtph_ps(_mm512_extracti64x4_epi64(codes, 1)));
  }
  return true;
}

template <bool kExactProducts>
bool run_width(const StepRange& range, std::size_t width) {
  switch (width) {
    case 2: return run<kExactProducts, 2>(range);
    case 4: return run<kExactProducts, 4>(range);
    case 8: return run<kExactProducts, 8>(range);
    case 16: return run<kExactProducts, 16>(range);
    case 32: return run<kExactProducts, 32>(range);
    default: break;
  }
  GUARDBIT_CHECK(width == kMaxWidth, "a tree has 2..64 leaves, a power of two");
  return run<kExactProducts, kMaxWidth>(range);
}

}  // namespace

bool run_half_tree(const StepRange& range, std::size_t width, bool exact_products) {
  return exact_products ? run_width<true>(range, width) : run_width<false>(range, width);
}

}  // namespace guardbit::kernels

#else

namespace guardbit::kernels {

bool run_half_tree(const StepRange&, std::size_t, bool) { return false; }

}  // namespace guardbit::kernels
#endif
