#pragma once
/// Aligned (tensor-core-like) accumulation of one tile in 32-bit integer lanes; what they cannot hold runs the
/// reference.
#include "models/arith/accumulation_spec.h"
#include "models/kernels/gemm.h"

namespace guardbit::kernels {

struct TileJob;
struct KChunk;

/// Constants of an aligned accumulation (arith::Alignment) whose sums fit 32-bit integers.
struct AlignedRounding {
  int fraction_bits = 0;        ///< F
  float quantum = 0;            ///< 2^-F
  float least_power_a = 0;      ///< 2^emin_a
  float least_power_b = 0;      ///< 2^emin_b
  bool floors_terms = false;    ///< terms are aligned toward negative; else truncated
  bool separate = false;        ///< the accumulator is not aligned with the products
  bool nearest = false;         ///< the accumulator is fp32 rounded to nearest; else any p <= 24, truncated
  std::uint32_t keep_mask = 0;  ///< the p leading significand bits of a binary32 code, and what is above
};

/// Step events, all that there can be.
struct AlignedCounts {
  std::uint64_t inexact = 0;
  std::uint64_t swamped = 0;
};

/// Operands of one chunk, the accumulators and what to count.
struct AlignedRange {
  const float* a = nullptr;  ///< (length, kTileRows)
  const float* b = nullptr;  ///< (length, kTileCols)
  std::size_t length = 0;
  std::size_t width = 0;  ///< terms a step
  bool counts_events = false;
  /// Only if counts_events: 1.5 * 2^(52+h), where the sum of a step's products splits exactly into a multiple of 2^h
  /// and a rest of 53 bits.
  double split_magic = 0;
  float* acc = nullptr;  ///< (kTileRows, kTileCols)
};

/// All steps. Operands are zero or within kAlignedMin .. kAlignedMax. False: the target has no instructions for it.
bool run_aligned_steps(const AlignedRange& range, const AlignedRounding& rounding, AlignedCounts& counts);
inline constexpr float kAlignedMin = 0x1p-44F;
inline constexpr float kAlignedMax = 0x1.fffffep+30F;

AlignedRounding aligned_rounding(const arith::AccumulationSpec& spec);
/// Whether there is a vector kernel for the aligned accumulation; where it cannot run a tile, the reference does.
bool has_aligned_kernel(const OperandFormats& operands, const arith::AccumulationSpec& spec);

/// Whether the tile's operands lie in the kernel's range. Overflow and underflow cannot occur.
bool can_run_aligned(const TileJob& job);
void run_aligned_chunk(const TileJob& job, const KChunk& chunk, float* acc);

}  // namespace guardbit::kernels
