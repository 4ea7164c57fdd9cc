#include "models/units/chunk_terms.h"

#include <algorithm>
#include <numeric>

#include "models/units/quantized_weight.h"

namespace guardbit::units {
namespace {

/// The group of `operand` that the chunk lies in.
std::size_t group_of(const Operand& operand, IndexRange chunk) {
  return operand.group == 0 ? 0 : chunk.begin / operand.group;
}

std::int64_t code_sum(const Operand& operand, std::size_t row, IndexRange chunk) {
  const std::int8_t* const codes = operand.codes.row(row);
  return std::accumulate(codes + chunk.begin, codes + chunk.end, std::int64_t{0});
}

/// Sums of the codes of `range`'s rows over the chunk.
std::vector<std::int64_t> code_sums(const Operand& operand, IndexRange range, IndexRange chunk) {
  std::vector<std::int64_t> result(range.size());
  for (std::size_t i = 0; i < range.size(); ++i) result[i] = code_sum(operand, range.begin + i, chunk);
  return result;
}

std::int64_t zero_point(const Operand& operand, std::size_t row, std::size_t group) {
  return operand.zero_points.rows() == 0 ? 0 : operand.zero_points(row, group);
}

}  // namespace

ChunkTerms::ChunkTerms(const Operand& a, const Operand& b, IndexRange rows, IndexRange cols, IndexRange chunk,
                       float smooth_scale)
    : a_(&a),
      b_(&b),
      rows_(rows),
      cols_(cols),
      num_channels_(static_cast<std::int64_t>(chunk.size())),
      group_a_(group_of(a, chunk)),
      group_b_(group_of(b, chunk)),
      smooth_scale_(smooth_scale),
      fp32_(conversion_spec("fp32")) {
  if (b.zero_points.rows() != 0) row_sums_ = code_sums(a, rows, chunk);
  if (a.zero_points.rows() != 0) column_sums_ = code_sums(b, cols, chunk);
}

std::int64_t ChunkTerms::correction(std::size_t i, std::size_t j) const {
  const std::int64_t z_w = zero_point(*b_, cols_.begin + j, group_b_);
  const std::int64_t of_weight = row_sums_.empty() ? 0 : -z_w * row_sums_[i];
  if (column_sums_.empty()) return of_weight;
  const std::int64_t z_x = zero_point(*a_, rows_.begin + i, group_a_);
  return of_weight + z_x * (num_channels_ * z_w - column_sums_[j]);
}

float ChunkTerms::scale(std::size_t i, std::size_t j, numerics::EventCounts& events) const {
  const bool scales_a = a_->group_scales.rows() != 0;
  const bool scales_b = b_->group_scales.rows() != 0;
  if (!scales_a && !scales_b) return smooth_scale_;
  if (!scales_a) return b_->group_scales(cols_.begin + j, group_b_);
  const float own = a_->group_scales(rows_.begin + i, group_a_);
  return scales_b ? fp32_.multiply(own, b_->group_scales(cols_.begin + j, group_b_), events) : own;
}

std::vector<ChunkTerms> chunk_terms(const Operand& a, const Operand& b, IndexRange rows, IndexRange cols,
                                    const MatrixMode& mode, std::span<const float> chunk_scales) {
  const auto length = static_cast<std::size_t>(mode.chunk);
  std::vector<ChunkTerms> terms;
  for (std::size_t begin = 0; begin < a.cols(); begin += length) {
    const IndexRange chunk{begin, std::min(begin + length, a.cols())};
    terms.emplace_back(a, b, rows, cols, chunk, chunk_scales.empty() ? 1.0F : chunk_scales[terms.size()]);
  }
  return terms;
}

}  // namespace guardbit::units
