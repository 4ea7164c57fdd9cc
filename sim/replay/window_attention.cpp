#include <algorithm>
#include <cmath>

#include "models/numerics/check.h"
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

/// Keys that some row of the block sees.
std::size_t WindowValues::keys_of_block(const Op& op, Range rows) const { return op.causal ? rows.end : num_tokens_; }

/// (T, head_size) of one head of a (T, heads * head_size) tensor.
MatrixView<const float> WindowValues::head_view(const std::string& tensor, std::size_t head) {
  const auto head_size = static_cast<std::size_t>(variant_.model.shape.head_size);
  return input(tensor).view().cols_range(head * head_size, (head + 1) * head_size);
}

units::KvCache& WindowValues::cache_in(std::map<std::string, units::KvCache>& caches, const std::string& tensor) const {
  const transformer::ModelShape& shape = variant_.model.shape;
  return caches
      .try_emplace(tensor, num_tokens_, static_cast<std::size_t>(shape.num_kv_heads),
                   static_cast<std::size_t>(shape.head_size))
      .first->second;
}

/// Writes whole heads of keys or values to their cache, and puts in their place what a reader will find there (whose
/// events are the reader's).
void WindowValues::through_cache(const std::string& tensor, Range rows, Range cols,
                                 std::map<std::string, units::KvCache>& caches, Matrix<float>& values,
                                 numerics::EventLedger& ledger) const {
  const auto head_size = static_cast<std::size_t>(variant_.model.shape.head_size);
  const units::KvCacheFormat& format = *variant_.kv_quantized;
  units::KvCache& cache = cache_in(caches, tensor);
  const MatrixView<float> block = values.view().rows_range(rows.begin, rows.end);
  units::write_kv_cache(block.cols_range(cols.begin, cols.end), format, rows.begin, cols.begin / head_size, cache,
                        ledger, options_.parallel_for);
  numerics::EventLedger uncounted;
  for (std::size_t begin = cols.begin; begin < cols.end; begin += head_size) {
    units::read_kv_cache(cache, format, rows.begin, begin / head_size, block.cols_range(begin, begin + head_size),
                         uncounted, options_.parallel_for);
  }
}

void WindowValues::write_cache(std::size_t index, Range rows, Range cols, Matrix<float>& values) {
  numerics::EventLedger events;
  through_cache(variant_.model.ops[index].output, rows, cols, caches_, values, events);
  ledgers_[index] += events;
  if (options_.observer == nullptr) return;
  options_.observer->add_quantized(index, "kv_cache", rows.size() * cols.size(), events[numerics::Stage::kQuantizer]);
}

/// Keys or values of one head up to the pass's last token, as attention reads them.
Matrix<float> WindowValues::cached_head(const std::string& tensor, std::size_t kv_head, numerics::EventLedger& ledger) {
  const MatrixView<const float> whole = head_view(tensor, kv_head).rows_range(0, pass_.end);
  Matrix<float> head(whole.rows, whole.cols);
  if (is_quantized(tensor)) {
    units::read_kv_cache(cache_in(options_.recorded == nullptr ? caches_ : recorded_caches_, tensor),
                         *variant_.kv_quantized, 0, kv_head, head.view(), ledger, options_.parallel_for);
    return head;
  }
  for (std::size_t row = 0; row < head.rows(); ++row) std::copy_n(whole.row(row), whole.cols, head.row(row));
  return head;
}

void WindowValues::keys_values(std::size_t scores_op, std::size_t values_op, std::size_t kv_head) {
  const Op& scores = variant_.model.ops[scores_op];
  const Op& values = variant_.model.ops[values_op];
  const Matrix<float> key_rows = cached_head(scores.inputs[1], kv_head, ledgers_[scores_op]);
  const Matrix<float> value_rows = cached_head(values.inputs[1], kv_head, ledgers_[values_op]);
  const std::size_t num_values = key_rows.rows() * key_rows.cols();
  attentions_[scores_op].keys[kv_head] =
      quantize_operand(scores_op, "keys_values", key_rows.view(), variant_.attention, num_values);
  outputs_[values_op].values[kv_head] =
      quantize_operand(values_op, "keys_values", value_rows.view().transposed(), variant_.attention, num_values);
}

