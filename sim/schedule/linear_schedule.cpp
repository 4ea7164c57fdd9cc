#include <algorithm>

#include "sim/modules/timing.h"
#include "sim/schedule/window_scheduler.h"

/// Linear layers. A block of tokens is loaded, rotated, smoothed and quantized once and stays in the scratchpad while
/// blocks of weights stream past it:
///
///   load x -> [rotate] -> [channel maxima, sort] -> quantize -> [row sums] -> for each weight block: load w -> matrix
///   -> epilogue
///   -> store y
///
/// Runtime smoothing ([smooth] statistics = "sequence"), and one scale for a whole tensor, need maxima over all tokens.
/// If all tokens fit at once, or the maxima are those of a block ("tile"), this is one more pass over the block;
/// otherwise a pass of its own rotates the input, stores the rotated copy and collects the maxima first. The gather of
/// channels that the smoothing order asks for is the read order of the operand feeders and costs no cycle.
namespace guardbit::sim {

MatrixWork WindowScheduler::matrix_work(const units::MatrixMode& mode, const units::OperandConfig& operands,
                                        const units::AccumulatorConfig& accumulator, std::uint64_t m, std::uint64_t n,
                                        std::uint64_t k) const {
  const PeTiming pe = pe_timing(config_.array, operands, accumulator);
  return {.m = m,
          .n = n,
          .k = k,
          .cycles_per_mac = pe.cycles_per_mac,
          .latency_cycles = pe.latency_cycles,
          .interleave = pe.interleave,
          .pipeline_cycles = pe.pipeline_cycles,
          .chunk = static_cast<std::uint64_t>(mode.chunk),
          .first_of_op = true,
          .last_of_op = true};
}

/// Of a product with group scales: its chunk without them; none if it has no more chunks than that.
std::optional<std::uint64_t> WindowScheduler::chunk_without_groups(const MatrixWork& work,
                                                                   transformer::OperandClass kind) const {
  MatrixWork plain = work;
  plain.chunk = static_cast<std::uint64_t>(
      units::make_matrix_mode(config_.array, operand_config(config_, kind), accumulator_config(config_, kind)).chunk);
  if (plain.outer_updates() >= work.outer_updates()) return std::nullopt;
  return plain.chunk;
}

WindowScheduler::Linear WindowScheduler::make_linear(std::size_t index) const {
  Linear linear;
  linear.index = index;
  linear.op = &model_.ops[index];
  linear.depth = row_width(linear.op->inputs[0]);
  linear.columns = row_width(linear.op->output);
  linear.mode = linear_mode(config_, *linear.op);
  linear.input = linear.op->inputs[0];
  linear.bytes = {
      .input_row = row_bytes(linear.input),
      .operand_row = packed_bytes(linear.depth, activation_bits(linear.mode)),
      .weight_col = weight_column_bytes(linear.mode, *linear.op, linear.depth),
      .output_element = packed_bytes(1, storage_bits(linear.op->output)),
      .accumulator_element = accumulator_bytes(linear.mode),
      .depth = linear.depth,
      .column_unit = is_quantized(linear.op->output) ? static_cast<std::uint64_t>(model_.shape.head_size) : 1};
  linear.tile = tile_linear(linear.op->name, tokens_.size(), linear.columns, linear.bytes, config_);
  const bool scaled = linear.mode.integer || linear.mode.dynamic_scale;
  const bool converted = activation_bits(linear.mode) != storage_bits(linear.input);
  // Maximum and quantize, or one pass by what is known; or one conversion; or nothing.
  linear.quantize_passes = scaled ? (has_static_scale(config_, *linear.op) ? 1 : 2) : (converted ? 1 : 0);
  return linear;
}

/// The pass of its own: rotation and maxima of all tokens before the first block.
void WindowScheduler::prepare_linear(Linear& linear) {
  const transformer::Op& op = *linear.op;
  const std::uint64_t row = linear.bytes.input_row;
  const bool rotates = op.rotation.size > 0;
  const std::string source = linear.input;
  if (rotates) {
    linear.input = op.name + ".rotated";
    widths_[linear.input] = linear.depth;
    bits_[linear.input] = storage_bits(source);
    builder_.place(linear.input, window_tokens_ * row);
  }
  Tokens maxima;
  const std::uint64_t block = tile_rows(op.name, tokens_.size(), row * (rotates ? 2 : 1), config_);
  for_token_blocks(block, [&](Range rows) {
    const std::uint64_t reserved = rows.size() * row * (rotates ? 2 : 1);
    TokenId ready =
        builder_.load(source, rows.begin * row, rows.size() * row, builder_.tokens_for(source, rows), reserved);
    if (rotates) {
      ready = builder_.compute(
          UnitKind::kRotate, RotateWork{rows.size(), linear.depth, static_cast<std::uint64_t>(op.rotation.size)},
          {ready}, [engine = &engine_, index = linear.index, rows] { engine->rotate(index, rows); });
    }
    if (op.smooth) {
      maxima.push_back(builder_.compute(
          UnitKind::kVector,
          VectorWork{.elements = rows.size() * linear.depth, .lanes = static_cast<std::uint32_t>(config_.smooth.lanes)},
          {ready}, {}, rotates ? 0 : reserved));
      builder_.tag(maxima.back(), Purpose::kChannelMaxima);
    } else if (linear.mode.activation_tensor) {
      maxima.push_back(builder_.compute(UnitKind::kVector, VectorWork{.elements = rows.size() * linear.depth}, {ready},
                                        {}, rotates ? 0 : reserved));
      builder_.tag(maxima.back(), Purpose::kTensorMaxima);
    }
    if (rotates) {
      Tokens waits = {ready};
      if (!maxima.empty()) waits.push_back(maxima.back());
      builder_.rows_ready(linear.input, rows,
                          builder_.store(linear.input, rows.begin * row, rows.size() * row, waits, reserved));
    }
  });
  if (op.smooth) {
    linear.input_ready.push_back(builder_.compute(UnitKind::kVector,
                                                  VectorWork{.passes = 0,
                                                             .lanes = static_cast<std::uint32_t>(config_.smooth.lanes),
                                                             .sort_elements = config_.smooth.sort ? linear.depth : 0},
                                                  maxima, [engine = &engine_, index = linear.index, tokens = tokens_] {
                                                    engine->smooth_statistics(index, tokens);
                                                  }));
    builder_.tag(linear.input_ready.back(), Purpose::kChannelMaxima);
  } else if (linear.mode.activation_tensor) {
    linear.input_ready = maxima;
    --linear.quantize_passes;  // the maximum is known
  }
  linear.prepared = true;
}

/// Rotation, statistics and operands of a block that is in the scratchpad; returns the token after which the array may
/// read it.
TokenId WindowScheduler::linear_operands(const Linear& linear, Range rows, TokenId loaded) {
  const transformer::Op& op = *linear.op;
  const std::uint64_t elements = rows.size() * linear.depth;
  const auto smooth_lanes = static_cast<std::uint32_t>(config_.smooth.lanes);
  TokenId ready = loaded;
  if (!linear.prepared && op.rotation.size > 0) {
    ready = builder_.compute(UnitKind::kRotate,
                             RotateWork{rows.size(), linear.depth, static_cast<std::uint64_t>(op.rotation.size)},
                             {ready}, [engine = &engine_, index = linear.index, rows] { engine->rotate(index, rows); });
  }
  if (!linear.prepared && op.smooth) {
    ready = builder_.compute(
        UnitKind::kVector,
        VectorWork{
            .elements = elements, .lanes = smooth_lanes, .sort_elements = config_.smooth.sort ? linear.depth : 0},
        {ready}, [engine = &engine_, index = linear.index, rows] { engine->smooth_statistics(index, rows); });
    builder_.tag(ready, Purpose::kChannelMaxima);
  }
  if (op.smooth) {
    ready = builder_.compute(UnitKind::kVector, VectorWork{.elements = elements, .lanes = smooth_lanes}, {ready}, {});
    builder_.tag(ready, Purpose::kSmoothDivide);
  }
  const auto quantize = [engine = &engine_, index = linear.index, rows] { engine->quantize(index, rows); };
  ready = builder_.tag(
      builder_.compute(UnitKind::kVector, VectorWork{.elements = elements, .passes = linear.quantize_passes}, {ready},
                       quantize),
      Purpose::kQuantization);
  if (!linear.mode.weight_zero_points) return ready;
  return builder_.tag(builder_.compute(UnitKind::kVector, VectorWork{.elements = elements}, {ready}, {}),
                      Purpose::kRowSums);
}

/// One block of tokens against all output channels.
void WindowScheduler::linear_rows(const Linear& linear, Range rows) {
  const transformer::Op& op = *linear.op;
  const std::uint64_t row = linear.bytes.input_row;
  const std::uint64_t held = rows.size() * (row + linear.bytes.operand_row);
  Tokens waits = builder_.tokens_for(linear.input, rows);
  waits.insert(waits.end(), linear.input_ready.begin(), linear.input_ready.end());
  const TokenId loaded = builder_.load(linear.input, rows.begin * row, rows.size() * row, waits, held);
  const TokenId operands = linear_operands(linear, rows, loaded);

  const std::uint64_t out_row = row_bytes(op.output);
  for (std::uint64_t begin = 0; begin < linear.columns; begin += linear.tile.cols) {
    const Range cols{begin, std::min<std::size_t>(begin + linear.tile.cols, linear.columns)};
    const std::uint64_t reserved = linear.tile.block_bytes(linear.bytes, rows.size(), cols.size());
    const TokenId weights = builder_.load(op.weight, cols.begin * linear.bytes.weight_col,
                                          cols.size() * linear.bytes.weight_col, {}, reserved);
    builder_.tag(weights, Purpose::kWeights);
    MatrixWork work =
        matrix_work(linear.mode, operand_config(config_, op.operand_class),
                    accumulator_config(config_, op.operand_class), rows.size(), cols.size(), linear.depth);
    const bool last_columns = cols.end == linear.columns;
    if (op.smooth || linear.mode.weight_group > 0 || linear.mode.activation_group > 0) {
      work.chunk_without_groups = chunk_without_groups(work, op.operand_class);
    }
    work.first_of_op = rows.begin == tokens_.begin && cols.begin == 0;
    work.last_of_op = rows.end == tokens_.end && last_columns;
    const TokenId product = builder_.compute(
        UnitKind::kMatrix, work, {operands, weights},
        [engine = &engine_, index = linear.index, rows, cols] { engine->product(index, rows, cols); },
        last_columns ? held : 0);
    const std::uint64_t elements = rows.size() * cols.size();
    const TokenId done = builder_.compute(
        UnitKind::kVector, VectorWork{.elements = elements, .passes = 1 + quantizer_passes(op.output)}, {product},
        [engine = &engine_, index = linear.index, rows, cols] { engine->epilogue(index, rows, cols); });
    builder_.tag(done, Purpose::kEpilogue);
    builder_.hold_accumulators(product, done, elements * linear.bytes.accumulator_element);
    const auto stored_bytes = [&](std::uint64_t num_columns) {
      return is_quantized(op.output) ? num_columns / linear.bytes.column_unit * group_bytes()
                                     : num_columns * linear.bytes.output_element;
    };
    builder_.rows_ready(op.output, rows,
                        builder_.store(op.output, rows.begin * out_row + stored_bytes(cols.begin),
                                       rows.size() * stored_bytes(cols.size()), {done}, reserved));
  }
}

TileChoice WindowScheduler::tile_choice(const Linear& linear) const {
  const LinearTile& tile = linear.tile;
  const std::uint64_t held = tile.held_bytes(linear.bytes);
  const std::uint64_t block = tile.block_bytes(linear.bytes, tile.rows, tile.cols);
  return {.rows = tile.rows,
          .cols = tile.cols,
          .scratchpad_bytes = held + block,
          .accumulator_bytes = tile.rows * tile.cols * linear.bytes.accumulator_element,
          .weight_passes = (tokens_.size() + tile.rows - 1) / tile.rows,
          .double_buffered = fits_scratchpad(held + 2 * block)};
}

void WindowScheduler::schedule_linear(std::size_t index) {
  Linear linear = make_linear(index);
  tiles_[index] = tile_choice(linear);
  const bool smooths_whole_input = linear.op->smooth && config_.smooth.statistics == "sequence";
  const bool needs_whole_input = smooths_whole_input || linear.mode.activation_tensor;
  if (needs_whole_input && linear.tile.rows < tokens_.size()) prepare_linear(linear);
  for_token_blocks(linear.tile.rows, [&](Range rows) { linear_rows(linear, rows); });
}

}  // namespace guardbit::sim
