#pragma once
/// Fixed-point (Kulisch) accumulation of one tile: exact sums of many products at once wherever a bound shows that no
/// bit is lost and no sum leaves the accumulator's range, steps one at a time where it does not. What neither can do
/// runs the reference.
#include "models/kernels/float_gemm_plan.h"

namespace guardbit::kernels {

/// Accumulators of a tile, (kTileRows, kTileCols): high * 2^kFixedSplit + low quanta.
struct FixedSums {
  alignas(64) std::int64_t high[kTileRows * kTileCols] = {};
  alignas(64) std::int64_t low[kTileRows * kTileCols] = {};
};
inline constexpr int kFixedSplit = 40;

/// Constants of an arith::FixedAccumulator, in units of a quantum that all products or their roundings are multiples
/// of.
struct FixedConstants {
  explicit FixedConstants(const GemmPlan& plan);

  int quantum_exponent;  ///< the quantum is 2^this
  double per_unit;       ///< quanta in 1
  double range_limit;    ///< magnitudes below this many quanta are in the accumulator's range
  bool is_short;         ///< the quantum is the accumulator's, and it has at most 62 bits
  int bits;              ///< of the accumulator
  bool saturate;
  numerics::RoundingMode rounding;
};

/// Products [0, length) of a tile.
struct FixedRange {
  const double* a = nullptr;  ///< (length, kTileRows), in quanta
  const double* b = nullptr;  ///< (length, kTileCols)
  std::size_t length = 0;
};

/// Events of single steps.
struct FixedCounts {
  std::uint64_t inexact = 0;
  std::uint64_t outside = 0;  ///< wrapped or saturated
  std::uint64_t swamped = 0;
};

/// sums += products [0, length), each a multiple of a number g of quanta, the magnitudes adding up to at most 2^53 g
/// and at most 2^90 quanta.
void add_fixed_exact(const FixedRange& range, FixedSums& sums);
/// The same for products that are multiples of one quantum, up to kBlockLength of them.
void add_fixed_split(const FixedRange& range, FixedSums& sums);
/// Products are rounded to multiples of the quantum, and no sum leaves the range nor reaches 2^50 quanta: no event but
/// inexact and swamped. Not by ties away, to odd or by chance.
void add_fixed_rounded(const FixedRange& range, const FixedConstants& constants, bool counts_events, FixedSums& sums,
                       FixedCounts& counts);
/// Step by step, for accumulators that are `is_short`: products, below 2^50 quanta, are rounded likewise, and sums
/// wrapped or saturated.
void add_fixed_steps(const FixedRange& range, const FixedConstants& constants, bool counts_events, FixedSums& sums,
                     FixedCounts& counts);
/// The final rounding into the plan's inner format, with its events; sums are below 2^90 quanta.
void round_fixed(const TileJob& job, const FixedConstants& constants, const FixedSums& sums, float* acc);

/// Whether there is a vector kernel for the accumulation; where it cannot run a tile, the reference does.
bool has_fixed_kernel(const arith::AccumulationSpec& spec);
bool can_run_fixed(const TileJob& job);
/// A chunk of a tile for which can_run_fixed(): acc (kTileRows, kTileCols) becomes its rounded sums.
void run_fixed_chunk(const TileJob& job, const KChunk& chunk, float* acc);

}  // namespace guardbit::kernels
