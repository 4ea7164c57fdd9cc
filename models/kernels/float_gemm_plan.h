#pragma once
/// What the float GEMM kernels need to know of an AccumulationSpec, computed once per GEMM, and the layout of packed
/// operands. No vector code.
///
/// A GEMM is cut into tiles of kTileRows x kTileCols outputs. K is cut into blocks: pieces of at most kBlockLength
/// products that do not cross a chunk boundary; a proof about a block (no overflow possible, ...) is made from the
/// BlockSummary of both operands.
#include <cstdint>
#include <span>
#include <vector>

#include "models/kernels/float_gemm_aligned.h"
#include "models/kernels/float_gemm_steps.h"
#include "models/kernels/gemm.h"

namespace guardbit::kernels {

inline constexpr std::size_t kTileRows = 8;
inline constexpr std::size_t kTileCols = 32;
inline constexpr std::size_t kBlockLength = 32;

/// Constants of one FloatSpec for rounding in binary64 lanes (float_gemm_round-inl.h says how they are used).
struct RoundingConstants {
  explicit RoundingConstants(const numerics::FloatSpec& spec);

  numerics::RoundingMode rounding;
  double min_normal;      ///< 2^emin: the quantum does not shrink below this binade
  double magic;           ///< 1.5 * 2^(53-p): binade * magic has an ulp of one quantum of the binade
  double quantum;         ///< 2^(1-p), relative to the binade
  double growth;          ///< of |acc| by rounding during a block at most, as a factor
  double tiny_threshold;  ///< non-zero magnitudes below it are tiny
  double max_finite;
  numerics::EventSet finite_overflow_events;
  numerics::EventSet infinite_overflow_events;
  double finite_overflow;    ///< magnitude delivered for a finite sum beyond max_finite (a NaN for NaN)
  double infinite_overflow;  ///< the same for an infinite sum
  double nan_result;
  numerics::EventSet nan_events;
  bool flush_output;
  bool has_negative_zero;
  std::uint32_t random_mask = 0;  ///< kStochastic: n ones
  double random_magic = 0;        ///< magic for a grid of 2^-n quanta
  double random_grid = 0;         ///< 2^-n quanta, relative to the binade
};

/// Largest and smallest non-zero magnitude among some operands, as binary32 codes.
/// max_code >= 0x7F800000: not all are finite. min_code > max_code: all are zero.
struct BlockSummary {
  std::uint32_t max_code = 0;
  std::uint32_t min_code = 0xFFFFFFFF;
};

/// The kernel of float_gemm_steps.h that may run blocks of a GEMM.
enum class FastKernel {
  kNone,
  kHalf,
  kSingle,
  kNarrow,
  kNarrowTree,
  kAligned,
  kFixed,
  kHalfTree,  ///< kNarrowTree where it rejects
};

/// Half-open range of k.
struct KBlock {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// A piece of K that one promotion ends, and its blocks.
struct KChunk {
  KBlock range;
  std::size_t first_block = 0;
  std::size_t end_block = 0;
};

/// Everything about a GEMM that does not depend on operand values.
struct GemmPlan {
  GemmPlan(const OperandFormats& operands, const arith::AccumulationSpec& spec, std::size_t length,
           const GemmOptions& options);

  bool uses_halves() const { return fast == FastKernel::kHalf || fast == FastKernel::kHalfTree; }
  int inner_quantum_exponent() const { return spec.inner.format.quantum_exponent(); }

  arith::AccumulationSpec spec;
  numerics::EventSet wanted;
  bool counts;  ///< some event is wanted
  numerics::RandomStream stream;
  RoundingConstants inner;
  RoundingConstants outer;
  RoundingConstants product;  ///< only if spec.product
  std::vector<KBlock> blocks;
  std::vector<KChunk> chunks;
  OperandFormats operands;
  FastKernel fast;
  NarrowRounding narrow;             ///< for kNarrow and the trees, else of default values
  AlignedRounding aligned;           ///< only for kAligned
  std::size_t num_random_steps = 0;  ///< of the inner stage; 0 unless it rounds stochastically
};

/// One row block or column panel of an operand: k-major, padded with +0.
struct PackedPanel {
  std::vector<float> values;            // (K, kTileRows or kTileCols)
  std::vector<float> scaled_values;     // values times the scale of plan.narrow, if there is one
  std::vector<double> wide_values;      // the values in binary64, those of A in quanta; FastKernel::kFixed only
  std::vector<BlockSummary> summaries;  // (blocks)
  /// (random steps, kTileRows or kTileCols): n bits from plan.narrow.random_shift up; stochastic only
  std::vector<std::uint32_t> random_words;
  std::vector<std::uint16_t> half_codes;  // (K, kTileCols), B if plan.uses_halves()
  std::vector<std::uint32_t> half_pairs;  // (K, kTileRows), A if plan.uses_halves()
};

/// One tile's work.
struct TileJob {
  const GemmPlan* plan = nullptr;
  const PackedPanel* a = nullptr;
  const PackedPanel* b = nullptr;
  std::span<const float> scales;
  std::size_t rows = 0;      ///< valid rows, 1..kTileRows
  std::size_t cols = 0;      ///< valid columns, 1..kTileCols
  arith::OutputIndex first;  ///< index of the tile's first output
  float* result = nullptr;   // (kTileRows, kTileCols)
  arith::AccumulationEvents* events = nullptr;
};

}  // namespace guardbit::kernels
