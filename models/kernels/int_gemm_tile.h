#pragma once
/// One tile of an integer GEMM: kIntTileRows rows times int_tile_width() columns, all of K. Packing, the vector kernels
/// behind Highway's dispatch, and the step that promotes chunks one output at a time.
#include <cstddef>
#include <cstdint>

#include "models/kernels/gemm.h"
#include "models/kernels/int_gemm_plan.h"
#include "models/numerics/matrix.h"

namespace guardbit::kernels {

inline constexpr std::size_t kIntTileRows = 8;
inline constexpr std::size_t kMaxIntTileWidth = 32;

/// A tile's operands as words of plan.group() consecutive k (zeros beyond K and beyond the matrix), and its results.
/// kQuads: bytes, those of b with their sign bit inverted (b + 128). kPairs: halves of 16 bits.
struct IntTile {
  const std::int32_t* a = nullptr;         ///< (num_groups, kIntTileRows)
  const std::int32_t* b = nullptr;         ///< (num_groups, width)
  const std::int32_t* row_sums = nullptr;  ///< (num_chunks, kIntTileRows): sums of a over k
  /// (num_chunks) largest |a| of the tile and largest column sum of |b|; only if plan.inner_may_overflow
  const std::int32_t* max_abs_a = nullptr;
  const std::int32_t* abs_sums_b = nullptr;

  /// (K, kIntTileRows) codes of a as 16 bits, each twice in a word, and (K, width) codes of b; only if
  /// plan.has_half_steps
  const std::int32_t* a_halves = nullptr;
  const std::int16_t* b_halves = nullptr;

  std::size_t num_rows = 0;  ///< within the matrix
  std::size_t num_columns = 0;
  const std::uint32_t* row_words = nullptr;     ///< (num_chunks, kIntTileRows) random words; stochastic only
  const std::uint32_t* column_words = nullptr;  ///< (num_chunks, width)

  float* outer = nullptr;  ///< (kIntTileRows, width): +0 at the start, the results at the end; aligned
  numerics::EventCounts inner_events;
  numerics::EventCounts outer_events;
};

/// Columns of a tile on this host, 2 to kMaxIntTileWidth.
std::size_t int_tile_width();

/// True if tiles of IntDot::kQuads run here (AVX-512 VNNI, and vector targets not limited below AVX-512).
bool has_int_quads();

/// Packs columns [first, first + width) of b. `abs_sums` (num_chunks) may be null.
void pack_int_b(numerics::MatrixView<const std::int8_t> b, std::size_t first, const IntGemmPlan& plan,
                std::int32_t* words, std::int32_t* abs_sums);

/// Packs rows [first, first + kIntTileRows) of a. `max_abs` (num_chunks) may be null.
void pack_int_a(numerics::MatrixView<const std::int8_t> a, std::size_t first, const IntGemmPlan& plan,
                std::int32_t* words, std::int32_t* row_sums, std::int32_t* max_abs);

/// Codes for IntTile::a_halves and b_halves.
void pack_half_a(numerics::MatrixView<const std::int8_t> a, std::size_t first, std::int32_t* halves);
void pack_half_b(numerics::MatrixView<const std::int8_t> b, std::size_t first, std::size_t width, std::int16_t* halves);

/// Runs a tile. False: a result left the finite range and `method` cannot say what happened; tile.outer and the events
/// are then to be reset and the tile repeated with OuterMethod::kScalarRounder, which never fails.
bool run_int_tile(const IntGemmPlan& plan, OuterMethod method, IntTile& tile);

/// outer = round(outer + scale * sum) for every output of a tile within the matrix. sums (kIntTileRows, width).
void promote_by_rounder(const IntGemmPlan& plan, std::size_t chunk, const std::int32_t* sums, std::size_t width,
                        IntTile& tile);

/// The integer gemm() with the kind of words given, so that tests reach both on one host; kQuads needs
/// has_int_quads().
void run_int_gemm(IntDot dot, numerics::MatrixView<const std::int8_t> a, numerics::MatrixView<const std::int8_t> b,
                  int operand_bits, const arith::IntAccumulationSpec& spec, std::span<const float> scales,
                  const GemmOptions& options, numerics::MatrixView<float> c, arith::AccumulationEvents& events);

}  // namespace guardbit::kernels
