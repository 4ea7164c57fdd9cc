#pragma once
/// Everything that points share, loaded once in the process that forks them, and the work of one point in its own
/// process.
#include <optional>
#include <string>

#include "sim/replay/replay.h"
#include "sim/replay/shared_model.h"
#include "sim/sweep/design_space.h"
#include "sim/sweep/store.h"
#include "sim/trace/trace_bundle.h"

namespace guardbit::sim {

class PointWorker {
 public:
  /// @param store, plan  outlive the worker. UserError kMalformedInput for a plan that this version cannot resolve.
  PointWorker(const Store& store, const Plan& plan);

  /// Points with equal texts share their model: to be computed one after the other.
  [[nodiscard]] std::string sharing_key(const PlanPoint& point);

  /// Loads what the point shares unless the point before did, in the calling process. Errors as load_trace() and
  /// load_model(). Without `calibrate` the point's own process applies its variant: a model that nobody else wants.
  void prepare(const PlanPoint& point, bool calibrate);

  /// Replays and publishes the point; what a process forked after prepare() does. Errors go to stderr. The result is
  /// the exit code of its process: one of ExitCode, 128 + n after signal n, or kViolationExit.
  [[nodiscard]] int compute(const PlanPoint& point);
  static constexpr int kViolationExit = 71;

 private:
  void resolve(const PlanPoint& point);
  void replay_and_publish(const PlanPoint& point);

  const Store& store_;
  const Plan& plan_;
  PointResolver resolver_;
  std::string trace_key_;  ///< what is loaded
  std::string model_key_;
  std::optional<Trace> trace_;
  std::optional<CheckedModel> checked_;
  std::optional<SharedModel> shared_;
};

}  // namespace guardbit::sim
