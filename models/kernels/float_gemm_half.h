#pragma once
/// fp16 accumulation on CPUs with AVX512-FP16: their fused multiply-add rounds the exact a*b + c once to binary16,
/// which is the step of a sequential fp16 accumulator with exact products. 8 rows x 32 columns a call. What calls may
/// be made, and why they are exact, is decided by float_gemm_tile.cpp.
#include <cstddef>
#include <cstdint>
#include <span>

namespace guardbit::kernels {

enum class HalfCounting {
  kNone,
  kInexact,  ///< inexact and swamped; only where no sum can underflow
  kAll,      ///< also underflow and flushed
};

struct HalfCounts {
  std::uint64_t overflow = 0;  ///< accumulators that became infinite, padding included
  std::uint64_t inexact = 0;
  std::uint64_t swamped = 0;
  std::uint64_t underflow = 0;
  std::uint64_t flushed = 0;
};

/// Steps [0, length) on one tile. Counting: all operands are finite, length <= kMaxHalfSteps.
struct HalfRange {
  const std::uint32_t* a = nullptr;  ///< (length, 8): binary16 codes, each twice in a word
  const std::uint16_t* b = nullptr;  ///< (length, 32): binary16 codes
  std::size_t length = 0;
  bool truncate = false;           ///< rtz instead of rne
  bool reject_infinities = false;  ///< give up if an accumulator ends infinite or NaN
  float* acc = nullptr;            ///< (8, 32) carriers
};
inline constexpr std::size_t kMaxHalfSteps = 2048;

/// Updates acc and adds to counts. False, with both untouched: the range was rejected, either for infinities or, with
/// kAll, because some inexact result is +-2^-14, the smallest normal number, which may or may not have been tiny.
bool run_half_range(const HalfRange& range, HalfCounting counting, HalfCounts& counts);

/// binary16 codes of carriers that binary16 has; as words with each code twice.
void pack_half(std::span<const float> values, std::span<std::uint16_t> codes);
void pack_half_pairs(std::span<const float> values, std::span<std::uint32_t> pairs);

}  // namespace guardbit::kernels