void WindowValues::scores(std::size_t scores_op, std::size_t head, Range rows) {
  const Op& op = variant_.model.ops[scores_op];
  const auto num_heads = static_cast<std::size_t>(variant_.model.shape.num_heads);
  AttentionState& state = attentions_[scores_op];
  const MatrixView<const float> query_rows = head_view(op.inputs[0], head).rows_range(rows.begin, rows.end);
  state.queries[{head, rows.begin}] =
      quantize_operand(scores_op, "activation", query_rows, variant_.attention, query_rows.rows * query_rows.cols);
  Matrix<float>& accumulators = state.accumulators[{head, rows.begin}];
  accumulators = Matrix<float>(rows.size(), keys_of_block(op, rows));
  const units::Operand& queries = state.queries[{head, rows.begin}];
  const units::Operand& keys = state.keys.at(kv_head_of(head));
  units::MatrixProductOptions options = product_options(scores_op, head, num_heads);
  if (op.causal) {
    causal_scores(options, queries, keys, rows, accumulators.view(), ledgers_[scores_op]);
    return;
  }
  if (options_.stepped != nullptr) {
    leave_to_array(options, queries, keys, CausalMask::kNone, rows, accumulators.view(), ledgers_[scores_op]);
    return;
  }
  options.origin = {static_cast<std::uint32_t>(rows.begin), 0};
  units::matrix_product(queries, keys, {0, rows.size()}, {0, num_tokens_}, variant_.attention, {}, options,
                        accumulators.view(), ledgers_[scores_op]);
}

/// Row t of the block gets the products with keys 0 .. t; what the mask hides is neither computed nor counted, so that
/// events do not depend on the size of blocks.
void WindowValues::causal_scores(units::MatrixProductOptions options, const units::Operand& queries,
                                 const units::Operand& keys, Range rows, MatrixView<float> accumulators,
                                 numerics::EventLedger& ledger) const {
  if (options_.stepped != nullptr) {
    leave_to_array(options, queries, keys, CausalMask::kOutputs, rows, accumulators, ledger);
    return;
  }
  constexpr std::size_t kRowsTogether = 16;  // their common keys are one product, the rest a triangle row by row
  options.origin = {static_cast<std::uint32_t>(rows.begin), 0};
  const auto multiply = [&](units::IndexRange some, units::IndexRange cols) {
    if (cols.size() == 0) return;
    units::matrix_product(queries, keys, some, cols, variant_.attention, {}, options,
                          accumulators.rows_range(some.begin, some.end).cols_range(cols.begin, cols.end), ledger);
  };
  for (std::size_t first = 0; first < rows.size(); first += kRowsTogether) {
    const std::size_t last = std::min(first + kRowsTogether, rows.size());
    const std::size_t common = rows.begin + first + 1;
    multiply({first, last}, {0, common});
    for (std::size_t row = first + 1; row < last; ++row) multiply({row, row + 1}, {common, rows.begin + row + 1});
  }
}

