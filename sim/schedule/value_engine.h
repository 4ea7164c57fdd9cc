#pragma once
/// The values behind a schedule: what each command computes. The scheduler decides when and in which tiles; the engine
/// (sim/replay) calls the units of models/. Calls arrive in the order in which the simulated machine starts commands,
/// so every method may rely only on the data its command waited for.
#include <cstddef>

namespace guardbit::sim {

/// Half-open range of rows (tokens) or columns (output channels).
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t size() const { return end - begin; }
};

class ValueEngine {
 public:
  virtual ~ValueEngine() = default;

  /// Row-local operations (embed, norm, rope, activation, gate, residual): output rows of the op.
  virtual void rows(std::size_t op, Range rows) = 0;

  /// Linear layers, in this order: rotation of input rows, smoothing statistics over all rows of the pass or over
  /// those of a block, operands of rows, products of an output block, dequantization and bias of that block.
  virtual void rotate(std::size_t op, Range rows) = 0;
  virtual void smooth_statistics(std::size_t op, Range rows) = 0;
  virtual void quantize(std::size_t op, Range rows) = 0;
  virtual void product(std::size_t op, Range rows, Range cols) = 0;
  virtual void epilogue(std::size_t op, Range rows, Range cols) = 0;

  /// Attention of one query head; query t sees keys 0 .. t (the array spends time on a whole block of keys, but values
  /// and events are those of the causal part). `scores_op`, `softmax_op`, `values_op` are
  /// the three ops of the layer. keys_values() comes first, once per (layer, key/value head).
  virtual void keys_values(std::size_t scores_op, std::size_t values_op, std::size_t kv_head) = 0;
  virtual void scores(std::size_t scores_op, std::size_t head, Range rows) = 0;
  virtual void scores_epilogue(std::size_t scores_op, std::size_t head, Range rows) = 0;
  virtual void softmax(std::size_t softmax_op, std::size_t head, Range rows) = 0;
  virtual void values(std::size_t values_op, std::size_t head, Range rows) = 0;
  virtual void values_epilogue(std::size_t values_op, std::size_t head, Range rows) = 0;
};

}  // namespace guardbit::sim
