#include <algorithm>

#include "models/kernels/float_gemm_tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/kernels/float_gemm_random.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace guardbit::kernels::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR

void random_words_here(const RandomWords& which, std::size_t num_steps, std::uint32_t* words) {
  for (std::size_t step = 0; step < num_steps; ++step) {
    for (std::size_t i = 0; i < which.width; ++i) {
      const auto index = which.first_index + static_cast<std::uint32_t>(i);
      const auto random_step = static_cast<std::uint32_t>(step);
      const std::uint32_t word =
          which.is_row ? which.stream.row_word(index, random_step) : which.stream.column_word(index, random_step);
      words[step * which.width + i] = (word & which.mask) << which.shift;
    }
  }
}

#else

namespace hn = hwy::HWY_NAMESPACE;

using LaneTag = hn::ScalableTag<std::uint64_t>;
using HalfLaneTag = hn::Repartition<std::uint32_t, LaneTag>;
using LaneVector = hn::Vec<LaneTag>;

constexpr std::uint32_t kMultiplier0 = 0xD2511F53;
constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
constexpr std::uint32_t kRounds = 10;

/// Low words of x times a constant, 64 bits.
HWY_INLINE LaneVector multiply(LaneVector x, std::uint32_t multiplier) {
  const HalfLaneTag d;
  return hn::MulEven(hn::BitCast(d, x), hn::Set(d, multiplier));
}

/// numerics::philox4x32 with a counter per 64-bit lane; what stands in the upper halves of the words does not matter.
/// The first round of a counter (index, step, unit, axis) is split: half of it depends on the index only, the other
/// half on the step only.
void random_words_here(const RandomWords& which, std::size_t num_steps, std::uint32_t* words) {
  const LaneTag d;
  const hn::Rebind<std::uint32_t, LaneTag> narrow;
  const std::size_t lanes = hn::Lanes(d);
  const auto key0 = static_cast<std::uint32_t>(which.stream.seed);
  const auto key1 = static_cast<std::uint32_t>(which.stream.seed >> 32);
  const std::uint64_t unit_product = std::uint64_t{kMultiplier1} * which.stream.unit;
  for (std::size_t i = 0; i < which.width; i += lanes) {
    const auto index = hn::Iota(d, which.first_index + i);
    const auto index_product = multiply(index, kMultiplier0);
    const auto after_index = hn::Xor(hn::ShiftRight<32>(index_product), hn::Set(d, key1 ^ (which.is_row ? 0u : 1u)));
    for (std::size_t step = 0; step < num_steps; ++step) {
      const auto step_word = static_cast<std::uint32_t>(unit_product >> 32) ^ static_cast<std::uint32_t>(step) ^ key0;
      LaneVector counter[] = {hn::Set(d, step_word), hn::Set(d, unit_product), after_index, index_product};
#pragma GCC unroll 9
      for (std::uint32_t round = 1; round < kRounds; ++round) {
        const auto product0 = multiply(counter[0], kMultiplier0);
        const auto product1 = multiply(counter[2], kMultiplier1);
        counter[0] = hn::Xor(hn::ShiftRight<32>(product1), hn::Xor(counter[1], hn::Set(d, key0 + round * kWeyl0)));
        counter[2] = hn::Xor(hn::ShiftRight<32>(product0), hn::Xor(counter[3], hn::Set(d, key1 + round * kWeyl1)));
        counter[1] = product1;
        counter[3] = product0;
      }
      const auto shifted = hn::ShiftLeftSame(hn::And(counter[0], hn::Set(d, which.mask)), which.shift);
      hn::StoreU(hn::TruncateTo(narrow, shifted), narrow, words + step * which.width + i);
    }
  }
}

#endif

}  // namespace guardbit::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace guardbit::kernels {

HWY_EXPORT(random_words_here);

void random_words(const RandomWords& which, std::size_t num_steps, std::uint32_t* words) {
  HWY_DYNAMIC_DISPATCH(random_words_here)(which, num_steps, words);
}

}  // namespace guardbit::kernels
#endif
