#include <algorithm>
#include <optional>

#include "models/numerics/check.h"
#include "sim/schedule/window_scheduler.h"

/// Attention, head by head: keys and values of one head stay in the scratchpad while blocks of queries pass; scores and
/// probabilities never leave it. The scores of the next block are issued before the values of the current one, so that
/// the array works while the vector unit computes the softmax. A decode step is the same with one query row per head
/// against the whole cache:
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
  const std::uint64_t read_bytes = packed_bytes(head_size, storage_bits(scores.inputs[1]));
  const bool quantized = is_quantized(scores.inputs[1]);
  attention.key_bytes = quantized ? group_bytes() : read_bytes;
  attention.held_bytes = 2 * tokens_.end * (quantized ? attention.key_bytes + read_bytes : read_bytes);
  attention.cache_passes = quantized ? 1 : 0;
  attention.row_bytes =
      attention.head_bytes + packed_bytes(tokens_.end, result_bits) + packed_bytes(head_size, result_bits);
  const AttentionBytes bytes{
      .held = attention.held_bytes,
      .row = attention.row_bytes,
      .accumulator_row = std::max<std::uint64_t>(tokens_.end, head_size) * accumulator_bytes(attention.mode)};
  attention.rows_per_block = tile_attention(scores.name, tokens_.size(), bytes, config_);
  const std::uint64_t block = attention.rows_per_block * bytes.row;
  tiles_[attention.scores] = TileChoice{.rows = attention.rows_per_block,
                                        .scratchpad_bytes = bytes.held + block,
                                        .accumulator_bytes = attention.rows_per_block * bytes.accumulator_row,
                                        .double_buffered = fits_scratchpad(bytes.held + 2 * block)};
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
  const Range all{0, tokens_.end};
  const std::uint64_t head_bytes = all.size() * attention.key_bytes;
  const std::uint64_t head_offset = kv_head * window_tokens_ * attention.key_bytes;  // a head's tokens lie together
  const std::uint64_t elements = all.size() * static_cast<std::uint64_t>(model_.shape.head_size);
  builder_.begin_op(attention.scores);
  const TokenId keys = builder_.load(scores.inputs[1], head_offset, head_bytes,
                                     builder_.tokens_for(scores.inputs[1], all), attention.held_bytes);
  const TokenId loaded =
      builder_.load(values.inputs[1], head_offset, head_bytes, builder_.tokens_for(values.inputs[1], all));
  builder_.tag(keys, Purpose::kKeysValues);
  builder_.tag(loaded, Purpose::kKeysValues);
  const TokenId operands = builder_.compute(UnitKind::kVector,
                                            VectorWork{.elements = 2 * elements,
                                                       .passes = attention.cache_passes + attention.operand_passes,
                                                       .cache_passes = attention.cache_passes},
                                            {keys, loaded}, [engine = &engine_, attention, kv_head] {
                                              engine->keys_values(attention.scores, attention.values, kv_head);
                                            });
  builder_.tag(operands, Purpose::kQuantization);

  const std::size_t group = static_cast<std::size_t>(model_.shape.num_heads) / num_kv_heads;
  std::optional<PendingValues> pending;
  for (std::size_t head = kv_head * group; head < (kv_head + 1) * group; ++head) {
    for_token_blocks(attention.rows_per_block, [&](Range rows) {
      const PendingValues next = attention_scores(attention, head, rows, operands);
      if (pending) attention_values(attention, *pending, 0);
      pending = next;
    });
  }
  attention_values(attention, *pending, attention.held_bytes);
}

/// Two passes: maximum, exponential with running sum, division: three reads, one of them through the exponential.
/// Online: exponential with running maximum and sum, exponential and division: two reads, both through the exponential,
/// and a factor for the sum of every block but a row's first.
VectorWork WindowScheduler::softmax_work(std::uint64_t num_rows, std::uint64_t num_keys) const {
  const std::uint64_t elements = num_rows * num_keys;
  if (config_.softmax.method == "two_pass") return {.elements = elements, .passes = 3, .exp_passes = 1};
  const auto block = static_cast<std::uint64_t>(config_.softmax.block);
  return {.elements = elements, .passes = 2, .exp_passes = 2, .exponentials = num_rows * ((num_keys - 1) / block)};
}

WindowScheduler::PendingValues WindowScheduler::attention_scores(const Attention& attention, std::size_t head,
                                                                 Range rows, TokenId operands) {
  const transformer::Op& op = model_.ops[attention.scores];
  const auto head_size = static_cast<std::uint64_t>(model_.shape.head_size);
  builder_.begin_op(attention.scores);
  const std::uint64_t reserved = rows.size() * attention.row_bytes;
  const TokenId queries =
      builder_.load(op.inputs[0], head * window_tokens_ * attention.head_bytes + rows.begin * attention.head_bytes,
                    rows.size() * attention.head_bytes, builder_.tokens_for(op.inputs[0], rows), reserved);
  Tokens ready = {queries, operands};
  if (attention.operand_passes > 0) {
    ready = {builder_.compute(UnitKind::kVector,
                              VectorWork{.elements = rows.size() * head_size, .passes = attention.operand_passes},
                              ready, {})};
    builder_.tag(ready.front(), Purpose::kQuantization);
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
  builder_.tag(scaled, Purpose::kEpilogue);
  builder_.hold_accumulators(product, scaled, elements * accumulator_bytes(attention.mode));
  builder_.begin_op(attention.softmax);
  const TokenId probabilities = builder_.compute(
      UnitKind::kVector, softmax_work(rows.size(), num_keys), {scaled},
      [engine = &engine_, index = attention.softmax, head, rows] { engine->softmax(index, head, rows); });
  builder_.tag(probabilities, Purpose::kSoftmax);
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
    builder_.tag(ready, Purpose::kQuantization);
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
  builder_.tag(done, Purpose::kEpilogue);
  builder_.hold_accumulators(product, done, rows.size() * head_size * accumulator_bytes(attention.mode));
  const std::uint64_t out_bytes = packed_bytes(head_size, storage_bits(op.output));
  builder_.rows_ready(op.output, rows,
                      builder_.store(op.output, pending.head * window_tokens_ * out_bytes + rows.begin * out_bytes,
                                     rows.size() * out_bytes, {done}, pending.reserved_bytes));
}

}  // namespace guardbit::sim
