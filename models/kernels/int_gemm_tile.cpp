#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/int_gemm_tile.cpp"
#include <hwy/foreach_target.h>
// foreach_target.h must come before highway.h.
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "models/kernels/int_gemm_tile.h"

// Per target, after highway.h.
#include "models/kernels/int_gemm_outer-inl.h"
#include "models/kernels/int_gemm_steps-inl.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// Accumulators of kRowsAtOnce rows and two vectors have to fit into the registers.
constexpr std::size_t kRowsAtOnce = HWY_TARGET == HWY_AVX3 ? kIntTileRows : 4;

/// acc += the four products of a word of bytes, those of b unsigned. As an instruction, because for the intrinsic
/// g++ 12 copies the accumulator each time, and because Highway 1.0.3 has no target with avx512vnni.
HWY_INLINE WordVector add_quads(WordVector acc, const std::int32_t* a, WordVector b) {
#if HWY_TARGET == HWY_AVX3
  asm("vpdpbusd %[a]%{1to16%}, %[b], %[acc]" : [acc] "+v"(acc.raw) : [a] "m"(*a), [b] "v"(b.raw));
#else
  (void)a;
  (void)b;
#endif
  return acc;
}

/// sums (rows of a tile, width) of one chunk, modulo 2^32. b + 128 in kQuads adds 128 * (row sum of a), taken off here.
template <IntDot kDot>
HWY_INLINE void sum_chunk(const std::int32_t* HWY_RESTRICT a, const std::int32_t* HWY_RESTRICT b,
                          const std::int32_t* HWY_RESTRICT row_sums, std::size_t num_groups,
                          std::int32_t* HWY_RESTRICT sums) {
  const WordTag d;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t width = 2 * lanes;
  for (std::size_t row = 0; row < kIntTileRows; row += kRowsAtOnce) {
    WordVector acc[kRowsAtOnce][2];
    for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
      acc[i][0] = acc[i][1] =
          kDot == IntDot::kQuads
              ? hn::Set(d, static_cast<std::int32_t>(0u - 128u * static_cast<std::uint32_t>(row_sums[row + i])))
              : hn::Zero(d);
    }
    for (std::size_t group = 0; group < num_groups; ++group) {
      const auto b0 = hn::Load(d, b + group * width);
      const auto b1 = hn::Load(d, b + group * width + lanes);
      const std::int32_t* words = a + group * kIntTileRows + row;
      HWY_UNROLL(8)
      for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
        if constexpr (kDot == IntDot::kQuads) {
          acc[i][0] = add_quads(acc[i][0], words + i, b0);
          acc[i][1] = add_quads(acc[i][1], words + i, b1);
        } else {
          acc[i][0] = add_pairs(acc[i][0], words + i, b0);
          acc[i][1] = add_pairs(acc[i][1], words + i, b1);
        }
      }
    }
    for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
      hn::Store(acc[i][0], d, sums + (row + i) * width);
      hn::Store(acc[i][1], d, sums + (row + i) * width + lanes);
    }
  }
}

/// Keeps the low inner_bits of sums.
HWY_INLINE void wrap_sums(int inner_bits, std::int32_t* HWY_RESTRICT sums, std::size_t num_outputs) {
  const WordTag d;
  for (std::size_t i = 0; i < num_outputs; i += hn::Lanes(d)) {
    const auto sum = hn::Load(d, sums + i);
    hn::Store(hn::ShiftRightSame(hn::ShiftLeftSame(sum, 32 - inner_bits), 32 - inner_bits), d, sums + i);
  }
}

