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

/// What an overflow delivers.
struct OverflowResult {
  double magnitude = 0;  ///< NaN for a NaN
  numerics::EventSet events;
};

/// What rounding does with the sums of one sign; only the directed modes tell signs apart.
struct SignConstants {
  SignConstants(const numerics::FloatSpec& spec, bool negative);

  double tiny_threshold;    ///< non-zero magnitudes below it are tiny
  OverflowResult overflow;  ///< of a finite sum beyond the largest finite value
};

/// Constants of one FloatSpec for rounding in binary64 lanes (float_gemm_round-inl.h says how they are used).
struct RoundingConstants {
  explicit RoundingConstants(const numerics::FloatSpec& spec);

  numerics::RoundingMode rounding;
  double min_normal;  ///< 2^emin: the quantum does not shrink below this binade
  double magic;       ///< 1.5 * 2^(53-p): binade * magic has an ulp of one quantum of the binade
  double quantum;     ///< 2^(1-p), relative to the binade
  double growth;      ///< of |acc| by rounding during a block at most, as a factor
  double max_finite;
  SignConstants positive;
  SignConstants negative;
  OverflowResult infinite_overflow;  ///< of an infinite sum
  double nan_result;
  numerics::EventSet nan_events;
  bool flush_output;
  bool has_negative_zero;
  std::uint32_t random_mask = 0;  ///< kStochastic: n ones
  double random_grid = 0;         ///< 2^-n quanta, relative to the binade
  /// Random bits become 2^n minus them as random_top - int32(bits XOR random_flip): the flip keeps 32 bits signed.
  std::uint32_t random_flip = 0;
  double random_top = 0;
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

/// What one accumulator takes of a chunk: all of it, or the steps of one of several interleaved accumulators, which
/// packing makes neighbours; and its blocks. Empty for an accumulator that a short chunk does not use.
struct KChunk {
  KBlock range;
  std::size_t first_block = 0;
  std::size_t end_block = 0;
  std::size_t first_random_step = 0;  ///< of the inner stage, in packed order
};

/// Everything about a GEMM that does not depend on operand values.
struct GemmPlan {
  GemmPlan(const OperandFormats& operands, const arith::AccumulationSpec& spec, std::size_t length,
           const GemmOptions& options);

  std::size_t interleave() const { return static_cast<std::size_t>(spec.interleave); }
  /// Pieces of K that one promotion ends.
  std::size_t num_chunks() const { return chunks.size() / interleave(); }
  bool uses_halves() const { return fast == FastKernel::kHalf || fast == FastKernel::kHalfTree; }
  /// Swamped steps are counted by way of zero products.
  bool counts_zeros() const { return fast == FastKernel::kNarrow && wanted.has(numerics::Event::kSwamped); }
  int inner_quantum_exponent() const { return spec.inner.format.quantum_exponent(); }

  arith::AccumulationSpec spec;
  numerics::EventSet wanted;
  bool counts;  ///< some event is wanted
  numerics::RandomStream stream;
  RoundingConstants inner;
  RoundingConstants outer;
  RoundingConstants product;  ///< only if spec.product
  std::vector<KBlock> blocks;
  std::vector<KChunk> chunks;               ///< (chunks, interleave), in packed order
  std::vector<std::uint32_t> k_order;       ///< k at each packed position; empty: the same
  std::vector<std::uint32_t> random_order;  ///< likewise of the inner stage's random steps
  OperandFormats operands;
  FastKernel fast;
  NarrowRounding narrow;                     ///< for kNarrow and the trees, else of default values
  AlignedRounding aligned;                   ///< only for kAligned
  std::size_t num_random_steps = 0;          ///< of the inner stage; 0 unless it rounds stochastically
  std::size_t num_product_random_steps = 0;  ///< K if products are rounded stochastically, else 0
};

/// One row block or column panel of an operand: k-major, in the plan's order, padded with +0.
struct PackedPanel {
  std::vector<float> values;                 // (K, kTileRows or kTileCols)
  std::vector<float> scaled_values;          // values times the scale of plan.narrow, if there is one
  std::vector<double> wide_values;           // the values in binary64, those of A in quanta; FastKernel::kFixed only
  std::vector<BlockSummary> summaries;       // (blocks)
  std::vector<std::uint8_t> nonzero_counts;  // (K): values that are not zero, if plan.counts_zeros()
  /// (random steps, kTileRows or kTileCols): n bits from plan.narrow.random_shift up; stochastic only
  std::vector<std::uint32_t> random_words;
  std::vector<std::uint32_t>
      product_random_words;               // (K, kTileRows or kTileCols) if products are rounded stochastically
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
