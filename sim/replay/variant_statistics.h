#pragma once
/// What a variant's windows add up to: events, errors against the reference, likelihood, cycles, digest.
#include <span>
#include <string>
#include <vector>

#include "models/transformer/reference.h"
#include "sim/base/sha256.h"
#include "sim/replay/exponent_counter.h"
#include "sim/schedule/operation_counts.h"
#include "sim/schedule/scheduler.h"
#include "sim/stats/result.h"

namespace guardbit::sim {

/// What the schedule of a pass says before it runs.
struct PassSchedule {
  std::vector<std::uint64_t> macs;       ///< by op
  std::vector<OpOperations> operations;  ///< by op
  TileChoices tiles;
};

class VariantStatistics {
 public:
  VariantStatistics(std::string name, const transformer::Model<float>& model);

  /// One pass of the machine over `tokens` tokens. `phase`: to which it belongs; "" for a pass over a whole window.
  void add_pass(const std::string& phase, std::size_t tokens, const PassSchedule& schedule, const CycleReport& cycles);
  /// One window's values of an op, in op order: simulated and reference outputs, all rows or one block of rows after
  /// the other; contiguous.
  void add_output(std::size_t op, numerics::MatrixView<const float> simulated,
                  numerics::MatrixView<const float> reference);
  /// And of the last op, the whole window, with the targets of the last positions, which count for perplexity.
  void add_logits(const numerics::Matrix<float>& simulated, std::span<const int> targets);
  /// Rows of the last op that count for top-1 agreement: the positions with targets (an encoder: all).
  void add_agreement(numerics::MatrixView<const float> simulated, numerics::MatrixView<const float> reference);

  /// The sums over all windows. Without values their results are not a number or empty, the digest too.
  VariantResult finish(const units::AcceleratorConfig& config);

  /// Events by op; the windows add to them while they run.
  std::vector<numerics::EventLedger>& ledgers() { return ledgers_; }

 private:
  struct OpError {
    double signal = 0;
    double noise = 0;
    double max_abs = 0;
    double reference_max_abs = 0;
    ExponentCounter exponents;
    Sha256 output;
  };
  void add_schedule(const PassSchedule& schedule);
  void add_cycles(const CycleReport& cycles);
  void finish_energy(const units::AcceleratorConfig& config);
  void finish_values();
  void finish_layers();

  const transformer::Model<float>& model_;
  VariantResult result_;
  std::vector<numerics::EventLedger> ledgers_;
  std::vector<OpError> errors_;
  std::vector<OpOperations> operations_;        // by op
  std::vector<OpOperations> phase_operations_;  // by phase
  bool has_values_ = false;
  double negative_log_likelihood_ = 0;
  std::uint64_t num_targets_ = 0;
  std::uint64_t num_compared_ = 0;
  std::uint64_t num_agreeing_ = 0;
};

/// exp of the mean negative log likelihood; NaN over no tokens.
double perplexity(double negative_log_likelihood, std::uint64_t num_tokens);

}  // namespace guardbit::sim
