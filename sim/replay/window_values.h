#pragma once
/// The values of one window of tokens: every tensor between ops, and the operands in flight. Calls the units of
/// models/ and nothing else; the scheduler's commands decide the order.
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/transformer/reference.h"
#include "models/units/affine_product.h"
#include "sim/modules/pe_machine.h"
#include "sim/replay/prepared_variant.h"
#include "sim/replay/value_observer.h"
#include "sim/schedule/value_engine.h"

namespace guardbit::sim {

struct WindowOptions {
  std::span<const int> tokens;  ///< inputs of the window
  std::uint64_t seed = 0;       ///< stochastic rounding; differs from window to window
  numerics::ParallelFor parallel_for;
  /// Open loop: inputs of every op, by tensor name, taken from here instead of from the op before. Null: closed loop.
  const transformer::Activations<float>* recorded = nullptr;
  ValueObserver* observer = nullptr;  ///< watches, if there is one
  PeRequestSlot* stepped = nullptr;   ///< PE fidelity: products are left here for the matrix unit. Null: computed here
};

class WindowValues final : public ValueEngine {
 public:
  /// `variant` outlives the engine; `ledgers` (one per op) receive the events.
  WindowValues(const PreparedVariant& variant, const WindowOptions& options,
               std::vector<numerics::EventLedger>& ledgers);

  /// The tokens that the next commands are about; the whole window until it is called. Operands, statistics and
  /// accumulators of linear layers are those of the pass; tensors between ops and the KV cache hold the whole window.
  void begin_pass(Range tokens) { pass_ = tokens; }

  void rows(std::size_t op, Range rows) override;
  void rotate(std::size_t op, Range rows) override;
  void smooth_statistics(std::size_t op, Range rows) override;
  void quantize(std::size_t op, Range rows) override;
  void product(std::size_t op, Range rows, Range cols) override;
  void epilogue(std::size_t op, Range rows, Range cols) override;
  void keys_values(std::size_t scores_op, std::size_t values_op, std::size_t kv_head) override;
  void scores(std::size_t scores_op, std::size_t head, Range rows) override;
  void scores_epilogue(std::size_t scores_op, std::size_t head, Range rows) override;
  void softmax(std::size_t softmax_op, std::size_t head, Range rows) override;
  void values(std::size_t values_op, std::size_t head, Range rows) override;
  void values_epilogue(std::size_t values_op, std::size_t head, Range rows) override;

  /// Output of an op, by tensor name, as far as it was computed; scores and probabilities as in
  /// transformer::Activations, keys and values of an integer cache as they are read from it.
  const numerics::Matrix<float>& tensor(const std::string& name) const { return tensors_.at(name); }
  /// No command reads the tensor any more.
  void drop_tensor(const std::string& name) {
    tensors_.erase(name);
    recorded_.erase(name);
  }

 private:
  /// A linear layer between its first operand and its last result; T: the tokens of the pass.
  struct LinearState {
    numerics::Matrix<float> rotated;                 ///< (T, K), where the op rotates
    std::map<std::size_t, units::SmoothPlan> plans;  ///< where the op smooths, by first token
    std::optional<std::size_t> gathered_for;         ///< the plan in whose order `gathered` is
    units::Operand gathered;                         ///< weights in that order
    units::Operand widened;                          ///< weights of a block, where they are kept narrow
    units::Operand x;                                ///< (T, K)
    std::map<std::pair<std::size_t, std::size_t>, numerics::Matrix<float>> accumulators;  ///< blocks by first row, col
  };
  using BlockKey = std::pair<std::size_t, std::size_t>;  ///< head, first query row
  /// One product of an attention layer: keys or values by key/value head, and the blocks of queries in flight.
  struct AttentionState {
    std::map<std::size_t, units::Operand> keys;    ///< scores: (tokens so far, head_size)
    std::map<std::size_t, units::Operand> values;  ///< values: (head_size, tokens so far)
    std::map<BlockKey, units::Operand> queries;    ///< rows of q, or of probabilities
    std::map<BlockKey, numerics::Matrix<float>> accumulators;
  };

  const numerics::Matrix<float>& input(const std::string& tensor);
  numerics::Matrix<float>& output(const transformer::Op& op, std::size_t num_rows, std::size_t num_cols);
  numerics::MatrixView<const float> linear_input(std::size_t op, LinearState& state);
  static const std::pair<const std::size_t, units::SmoothPlan>& plan_at(const LinearState& state, std::size_t token);
  const units::Operand& gathered_weights(std::size_t op, std::size_t token, LinearState& state) const;
  Range in_pass(Range rows) const { return {rows.begin - pass_.begin, rows.end - pass_.begin}; }
  numerics::MatrixView<const float> head_view(const std::string& tensor, std::size_t head);
  units::MatrixProductOptions product_options(std::size_t op, std::size_t head, std::size_t num_heads) const;
  units::Operand quantize_operand(std::size_t op, std::string_view quantizer, numerics::MatrixView<const float> x,
                                  const units::MatrixMode& mode, std::size_t num_values,
                                  const std::optional<units::ValueRange>& whole = {});
  void embed(std::size_t op, Range rows);
  bool is_quantized(const std::string& tensor) const { return variant_.quantized_tensors.contains(tensor); }
  units::KvCache& cache_in(std::map<std::string, units::KvCache>& caches, const std::string& tensor) const;
  void through_cache(const std::string& tensor, Range rows, Range cols, std::map<std::string, units::KvCache>& caches,
                     numerics::Matrix<float>& values, numerics::EventLedger& ledger) const;
  void write_cache(std::size_t op, Range rows, Range cols, numerics::Matrix<float>& values);
  numerics::Matrix<float> cached_head(const std::string& tensor, std::size_t kv_head, numerics::EventLedger& ledger);
  std::size_t kv_head_of(std::size_t head) const;
  std::size_t keys_of_block(const transformer::Op& op, Range rows) const;
  static units::Operand part_of(const units::Operand& operand, units::IndexRange rows, std::size_t num_cols);
  void causal_scores(units::MatrixProductOptions options, const units::Operand& queries, const units::Operand& keys,
                     Range rows, numerics::MatrixView<float> accumulators, numerics::EventLedger& ledger) const;
  void leave_to_array(const units::MatrixProductOptions& options, const units::Operand& a, const units::Operand& b,
                      CausalMask mask, Range rows, numerics::MatrixView<float> accumulators,
                      numerics::EventLedger& ledger) const;
  void causal_values(units::MatrixProductOptions options, const units::Operand& probabilities,
                     const units::Operand& values, Range rows, numerics::MatrixView<float> accumulators,
                     numerics::EventLedger& ledger) const;

  const PreparedVariant& variant_;
  const WindowOptions options_;
  std::vector<numerics::EventLedger>& ledgers_;
  const std::size_t num_tokens_;
  Range pass_;
  transformer::Activations<float> tensors_;
  transformer::Activations<float> recorded_;               ///< open loop: recorded inputs in their storage formats
  std::map<std::string, units::KvCache> caches_;           ///< integer caches, by tensor
  std::map<std::string, units::KvCache> recorded_caches_;  ///< open loop: those of recorded keys and values
  std::map<std::size_t, LinearState> linears_;
  std::map<std::size_t, AttentionState> attentions_;  ///< by scores op
  std::map<std::size_t, AttentionState> outputs_;     ///< by values op
};

}  // namespace guardbit::sim
