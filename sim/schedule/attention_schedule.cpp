#include <algorithm>
#include <optional>

#include "models/numerics/check.h"
#include "sim/schedule/window_scheduler.h"

/// Attention, head by head: keys and values of one head stay in the scratchpad while blocks of queries pass; scores and
/// probabilities never leave it. The scores of the next block are issued before the values of the current one, so that
/// the array works while the vector unit computes the softmax:
///
///   load k, v -> [operands] -> for each block i: load q -> scores(i) -> scale, convert -> softmax(i)
///                                                values(i - 1) -> convert -> store
namespace guardbit::sim {

using transformer::OperandClass;

void WindowScheduler::schedule_attention(std::size_t scores_index) {
  GUARDBIT_CHECK(scores_index + 2 < model_.ops.size(), "scores are followed by softmax and values");
  Attention attention;
  attention.scores = scores_index;
  attention.softmax = scores_index + 1;
  attention.values = scores_index + 2;
  const transformer::Op& scores = model_.ops[attention.scores];
  const transformer::Op& values = model_.ops[attention.values];
  attention.mode = units::make_matrix_mode(config_.array, config_.attention, config_.attention_accumulator, 0);

  const auto head_size = static_cast<std::uint64_t>(model_.shape.head_size);
  const int result_bits = storage_bits(values.output);
  attention.head_bytes = packed_bytes(head_size, storage_bits(scores.inputs[0]));
  attention.key_bytes = packed_bytes(head_size, storage_bits(scores.inputs[1]));
  attention.row_bytes =
      attention.head_bytes + packed_bytes(num_tokens_, result_bits) + packed_bytes(head_size, result_bits);
  attention.rows_per_block =
      tile_attention(scores.name, num_tokens_, 2 * num_tokens_ * attention.key_bytes, attention.row_bytes, config_);
  const bool scaled = attention.mode.integer || attention.mode.dynamic_scale;
  const bool converted = activation_bits(attention.mode) != result_bits;
  attention.operand_passes = scaled ? 2 : (converted ? 1 : 0);

  const auto num_kv_heads = static_cast<std::size_t>(model_.shape.num_kv_heads);
  for (std::size_t kv_head = 0; kv_head < num_kv_heads; ++kv_head) {
    attention_kv_head(attention, kv_head, num_kv_heads);
  }
}

void WindowScheduler::attention_kv_head(const Attention& attention, std::size_t kv_head, std::size_t num_kv_heads) {
  const transformer::Op& scores = model_.ops[attention.scores];
  const transformer::Op& values = model_.ops[attention.values];
  const Range all{0, num_tokens_};
  const std::uint64_t head_bytes = num_tokens_ * attention.key_bytes;
  const std::uint64_t elements = num_tokens_ * static_cast<std::uint64_t>(model_.shape.head_size);
  builder_.begin_op(attention.scores);
  const std::uint64_t held = 2 * head_bytes;
  const TokenId keys = builder_.load(scores.inputs[1], kv_head * head_bytes, head_bytes,
                                     builder_.tokens_for(scores.inputs[1], all), held);
  const TokenId loaded =
      builder_.load(values.inputs[1], kv_head * head_bytes, head_bytes, builder_.tokens_for(values.inputs[1], all));
  const TokenId operands = builder_.compute(
      UnitKind::kVector, VectorWork{.elements = 2 * elements, .passes = attention.operand_passes}, {keys, loaded},
      [engine = &engine_, attention, kv_head] { engine->keys_values(attention.scores, attention.values, kv_head); });

  const std::size_t group = static_cast<std::size_t>(model_.shape.num_heads) / num_kv_heads;
  std::optional<PendingValues> pending;
  for (std::size_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    for (std::size_t begin = 0; begin < num_tokens_; begin += attention.rows_per_block) {
      const Range rows{begin, std::min<std::size_t>(begin + attention.rows_per_block, num_tokens_)};
      const PendingValues next = attention_scores(attention, head, rows, operands);
      if (pending) attention_values(attention, *pending, 0);
      pending = next;
    }
  }
  attention_values(attention, *pending, held);
}

WindowScheduler::PendingValues WindowScheduler::attention_scores(const Attention& attention, std::size_t head,
                                                                 Range rows, TokenId operands) {
  const transformer::Op& op = model_.ops[attention.scores];
  const auto head_size = static_cast<std::uint64_t>(model_.shape.head_size);
  builder_.begin_op(attention.scores);
  const std::uint64_t reserved = rows.size() * attention.row_bytes;
  const TokenId queries =
      builder_.load(op.inputs[0], head * num_tokens_ * attention.head_bytes + rows.begin * attention.head_bytes,
                    rows.size() * attention.head_bytes, builder_.tokens_for(op.inputs[0], rows), reserved);
  Tokens ready = {queries, operands};
  if (attention.operand_passes > 0) {
    ready = {builder_.compute(UnitKind::kVector,
                              VectorWork{.elements = rows.size() * head_size, .passes = attention.operand_passes},
                              ready, {})};
  }
  const std::uint64_t num_keys = keys_of_block(op, rows);
  const std::uint64_t elements = rows.size() * num_keys;
  MatrixWork work =
      matrix_work(attention.mode, config_.attention, config_.attention_accumulator, rows.size(), num_keys, head_size);
  const TokenId product = builder_.compute(
      UnitKind::kMatrix, work, ready,
      [engine = &engine_, index = attention.scores, head, rows] { engine->scores(index, head, rows); });
  const TokenId scaled = builder_.compute(
      UnitKind::kVector, VectorWork{.elements = elements}, {product},
      [engine = &engine_, index = attention.scores, head, rows] { engine->scores_epilogue(index, head, rows); });
  builder_.begin_op(attention.softmax);
  // Maximum, exponential with running sum, division: three reads, one of them through the exponential.
  const TokenId probabilities = builder_.compute(
      UnitKind::kVector, VectorWork{.elements = elements, .passes = 3, .exp_passes = 1}, {scaled},
      [engine = &engine_, index = attention.softmax, head, rows] { engine->softmax(index, head, rows); });
  return {head, rows, probabilities, reserved};
}

void WindowScheduler::attention_values(const Attention& attention, const PendingValues& pending,
                                       std::uint64_t free_bytes) {
  const transformer::Op& op = model_.ops[attention.values];
  const auto head_size = static_cast<std::uint64_t>(model_.shape.head_size);
  const Range rows = pending.rows;
  const std::uint64_t num_keys = keys_of_block(op, rows);
  builder_.begin_op(attention.values);
  TokenId ready = pending.probabilities;
  if (attention.operand_passes > 0) {
    ready = builder_.compute(UnitKind::kVector,
                             VectorWork{.elements = rows.size() * num_keys, .passes = attention.operand_passes},
                             {ready}, {});
  }
  const MatrixWork work =
      matrix_work(attention.mode, config_.attention, config_.attention_accumulator, rows.size(), head_size, num_keys);
  const TokenId product = builder_.compute(
      UnitKind::kMatrix, work, {ready},
      [engine = &engine_, index = attention.values, head = pending.head, rows] { engine->values(index, head, rows); },
      free_bytes);
  const TokenId done = builder_.compute(UnitKind::kVector, VectorWork{.elements = rows.size() * head_size}, {product},
                                        [engine = &engine_, index = attention.values, head = pending.head, rows] {
                                          engine->values_epilogue(index, head, rows);
                                        });
  const std::uint64_t out_bytes = packed_bytes(head_size, storage_bits(op.output));
  builder_.rows_ready(op.output, rows,
                      builder_.store(op.output, pending.head * num_tokens_ * out_bytes + rows.begin * out_bytes,
                                     rows.size() * out_bytes, {done}, pending.reserved_bytes));
}

}  // namespace guardbit::sim
