#pragma once
/// Computes the points of a plan that a store does not have, several at a time.
///
/// One elaboration of the machine per process, so every point gets a process of its own, forked from this one after the
/// trace, the model and its calibrated weights are loaded: they are shared copy on write, and a point that crashes,
/// hangs or is killed takes nothing with it. There are no threads in this process. A child publishes its result by
/// itself; what it says on stderr comes back through a pipe, whose end tells that it is gone.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/sweep/store.h"

namespace guardbit::sim {

/// Points whose key, as a number, is `index` modulo `count`: shards stay what they are when points are added.
struct Shard {
  std::uint64_t index = 0;
  std::uint64_t count = 1;
  /// The shard of a key.
  static std::uint64_t index_of(const std::string& key, std::uint64_t count);
  bool has(const std::string& key) const { return index_of(key, count) == index; }
};

struct RunOptions {
  std::size_t jobs = 1;  ///< processes at a time
  Shard shard;
  bool retry_failed = false;   ///< points with a failure on record as well
  bool recheck = false;        ///< points that are done as well: their results are compared with those on record
  bool allow_mixed = false;    ///< although another build made the plan
  double timeout_seconds = 0;  ///< of a point's process; 0: none
};

struct RunSummary {
  std::size_t points = 0;             ///< of the shard
  std::size_t computed = 0;           ///< by this run
  std::size_t reused = 0;             ///< were there
  std::size_t failed = 0;             ///< in this run, or before and not retried
  std::vector<std::string> messages;  ///< damaged files, failures, violations: one line each
  bool violated = false;              ///< a second result differs from the first
};

using SweepProgress = std::function<void(std::size_t done, std::size_t total, std::size_t failed)>;

/// Returns when every point of the shard is done or has failed. UserError: kConfiguration for a plan of another build
/// or numerics version, kIo or kCannotCreate if the store cannot be written (points that run are waited for; what they
/// publish stays). Throws Interrupted after its children have ended.
[[nodiscard]] RunSummary run_sweep(const Store& store, const Plan& plan, const RunOptions& options,
                                   const SweepProgress& progress);

}  // namespace guardbit::sim
