#pragma once
/// Products of operands with zero points and with scales per group of channels. The array multiplies codes as always;
/// what zero points add is a correction of every chunk's integer sum, and group scales meet the sums in the outer
/// accumulator.
#include <span>

#include "models/units/matrix_unit.h"
#include "models/units/quantized_weight.h"
#include "models/units/value_range.h"

namespace guardbit::units {

ValueRange range_of(MatrixView<const float> x);

/// Codes of activations x (tokens, K) by token, or by group of mode.activation_group channels of a token:
///   symmetric    scale = fp32(max|x| / (2^(b-1) - 1)), code = clamp(rne(x / scale))
///   zero point   low = min(0, min x), high = max(0, max x), scale = fp32(fp32(high - low) / (2^b - 1)),
///                z = clamp(rne(-low / scale), 0, 2^b - 1) - 2^(b-1), code = clamp(rne(x / scale) + z)
/// Codes are clamped to -2^(b-1) .. 2^(b-1) - 1; zeros, NaNs, infinities and the events (stage quantizer) are those of
/// quantize_operand(); a NaN's code is z. `whole` takes the place of every token's own range: that of a tensor of which
/// x is a part (mode.activation_tensor), or one that was known before x (a static one). Test:
/// tests/unit/affine_product_test.cpp.
Operand quantize_affine_operand(MatrixView<const float> x, const MatrixMode& mode, EventLedger& ledger,
                                const ParallelFor& parallel_for = {}, const ValueRange* whole = nullptr);

/// Weights that were quantized offline, as the array is given them:
///   integer mode            codes, scales and zero points
///   float, scaled_sums      code - zero point, exact in every operand format of at least 8 significant bits
///   float                   round(scale * (code - zero point)) in the weight's operand format, one rounding
///                           (conversion_spec), events at stage operand
Operand weight_operand(const QuantizedWeight& weight, const MatrixMode& mode, EventLedger& ledger);

/// Folds into weights (N, K) what is known offline of activations on the grid of `range`, without groups of
/// activations: the scale s_x into the output channels' (where they have one), fp32(s_x s_w), so that the epilogue
/// needs no row scales; the zero point z_x into Operand::folded (N, chunks), n z_x z_w - z_x C in the notation below,
/// which is all of a chunk's correction that no token changes. Chunks have at most kLongestFoldedChunk channels then.
/// Test: tests/unit/affine_product_test.cpp.
void fold_static_range(const ValueRange& range, const MatrixMode& mode, Operand& weights);
inline constexpr std::size_t kLongestFoldedChunk = 65536;  ///< 128 * 255 a channel fits 32 bits

/// matrix_product() of an affine mode. For every chunk c of channels, with z and s of the group that the chunk lies in:
///   I     = sum of code_x code_w, in the array's accumulator (integer: IntAccumulationSpec's inner; events inner)
///   I'    = I - z_w R - z_x C + n z_x z_w, exact (the last two terms: b.folded, where it has elements): R = sum of the
///   token's codes over the chunk, C = sum of the output
///           channel's codes over the chunk, n = its channels. I' is the sum of (code_x - z_x)(code_w - z_w) if I did
///           not leave its accumulator; 64 bits hold every correction, 32 bits up to 65,793 channels a chunk
///   outer = round(outer + s I'), s = fp32(s_x s_w) where both are by group, 1 where neither is (chunk_scales: of
///   runtime
///           smoothing, which goes with no group scales)
/// Float modes with scaled_sums: I is the float accumulation of the chunk, and there are no zero points left.
/// Test: tests/unit/affine_product_test.cpp.
void affine_product(const Operand& a, const Operand& b, IndexRange rows, IndexRange cols, const MatrixMode& mode,
                    std::span<const float> chunk_scales, const MatrixProductOptions& options, MatrixView<float> acc,
                    EventLedger& ledger);

}  // namespace guardbit::units