/// PE fidelity: the matrix unit steps the product, with PEs idle for what the mask hides.
void WindowValues::leave_to_array(const units::MatrixProductOptions& options, const units::Operand& a,
                                  const units::Operand& b, CausalMask mask, Range rows, MatrixView<float> accumulators,
                                  numerics::EventLedger& ledger) const {
  PeProduct::Values values{.mode = &variant_.attention, .a = &a, .b = &b};
  values.stream = options.stream;
  values.mask = mask;
  values.first_query = static_cast<std::uint32_t>(rows.begin);
  values.origin = {values.first_query, 0};
  values.c = accumulators;
  *options_.stepped = {values, {}, &ledger};
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
  const MatrixView<float> block =
      y.view().rows_range(first, first + rows.size()).cols_range(0, keys_of_block(op, rows));
  const float factor = 1.0F / std::sqrt(static_cast<float>(variant_.model.shape.head_size));
  for (std::size_t row = 0; row < rows.size(); ++row) {
    // Causal: the rest stays 0, as the reference has it.
    const std::size_t count = op.causal ? rows.begin + row + 1 : num_tokens_;
    const std::span<const float> query_scales = state.queries.at(key).scales;
    units::epilogue(state.accumulators.at(key).view().rows_range(row, row + 1).cols_range(0, count),
                    {.row_scales = query_scales.empty() ? query_scales : query_scales.subspan(row, 1),
                     .col_scales = key_scales.empty() ? key_scales : key_scales.first(count),
                     .factor = factor,
                     .bias = {}},
                    variant_.activation, block.rows_range(row, row + 1).cols_range(0, count), ledgers_[scores_op]);
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
  // Row r uses the columns up to first_row + r: all of them if the first row is the last token's.
  const std::size_t first_row = op.causal ? rows.begin : num_tokens_ - 1;
  variant_.softmax->run(x, first_row, y.view().rows_range(first, first + rows.size()), ledgers_[softmax_op],
                        options_.parallel_for);
}

void WindowValues::values(std::size_t values_op, std::size_t head, Range rows) {
  const Op& op = variant_.model.ops[values_op];
  const auto num_heads = static_cast<std::size_t>(variant_.model.shape.num_heads);
  AttentionState& state = outputs_[values_op];
  const std::size_t first = head * num_tokens_ + rows.begin;
  const BlockKey key{head, rows.begin};
  // Of a causal block's probabilities, those that the mask hides are not used.
  const std::size_t num_keys = keys_of_block(op, rows);
  const std::size_t num_hidden = op.causal ? rows.size() * (rows.size() - 1) / 2 : 0;
  state.queries[key] =
      quantize_operand(values_op, "activation",
                       input(op.inputs[0]).view().rows_range(first, first + rows.size()).cols_range(0, num_keys),
                       variant_.attention, rows.size() * num_keys - num_hidden);
  const units::Operand& values = state.values.at(kv_head_of(head));
  Matrix<float>& accumulators = state.accumulators[key];
  accumulators = Matrix<float>(rows.size(), values.rows());
  units::MatrixProductOptions options = product_options(values_op, head, num_heads);
  if (op.causal) {
    causal_values(options, state.queries[key], values, rows, accumulators.view(), ledgers_[values_op]);
    return;
  }
  if (options_.stepped != nullptr) {
    leave_to_array(options, state.queries[key], values, CausalMask::kNone, rows, accumulators.view(),
                   ledgers_[values_op]);
    return;
  }
  options.origin = {static_cast<std::uint32_t>(rows.begin), 0};
  units::matrix_product(state.queries[key], values, {0, rows.size()}, {0, values.rows()}, variant_.attention, {},
                        options, accumulators.view(), ledgers_[values_op]);
}

/// Row t sums over keys 0 .. t only. A product of the whole block adds zeros for the keys that the mask hides, which
/// changes nothing and raises nothing unless a value is not finite (0 * inf) or the sum is a zero (its sign): then the
/// rows, or those rows' bits, come from products of their own.
void WindowValues::causal_values(units::MatrixProductOptions options, const units::Operand& probabilities,
                                 const units::Operand& values, Range rows, MatrixView<float> accumulators,
                                 numerics::EventLedger& ledger) const {
  if (options_.stepped != nullptr) {
    leave_to_array(options, probabilities, values, CausalMask::kProducts, rows, accumulators, ledger);
    return;
  }
  const auto multiply = [&](units::IndexRange some, std::size_t num_keys, numerics::EventLedger& events) {
    options.origin = {static_cast<std::uint32_t>(rows.begin + some.begin), 0};
    units::matrix_product(part_of(probabilities, some, num_keys), part_of(values, {0, values.rows()}, num_keys),
                          {0, some.size()}, {0, values.rows()}, variant_.attention, {}, options,
                          accumulators.rows_range(some.begin, some.end), events);
  };
  const bool finite = values.integer || std::all_of(values.values.data().begin(), values.values.data().end(),
                                                    [](float value) { return std::isfinite(value); });
  if (finite) multiply({0, rows.size()}, rows.end, ledger);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const float* sums = accumulators.row(row);
    const bool has_zero = std::any_of(sums, sums + accumulators.cols, [](float sum) { return sum == 0; });
    numerics::EventLedger counted_already;
    if (!finite || has_zero) multiply({row, row + 1}, rows.begin + row + 1, finite ? counted_already : ledger);
  }
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

/// Some rows and the first `num_cols` columns of an operand.
units::Operand WindowValues::part_of(const units::Operand& operand, units::IndexRange rows, std::size_t num_cols) {
  units::Operand part;
  part.integer = operand.integer;
  if (!operand.scales.empty()) {
    part.scales.assign(operand.scales.begin() + static_cast<std::ptrdiff_t>(rows.begin),
                       operand.scales.begin() + static_cast<std::ptrdiff_t>(rows.end));
  }
  const auto copy = [rows, num_cols](const auto& from, auto& to) {
    to = std::remove_cvref_t<decltype(to)>(rows.size(), num_cols);
    for (std::size_t row = 0; row < rows.size(); ++row) std::copy_n(from.row(rows.begin + row), num_cols, to.row(row));
  };
  if (operand.integer) {
    copy(operand.codes, part.codes);
  } else {
    copy(operand.values, part.values);
  }
  return part;
}

}  // namespace guardbit::sim
