#pragma once
/// How far a store is, and the digest that two stores of one sweep are compared by.
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "sim/sweep/store.h"

namespace guardbit::sim {

struct SweepStatus {
  std::size_t points = 0;
  std::size_t done = 0;
  std::size_t failed = 0;   ///< not done, with a failure on record
  std::size_t missing = 0;  ///< neither
  std::size_t conflicts = 0;
  double seconds = 0;                 ///< of the points that are done, each in one process
  std::vector<std::string> messages;  ///< conflicts, damaged files, files of no point of the plan; one line each
  /// SHA-256 over "<key> <result SHA-256>\n" of the points that are done, sorted by key: equal digests, equal results.
  std::string digest;
};

/// Told how many of the plan's points are read.
using StoreProgress = std::function<void(std::size_t done, std::size_t total)>;

/// Reads and checks every point's file; visit() gets those that are done, in plan order. `deep`: also lists files that
/// the plan does not know.
[[nodiscard]] SweepStatus read_store(const Store& store, const Plan& plan, bool deep,
                                     const std::function<void(std::size_t index, const PointFile& file)>& visit = {},
                                     const StoreProgress& progress = {});

}  // namespace guardbit::sim
