#pragma once
/// What zero points and group scales make of the sums of one chunk of channels: the terms of affine_product.h, for
/// every output that a chunk's sum belongs to.
#include <span>
#include <vector>

#include "models/kernels/scalar_rounder.h"
#include "models/units/matrix_unit.h"

namespace guardbit::units {

/// Of the outputs rows x cols of a product. Test: tests/unit/affine_product_test.cpp.
class ChunkTerms {
 public:
  /// @param smooth_scale  runtime smoothing's scale of the chunk, where neither operand has groups; else 1
  ChunkTerms(const Operand& a, const Operand& b, IndexRange rows, IndexRange cols, IndexRange chunk,
             float smooth_scale);

  /// What is added to the sum of codes of output (rows.begin + i, cols.begin + j): n z_x z_w - z_w R - z_x C.
  std::int64_t correction(std::size_t i, std::size_t j) const;
  /// What the corrected sum is multiplied by. The product of two groups' scales is rounded to binary32, with its
  /// events.
  float scale(std::size_t i, std::size_t j, numerics::EventCounts& events) const;

 private:
  const Operand* a_;
  const Operand* b_;
  IndexRange rows_;
  IndexRange cols_;
  std::int64_t num_channels_;
  std::size_t group_a_;
  std::size_t group_b_;
  float smooth_scale_;
  kernels::ScalarRounder fp32_;
  std::vector<std::int64_t> row_sums_;     // R, by row; empty: no zero points of weights
  std::vector<std::int64_t> column_sums_;  // C, by column; empty: no zero points of activations
};

/// The terms of every chunk of `mode`, in their order; `chunk_scales` as affine_product() has them. Operands that need
/// none (MatrixMode::is_affine) have no terms.
std::vector<ChunkTerms> chunk_terms(const Operand& a, const Operand& b, IndexRange rows, IndexRange cols,
                                    const MatrixMode& mode, std::span<const float> chunk_scales);

}  // namespace guardbit::units
