#pragma once
/// How the errors of a replay spread over its tokens: what tells whether two points differ or are only unlucky.
/// Lists of two replays of the same tokens belong together, entry by entry.
#include <vector>

#include "models/numerics/matrix.h"
#include "models/transformer/model.h"
#include "sim/report/replay_json.h"
#include "sim/trace/trace_bundle.h"

namespace guardbit::sim {

/// A point keeps this many numbers a list, means over equally long runs of consecutive tokens.
inline constexpr std::size_t kTokenBlocks = 64;

class TokenErrors {
 public:
  /// @param windows  in the order in which they are replayed
  TokenErrors(std::vector<Trace::Window> windows, const transformer::ModelShape& shape);

  /// Logits, simulated and the fp32 forward's, of a window from `first_row` on; 0 begins the next window.
  void add_rows(std::size_t first_row, numerics::MatrixView<const float> logits,
                numerics::MatrixView<const float> reference);

  /// {"loss", "noise", "disagreement"}, means over at most kTokenBlocks runs of tokens; null for what is no number.
  /// loss: -log p(target) minus the fp32 forward's, over scored targets (an encoder: empty); the mean over tokens is
  /// log(perplexity / reference_perplexity), that over runs is near it. noise: squared error of the logits by the mean
  /// square of all of the fp32 forward's; its mean is 10^(-sqnr_db / 10). disagreement: share of tokens whose largest
  /// logit is not the fp32 forward's. Test: tests/unit/search_decision_test.cpp.
  [[nodiscard]] Json json() const;

 private:
  std::vector<Trace::Window> windows_;
  transformer::ModelShape shape_;
  std::size_t num_windows_ = 0;  ///< that were added
  std::vector<double> loss_;     ///< by token
  std::vector<double> noise_;
  std::vector<double> disagreement_;
  double signal_ = 0;  ///< sum over all logits of the fp32 forward
};

}  // namespace guardbit::sim
