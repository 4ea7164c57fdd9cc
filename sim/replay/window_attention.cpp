#include <cmath>

#include "models/numerics/check.h"
#include "models/units/softmax_unit.h"
#include "sim/replay/window_values.h"

/// Attention of WindowValues: one head at a time, rows of queries against the keys up to the last of them.
namespace guardbit::sim {

using numerics::Matrix;
using numerics::MatrixView;
using transformer::Op;

std::size_t WindowValues::kv_head_of(std::size_t head) const {
  const auto num_heads = static_cast<std::size_t>(variant_.model.shape.num_heads);
  const auto num_kv_heads = static_cast<std::size_t>(variant_.model.shape.num_kv_heads);
  return head / (num_heads / num_kv_heads);
}

/// (T, head_size) of one head of a (T, heads * head_size) tensor.
MatrixView<const float> WindowValues::head_view(const std::string& tensor, std::size_t head) {
  const auto head_size = static_cast<std::size_t>(variant_.model.shape.head_size);
  return input(tensor).view().cols_range(head * head_size, (head + 1) * head_size);
}

void WindowValues::keys_values(std::size_t scores_op, std::size_t values_op, std::size_t kv_head) {
  const Op& scores = variant_.model.ops[scores_op];
  const Op& values = variant_.model.ops[values_op];
  attentions_[scores_op].keys[kv_head] =
      units::quantize_operand(head_view(scores.inputs[1], kv_head), variant_.attention, /*is_weight=*/true,
                              ledgers_[scores_op], options_.parallel_for);
  outputs_[values_op].values[kv_head] =
      units::quantize_operand(head_view(values.inputs[1], kv_head).transposed(), variant_.attention,
                              /*is_weight=*/true, ledgers_[values_op], options_.parallel_for);
}

void WindowValues::scores(std::size_t scores_op, std::size_t head, Range rows) {
  const Op& op = variant_.model.ops[scores_op];
  const auto num_heads = static_cast<std::size_t>(variant_.model.shape.num_heads);
  AttentionState& state = attentions_[scores_op];
  state.queries[{head, rows.begin}] =
      units::quantize_operand(head_view(op.inputs[0], head).rows_range(rows.begin, rows.end), variant_.attention,
                              /*is_weight=*/false, ledgers_[scores_op], options_.parallel_for);
  Matrix<float>& accumulators = state.accumulators[{head, rows.begin}];
  accumulators = Matrix<float>(rows.size(), rows.end);
  units::MatrixProductOptions options = product_options(scores_op, head, num_heads);
  options.origin = {static_cast<std::uint32_t>(rows.begin), 0};
  units::matrix_product(state.queries[{head, rows.begin}], state.keys.at(kv_head_of(head)), {0, rows.size()},
                        {0, rows.end}, variant_.attention, {}, options, accumulators.view(), ledgers_[scores_op]);
}

void WindowValues::scores_epilogue(std::size_t scores_op, std::size_t head, Range rows) {
  const Op& op = variant_.model.ops[scores_op];
  const auto num_heads = static_cast<std::size_t>(variant_.model.shape.num_heads);
  AttentionState& state = attentions_[scores_op];
  const BlockKey key{head, rows.begin};
  const units::Operand& keys = state.keys.at(kv_head_of(head));
  const std::span<const float> key_scales = keys.scales;
  Matrix<float>& y = output(op, num_heads * num_tokens_, num_tokens_);
  const std::size_t first = head * num_tokens_ + rows.begin;
  const MatrixView<float> block = y.view().rows_range(first, first + rows.size()).cols_range(0, rows.end);
  const float factor = 1.0F / std::sqrt(static_cast<float>(variant_.model.shape.head_size));
  units::epilogue(state.accumulators.at(key).view(),
                  {.row_scales = state.queries.at(key).scales,
                   .col_scales = key_scales.empty() ? key_scales : key_scales.first(rows.end),
                   .factor = factor,
                   .bias = {}},
                  variant_.activation, block, ledgers_[scores_op], options_.parallel_for);
  // A block computes keys up to its last query; what a query must not see is masked, as the reference has it.
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t col = rows.begin + row + 1; col < rows.end; ++col) block(row, col) = 0;
  }
  state.accumulators.erase(key);
  state.queries.erase(key);
}

