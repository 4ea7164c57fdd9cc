#pragma once
/// Gates: relations over a replay's results that must not hold. docs/regression.md lists the names.
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/regress/gate_expression.h"
#include "sim/stats/result.h"

namespace guardbit::sim {

/// What a gate may name, known before anything runs.
struct GateScope {
  std::vector<std::string> variants;
  std::vector<std::pair<std::string, std::string>> ops;  ///< name and kind
  bool values = true;                                    ///< false: a replay of cycles alone
  bool is_product = false;                               ///< a single product: its events, cycles and MACs
};

/// UserError kUsage naming `prefix`, text, position and the nearest name, if the gate names a variant or a number that
/// such a replay does not have.
void check_gate(const GateExpression& gate, const GateScope& scope, const std::string& prefix);

/// One gate on one variant.
struct GateOutcome {
  std::string gate;  ///< as written
  std::string variant;
  bool failed = false;
  std::string detail;  ///< "events.norm.overflow = 12, limit 0"
};

/// Every gate on every variant that it selects, in the order of the gates. A side that is not a number fails: a gate on
/// a NaN perplexity must not pass.
[[nodiscard]] std::vector<GateOutcome> run_gates(const std::vector<GateExpression>& gates, const ReplayResult& result);

/// The number that a name stands for; none if there is no such name. Exact for counts below 2^53.
[[nodiscard]] std::optional<double> gate_value(std::string_view name, const ReplayResult& result,
                                               const VariantResult& variant);

}  // namespace guardbit::sim
