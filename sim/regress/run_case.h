#pragma once
/// A case of a suite through the simulator, and what a golden keeps of it.
#include <vector>

#include "sim/regress/gate.h"
#include "sim/regress/golden.h"
#include "sim/regress/suite.h"

namespace guardbit::sim {

struct CaseRun {
  CaseGolden golden;
  std::vector<GateOutcome> gates;
};

/// How to compute; results never depend on it.
struct RunOptions {
  std::size_t num_threads = 0;  ///< 0: all processors
  bool stepped = false;         ///< matrix products PE by PE
};

/// Runs the case in a process of its own (run_in_child). UserError as replay() and gemm_probe(), with the case's place.
[[nodiscard]] CaseRun run_case(const SuiteCase& suite_case, const GoldenLimits& limits, const RunOptions& options);

}  // namespace guardbit::sim
