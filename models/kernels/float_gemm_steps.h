#pragma once
/// Fast kernels for a range of sequential steps of one tile, exact products. Which of them may run a block, and why it
/// is exact there, is decided by float_gemm_chunk.cpp; all of them equal the general kernel where they are allowed.
#include <cstddef>
#include <cstdint>
#include <span>

namespace guardbit::kernels {

/// Events of single steps that a fast kernel counts. Overflow is either impossible, or known from the final state.
enum class StepCounting {
  kNone,
  kSwamped,  ///< swamped alone
  kInexact,  ///< inexact and swamped; only where no sum can underflow
  kAll,      ///< also underflow and flushed
};

struct StepCounts {
  std::uint64_t overflow = 0;  ///< accumulators that became infinite, padding included, or steps that were clamped
  std::uint64_t saturated = 0;
  std::uint64_t inexact = 0;
  std::uint64_t swamped = 0;
  std::uint64_t underflow = 0;
  std::uint64_t flushed = 0;
};

/// Largest range in which 16-bit counters cannot overflow.
inline constexpr std::size_t kMaxCountedSteps = 2048;

/// How the narrow kernel rounds sums to p <= 11 bits, and its constants.
struct NarrowRounding {
  enum class Mode { kNearest, kTruncate, kStochastic, kAway, kUp, kDown, kOdd };  ///< kNearest: ties to even
  Mode mode = Mode::kNearest;
  bool fused_is_exact = false;  ///< a binary32 fused sum, rounded to p bits, is the exact sum rounded
  float spread = 0;             ///< 2^(24-p)
  float min_normal = 0;         ///< 2^emin
  float tiny_threshold = 0;     ///< as RoundingConstants
  float sum_limit = 0;          ///< sums up to it do not overflow; at most 2^100
  float max_finite = 0;
  std::uint32_t spread_exponent = 0;  ///< 24 - p in binary32's exponent field
  std::uint32_t keep_mask = 0;        ///< the p leading significand bits of a binary32 code, and what is above
  std::uint32_t random_mask = 0;      ///< kStochastic: n ones
  int random_shift = 0;               ///< kStochastic: of the random bits, to just below the kept ones
  /// Multiplying operands with these (and accumulators with their product) makes 2^emin binary32's smallest normal
  /// number: dropping low bits of a code then rounds subnormals too. Operands may not fit; 0: there is no such domain.
  float a_scale = 0;
  float b_scale = 0;
  int a_scale_exponent = 0;
  int b_scale_exponent = 0;
};

/// Steps [0, length) on one tile; finite operands unless counting is kNone and reject_infinities is false.
struct StepRange {
  const float* a = nullptr;                 ///< (length, 8) carriers
  const float* b = nullptr;                 ///< (length, 32) carriers
  const std::uint32_t* a_halves = nullptr;  ///< (length, 8) binary16 codes, each twice in a word; half kernel only
  const std::uint16_t* b_halves = nullptr;  ///< (length, 32) binary16 codes; half kernel only
  const std::uint32_t* a_random = nullptr;  ///< (length, 8) random bits shifted by random_shift, kStochastic only
  const std::uint32_t* b_random = nullptr;  ///< (length, 32)
  const std::uint8_t* a_nonzero = nullptr;  ///< (length) how many of the 8; narrow kernel, kSwamped only
  const std::uint8_t* b_nonzero = nullptr;  ///< (length) how many of the 32
  std::size_t length = 0;
  bool truncate = false;           ///< rtz instead of rne; half and single kernels
  bool reject_infinities = false;  ///< give up if an accumulator ends infinite or NaN; half and single kernels
  bool plain = false;              ///< narrow kernel: no sum underflows and no accumulator is -0
  bool scaled = false;             ///< narrow kernel, not kNearest: operands are scaled; sums may underflow
  /// Narrow kernel: from accumulators whose magnitudes are at most `guard`, no sum of `stride` steps exceeds
  /// rounding.sum_limit; or, with `clamps`, overflows deliver the largest finite value and no sum exceeds 2^100.
  float guard = 0;
  std::size_t stride = 0;
  bool clamps = false;
  float* acc = nullptr;  ///< (8, 32) carriers
};

/// Each of these kernels updates acc and adds to counts, or returns false with both untouched: the range is rejected.
///
/// fp16 accumulator on AVX512-FP16. Rejects for infinities, or, with kAll, because an inexact result is +-2^-14, the
/// smallest normal number: it may or may not have been tiny.
bool run_half_steps(const StepRange& range, StepCounting counting, StepCounts& counts);
/// fp32 accumulator. Rejects likewise (+-2^-126), and what the target has no instructions for.
bool run_single_steps(const StepRange& range, StepCounting counting, StepCounts& counts);

/// p <= 11, held in binary32. Runs as many strides as begin within the guard, updates acc and adds to counts, and
/// returns the number of steps done: 0, with nothing changed, where an accumulator is beyond the guard or NaN at once,
/// or the target has no instructions. Test: tests/differential/float_gemm_test.cpp, float_gemm_narrow_test.cpp.
std::size_t run_narrow_steps(const StepRange& range, const NarrowRounding& rounding, StepCounting counting,
                             StepCounts& counts);

/// acc = acc + addend * scale, each rounded once to fp32: the promotion of a whole tile (8, 32) into an fp32 outer
/// accumulator. False with nothing changed: a result is infinite or NaN, or (counting) may have underflowed, or the
/// target has no instructions.
bool add_to_single(const float* addend, float scale, bool counts_events, float* acc, StepCounts& counts);

/// binary16 codes of carriers that binary16 has; as words with each code twice.
void pack_half(std::span<const float> values, std::span<std::uint16_t> codes);
void pack_half_pairs(std::span<const float> values, std::span<std::uint32_t> pairs);

}  // namespace guardbit::kernels