bool run_tile(const IntGemmPlan& plan, OuterMethod method, IntTile& tile) {
  const std::size_t width = 2 * hn::Lanes(WordTag());
  const std::size_t num_outputs = kIntTileRows * width;
  HWY_ALIGN std::int32_t sums[kIntTileRows * kMaxIntTileWidth];
  for (std::size_t chunk = 0; chunk < plan.num_chunks; ++chunk) {
    const std::int32_t* a = tile.a + chunk * plan.groups_per_chunk * kIntTileRows;
    const std::int32_t* b = tile.b + chunk * plan.groups_per_chunk * width;
    const std::int32_t* row_sums = tile.row_sums + chunk * kIntTileRows;
    const std::size_t num_groups = plan.groups_of(chunk);
    const std::int64_t inner_max = (std::int64_t{1} << (plan.inner_bits - 1)) - 1;
    const bool stepwise =
        plan.inner_may_overflow && std::int64_t{tile.max_abs_a[chunk]} * tile.abs_sums_b[chunk] > inner_max;
    if (stepwise && plan.has_half_steps && HWY_TARGET != HWY_SCALAR) {
      const std::size_t begin = chunk * plan.chunk_length;
      tile.inner_events[plan.saturate ? numerics::Event::kSaturated : numerics::Event::kWrapped] += run_half_steps(
          plan, tile.a_halves + begin * kIntTileRows, tile.b_halves + begin * width, plan.length_of(chunk), sums);
    } else if (stepwise) {
      const std::int32_t max_product = tile.max_abs_a[chunk] << (plan.operand_bits - 1);
      tile.inner_events[plan.saturate ? numerics::Event::kSaturated : numerics::Event::kWrapped] +=
          plan.saturate ? NarrowSums<true>{plan}.run(a, b, num_groups, max_product, sums)
                        : NarrowSums<false>{plan}.run(a, b, num_groups, max_product, sums);
    } else if (plan.dot == IntDot::kQuads) {
      sum_chunk<IntDot::kQuads>(a, b, row_sums, num_groups, sums);
    } else {
      sum_chunk<IntDot::kPairs>(a, b, row_sums, num_groups, sums);
    }
    if (plan.keep_low_bits) wrap_sums(plan.inner_bits, sums, num_outputs);

    if (method == OuterMethod::kScalarRounder) {
      promote_by_rounder(plan, chunk, sums, width, tile);
      continue;
    }
    const float scale = plan.scale_of(chunk);
    const OuterCounts counts = plan.count_outer
                                   ? promote_vector<true>(plan, method, scale, sums, tile.outer, num_outputs)
                                   : promote_vector<false>(plan, method, scale, sums, tile.outer, num_outputs);
    if (!counts.within_range) return false;
    tile.outer_events[numerics::Event::kInexact] += counts.inexact;
    tile.outer_events[numerics::Event::kSwamped] += counts.swamped;
    tile.outer_events[numerics::Event::kUnderflow] += counts.underflow;
    tile.outer_events[numerics::Event::kFlushed] += counts.flushed;
  }
  return true;
}

std::size_t tile_width() { return 2 * hn::Lanes(WordTag()); }

bool target_has_quads() {
#if HWY_TARGET == HWY_AVX3
  return __builtin_cpu_supports("avx512vnni") != 0;
#else
  return false;
#endif
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace guardbit::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {
namespace {

HWY_EXPORT(run_tile);
HWY_EXPORT(tile_width);
HWY_EXPORT(target_has_quads);

}  // namespace

std::size_t int_tile_width() { return HWY_DYNAMIC_DISPATCH(tile_width)(); }
bool has_int_quads() { return HWY_DYNAMIC_DISPATCH(target_has_quads)(); }
bool run_int_tile(const IntGemmPlan& plan, OuterMethod method, IntTile& tile) {
  return HWY_DYNAMIC_DISPATCH(run_tile)(plan, method, tile);
}

void promote_by_rounder(const IntGemmPlan& plan, std::size_t chunk, const std::int32_t* sums, std::size_t width,
                        IntTile& tile) {
  const float scale = plan.scale_of(chunk);
  for (std::size_t row = 0; row < tile.num_rows; ++row) {
    for (std::size_t column = 0; column < tile.num_columns; ++column) {
      float& outer = tile.outer[row * width + column];
      const std::uint32_t random = tile.row_words == nullptr ? 0
                                                             : tile.row_words[chunk * kIntTileRows + row] ^
                                                                   tile.column_words[chunk * width + column];
      outer = plan.rounder.accumulate_scaled(outer, scale, sums[row * width + column], tile.outer_events, random);
    }
  }
}

}  // namespace guardbit::kernels
#endif  // HWY_ONCE