void WindowValues::softmax(std::size_t softmax_op, std::size_t head, Range rows) {
  const Op& op = variant_.model.ops[softmax_op];
  const auto num_heads = static_cast<std::size_t>(variant_.model.shape.num_heads);
  const std::size_t first = head * num_tokens_ + rows.begin;
  const MatrixView<const float> x = input(op.inputs[0]).view().rows_range(first, first + rows.size());
  Matrix<float>& y = output(op, num_heads * num_tokens_, num_tokens_);
  units::softmax_rows(x, rows.begin, variant_.activation, y.view().rows_range(first, first + rows.size()),
                      ledgers_[softmax_op], options_.parallel_for);
}

void WindowValues::values(std::size_t values_op, std::size_t head, Range rows) {
  const Op& op = variant_.model.ops[values_op];
  const auto num_heads = static_cast<std::size_t>(variant_.model.shape.num_heads);
  AttentionState& state = outputs_[values_op];
  const std::size_t first = head * num_tokens_ + rows.begin;
  const BlockKey key{head, rows.begin};
  state.queries[key] = units::quantize_operand(
      input(op.inputs[0]).view().rows_range(first, first + rows.size()).cols_range(0, rows.end), variant_.attention,
      /*is_weight=*/false, ledgers_[values_op], options_.parallel_for);
  const units::Operand values = first_columns(state.values.at(kv_head_of(head)), rows.end);
  Matrix<float>& accumulators = state.accumulators[key];
  accumulators = Matrix<float>(rows.size(), values.rows());
  units::MatrixProductOptions options = product_options(values_op, head, num_heads);
  options.origin = {static_cast<std::uint32_t>(rows.begin), 0};
  units::matrix_product(state.queries[key], values, {0, rows.size()}, {0, values.rows()}, variant_.attention, {},
                        options, accumulators.view(), ledgers_[values_op]);
}

void WindowValues::values_epilogue(std::size_t values_op, std::size_t head, Range rows) {
  const Op& op = variant_.model.ops[values_op];
  AttentionState& state = outputs_[values_op];
  const BlockKey key{head, rows.begin};
  const auto head_size = static_cast<std::size_t>(variant_.model.shape.head_size);
  const auto num_heads = static_cast<std::size_t>(variant_.model.shape.num_heads);
  Matrix<float>& y = output(op, num_tokens_, num_heads * head_size);
  units::epilogue(state.accumulators.at(key).view(),
                  {.row_scales = state.queries.at(key).scales,
                   .col_scales = state.values.at(kv_head_of(head)).scales,
                   .factor = 1,
                   .bias = {}},
                  variant_.activation,
                  y.view().rows_range(rows.begin, rows.end).cols_range(head * head_size, (head + 1) * head_size),
                  ledgers_[values_op], options_.parallel_for);
  state.accumulators.erase(key);
  state.queries.erase(key);
}

/// The operand restricted to its first `count` columns: causal products end at the last key that takes part.
units::Operand WindowValues::first_columns(const units::Operand& operand, std::size_t count) {
  units::Operand part;
  part.integer = operand.integer;
  part.scales = operand.scales;
  const auto copy = [count](const auto& from, auto& to) {
    to = std::remove_cvref_t<decltype(to)>(from.rows(), count);
    for (std::size_t row = 0; row < from.rows(); ++row) std::copy_n(from.row(row), count, to.row(row));
  };
  if (operand.integer) {
    copy(operand.codes, part.codes);
  } else {
    copy(operand.values, part.values);
  }
  return part;
}

}  // namespace guardbit::sim
