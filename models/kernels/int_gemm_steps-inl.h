// Integer accumulators that wrap or saturate at every step. Included once per Highway target.
#if defined(GUARDBIT_INT_GEMM_STEPS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef GUARDBIT_INT_GEMM_STEPS_INL
#undef GUARDBIT_INT_GEMM_STEPS_INL
#else
#define GUARDBIT_INT_GEMM_STEPS_INL
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "models/kernels/int_gemm_tile.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using WordTag = hn::ScalableTag<std::int32_t>;
using WordVector = hn::Vec<WordTag>;

/// acc += the two products of a word of 16-bit halves.
HWY_INLINE WordVector add_pairs(WordVector acc, const std::int32_t* a, WordVector b) {
  const WordTag d;
  const auto word = hn::Set(d, *a);
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  // On x86 "reordered" is pmaddwd: neighbours, and nothing in the second accumulator.
  const hn::Repartition<std::int16_t, WordTag> d16;
  auto unused = hn::Zero(d);
  return hn::ReorderWidenMulAccumulate(d, hn::BitCast(d16, word), hn::BitCast(d16, b), acc, unused);
#else
  const auto low_product =
      hn::Mul(hn::ShiftRight<16>(hn::ShiftLeft<16>(word)), hn::ShiftRight<16>(hn::ShiftLeft<16>(b)));
  const auto high_product = hn::Mul(hn::ShiftRight<16>(word), hn::ShiftRight<16>(b));
  return hn::Add(acc, hn::Add(low_product, high_product));
#endif
}

/// Four rows times one vector of accumulators that wrap or saturate to inner_bits <= 31 at every step.
/// |acc| <= 2^30 and a product <= 2^14 stay within 32 bits.
template <bool kSaturate>
struct NarrowSums {
  const IntGemmPlan& plan;
  const int code_bits = plan.dot == IntDot::kQuads ? 8 : 16;
  const std::int32_t inverted_signs = plan.dot == IntDot::kQuads ? static_cast<std::int32_t>(0x80808080u) : 0;

  /// One word of a and b. kChecked: `overflows` counts the steps that left the range; otherwise there are none.
  template <bool kChecked>
  HWY_INLINE void add_word(const std::int32_t* a, WordVector b, WordVector (&acc)[4], WordVector& overflows) const {
    const WordTag d;
    const int spare_bits = 32 - plan.inner_bits;
    const auto high = hn::Set(d, (1 << (plan.inner_bits - 1)) - 1);
    const auto low = hn::Set(d, -(1 << (plan.inner_bits - 1)));
    const auto word = hn::Xor(b, hn::Set(d, inverted_signs));
    for (int shift_up = 32 - code_bits; shift_up >= 0; shift_up -= code_bits) {  // k ascending from the low bits
      const auto code = hn::ShiftRightSame(hn::ShiftLeftSame(word, shift_up), 32 - code_bits);
      for (std::size_t i = 0; i < 4; ++i) {
        const std::uint32_t shifted = static_cast<std::uint32_t>(a[i]) << shift_up;
        // As a pair (code, 0), so that the upper half of b's sign-extended code does not matter.
        const std::int32_t own = (static_cast<std::int32_t>(shifted) >> (32 - code_bits)) & 0xFFFF;
        const auto sum = add_pairs(acc[i], &own, code);
        if constexpr (!kChecked) {
          acc[i] = sum;
        } else {
          acc[i] = kSaturate ? hn::Max(hn::Min(sum, high), low)
                             : hn::ShiftRightSame(hn::ShiftLeftSame(sum, spare_bits), spare_bits);
          overflows = hn::Sub(overflows, hn::VecFromMask(d, hn::Ne(acc[i], sum)));
        }
      }
    }
  }

