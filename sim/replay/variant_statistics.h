#pragma once
/// What a variant's windows add up to: events, errors against the reference, likelihood, cycles, digest.
#include <span>
#include <string>
#include <vector>

#include "models/transformer/reference.h"
#include "sim/base/sha256.h"
#include "sim/stats/result.h"

namespace guardbit::sim {

class VariantStatistics {
 public:
  VariantStatistics(std::string name, const transformer::Model<float>& model);

  /// One pass of the machine over `tokens` tokens: its cycles, and MACs by op. `phase`: to which it belongs; "" for a
  /// pass over a whole window.
  void add_pass(const std::string& phase, std::size_t tokens, const CycleReport& cycles,
                std::span<const std::uint64_t> macs);
  /// One window: simulated and reference outputs of every op, and the targets of the last positions, which count for
  /// perplexity and top-1 agreement (an encoder: none, and all positions).
  void add_window(const transformer::Activations<float>& simulated, const transformer::Activations<float>& reference,
                  std::span<const int> targets);

  /// The sums over all windows. `peak_macs_per_cycle`: of the array.
  VariantResult finish(double peak_macs_per_cycle);

  /// Events by op; the windows add to them while they run.
  std::vector<numerics::EventLedger>& ledgers() { return ledgers_; }

 private:
  struct OpError {
    double signal = 0;
    double noise = 0;
    double max_abs = 0;
    double reference_max_abs = 0;
    Sha256 output;
  };
  void compare(std::size_t op, const numerics::Matrix<float>& simulated, const numerics::Matrix<float>& reference);
  void add_logits(const numerics::Matrix<float>& simulated, const numerics::Matrix<float>& reference,
                  std::span<const int> targets);
  void add_cycles(const CycleReport& cycles);

  const transformer::Model<float>& model_;
  VariantResult result_;
  std::vector<numerics::EventLedger> ledgers_;
  std::vector<OpError> errors_;
  double negative_log_likelihood_ = 0;
  std::uint64_t num_targets_ = 0;
  std::uint64_t num_compared_ = 0;
  std::uint64_t num_agreeing_ = 0;
};

/// exp of the mean negative log likelihood; NaN over no tokens.
double perplexity(double negative_log_likelihood, std::uint64_t num_tokens);

}  // namespace guardbit::sim
