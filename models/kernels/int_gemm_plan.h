#pragma once
/// What is decided once for an integer GEMM: chunking, whether sums can leave the accumulator, how the outer
/// accumulator is rounded. Target independent; the tiles of int_gemm_tile.cpp follow it.
#include <cstddef>
#include <cstdint>
#include <span>

#include "models/arith/accumulation_spec.h"
#include "models/kernels/scalar_rounder.h"

namespace guardbit::kernels {

/// How outer = round(outer + scale * I) is computed. All but the first assume that nothing leaves the finite range;
/// a tile in which something does is repeated with kScalarRounder.
enum class OuterMethod {
  kScalarRounder,  ///< any spec, one output at a time
  kFp64,           ///< any format, ties to even: sum to odd in binary64, then rounded by a large addend
  kFp32Fused,      ///< binary32, ties to even, |I| <= 2^24: the host's fused multiply-add is the operation
  kOddWide,        ///< p <= 11, binary32's exponent range: fused to odd in binary32, rounded as an integer
  kOddNarrow,      ///< p <= 11, smaller range: fused to odd in binary32, rounded by a large addend
};

/// Operand codes are multiplied in words of 2 (16 bits each) or 4 (8 bits each).
enum class IntDot { kPairs, kQuads };

struct IntGemmPlan {
  IntGemmPlan(const arith::IntAccumulationSpec& spec, int operand_bits_in, std::size_t depth_in,
              std::span<const float> scales_in, numerics::EventSet wanted, IntDot dot_in);

  std::size_t depth;         ///< K
  std::size_t chunk_length;  ///< products per chunk, the last chunk may have fewer
  std::size_t num_chunks;
  int operand_bits;
  IntDot dot;
  std::size_t groups_per_chunk;  ///< words per full chunk
  std::size_t num_groups;        ///< words of all chunks; every chunk begins with a new word

  bool needs_reference;     ///< neither vectors nor ScalarRounder can hold what the spec asks for
  bool inner_may_overflow;  ///< tiles have to check their data, and go stepwise where the check fails
  bool keep_low_bits;       ///< wrapping sums nobody counts: sign-extend the low inner_bits of the sum
  bool has_half_steps;      ///< 16-bit accumulators that may overflow: stepwise tiles run in 16-bit lanes
  bool count_inner;         ///< leaving the inner range is a wanted event
  int inner_bits;
  bool saturate;
  bool count_outer;

  OuterMethod outer_method;
  ScalarRounder rounder;
  std::span<const float> scales;  ///< (num_chunks), or empty: all 1
  int precision_bits;
  float min_normal;
  float max_finite;
  double tiny_below;  ///< |exact| below this is tiny, ties to even: 2^emin less a quarter quantum after rounding

  std::size_t group() const { return dot == IntDot::kQuads ? 4 : 2; }
  std::size_t groups_of(std::size_t chunk) const {
    return chunk + 1 < num_chunks ? groups_per_chunk : num_groups - chunk * groups_per_chunk;
  }
  std::size_t length_of(std::size_t chunk) const {
    return chunk + 1 < num_chunks ? chunk_length : depth - chunk * chunk_length;
  }
  float scale_of(std::size_t chunk) const { return scales.empty() ? 1.0F : scales[chunk]; }
};

}  // namespace guardbit::kernels