  /// sums of one chunk; returns the number of steps that left the range. Blocks of words in which nothing can, seen
  /// from the accumulators' magnitude before them, go unchecked. `max_product` bounds |a * b|.
  std::uint64_t run(const std::int32_t* HWY_RESTRICT a, const std::int32_t* HWY_RESTRICT b, std::size_t num_groups,
                    std::int32_t max_product, std::int32_t* HWY_RESTRICT sums) const {
    constexpr std::size_t kBlockGroups = 8;
    const WordTag d;
    const std::size_t lanes = hn::Lanes(d);
    const std::size_t width = 2 * lanes;
    const auto growth = static_cast<std::int32_t>(kBlockGroups * plan.group()) * max_product;
    const auto safe = hn::Set(d, (1 << (plan.inner_bits - 1)) - 1 - growth);
    auto overflows = hn::Zero(d);
    for (std::size_t column = 0; column < width; column += lanes) {
      for (std::size_t row = 0; row < kIntTileRows; row += 4) {
        WordVector acc[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
        for (std::size_t begin = 0; begin < num_groups; begin += kBlockGroups) {
          const std::size_t end = std::min(num_groups, begin + kBlockGroups);
          const auto largest =
              hn::Max(hn::Max(hn::Abs(acc[0]), hn::Abs(acc[1])), hn::Max(hn::Abs(acc[2]), hn::Abs(acc[3])));
          const bool is_safe = hn::AllFalse(d, hn::Gt(largest, safe));
          for (std::size_t group = begin; group < end; ++group) {
            const auto word = hn::Load(d, b + group * width + column);
            const std::int32_t* own = a + group * kIntTileRows + row;
            if (is_safe) {
              add_word<false>(own, word, acc, overflows);
            } else {
              add_word<true>(own, word, acc, overflows);
            }
          }
        }
        for (std::size_t i = 0; i < 4; ++i) hn::Store(acc[i], d, sums + (row + i) * width + column);
      }
    }
    return sum_lanes(d, overflows);
  }
};

#if HWY_TARGET != HWY_SCALAR

/// A whole tile of 16-bit accumulators that wrap or saturate at every step: a vector has the tile's width. A product of
/// 8-bit codes is a 16-bit number, at most 2^14 in magnitude. A step leaves the range iff the saturating and the
/// wrapping sum differ.
template <bool kSaturate, bool kCount>
HWY_NOINLINE std::uint64_t sum_halves(const std::int32_t* HWY_RESTRICT a, const std::int16_t* HWY_RESTRICT b,
                                      std::size_t length, std::int32_t* HWY_RESTRICT sums) {
  const WordTag d;
  const hn::Repartition<std::int16_t, WordTag> d16;
  const hn::Repartition<std::uint16_t, WordTag> du16;
  using HalfVector = hn::Vec<decltype(d16)>;
  constexpr std::size_t kMaxCountedSteps = 4096;  // 8 rows share a counter: at most 2^15 a lane
  const std::size_t width = hn::Lanes(d16);
  HWY_ALIGN std::uint16_t lanes[HWY_MAX_BYTES / sizeof(std::uint16_t)];
  HalfVector acc[kIntTileRows];
  HWY_UNROLL(8)
  for (std::size_t row = 0; row < kIntTileRows; ++row) acc[row] = hn::Zero(d16);
  std::uint64_t num_outside = 0;
  for (std::size_t begin = 0; begin < length; begin += kMaxCountedSteps) {
    auto outside = hn::Zero(du16);
    for (std::size_t k = begin; k < std::min(length, begin + kMaxCountedSteps); ++k) {
      const auto codes = hn::Load(d16, b + k * width);
      HWY_UNROLL(8)
      for (std::size_t row = 0; row < kIntTileRows; ++row) {
        const auto product = hn::Mul(hn::BitCast(d16, hn::Set(d, a[k * kIntTileRows + row])), codes);
        const auto saturated = hn::SaturatedAdd(acc[row], product);
        const auto wrapped = hn::Add(acc[row], product);
        if constexpr (kCount) {
          const auto differs = hn::BitCast(du16, hn::Xor(saturated, wrapped));
          outside = hn::Add(outside, hn::Min(differs, hn::Set(du16, 1)));
        }
        acc[row] = kSaturate ? saturated : wrapped;
      }
    }
    if constexpr (!kCount) continue;
    hn::Store(outside, du16, lanes);
    for (std::size_t i = 0; i < width; ++i) num_outside += lanes[i];
  }
  HWY_ALIGN std::int16_t values[kIntTileRows * kMaxIntTileWidth];
  HWY_UNROLL(8)
  for (std::size_t row = 0; row < kIntTileRows; ++row) hn::Store(acc[row], d16, values + row * width);
  std::copy(values, values + kIntTileRows * width, sums);
  return num_outside;
}

std::uint64_t run_half_steps(const IntGemmPlan& plan, const std::int32_t* a, const std::int16_t* b, std::size_t length,
                             std::int32_t* sums) {
  if (!plan.saturate) return sum_halves<false, true>(a, b, length, sums);  // uncounted, it would not be stepwise
  return plan.count_inner ? sum_halves<true, true>(a, b, length, sums) : sum_halves<true, false>(a, b, length, sums);
}

#else

std::uint64_t run_half_steps(const IntGemmPlan&, const std::int32_t*, const std::int16_t*, std::size_t, std::int32_t*) {
  return 0;
}

#endif

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace guardbit::kernels
HWY_AFTER_NAMESPACE();

#endif
