#pragma once
/// What `guardbit regress check` says: for people, as JSON, and as JUnit XML for CI systems.
#include <string>
#include <vector>

#include "sim/regress/gate.h"
#include "sim/regress/golden_compare.h"

namespace guardbit::sim {

struct CheckedCase {
  CaseDifference difference;
  std::vector<GateOutcome> gates;
  double seconds = 0;  ///< for JUnit; nothing else shows it

  bool passed() const;
};

/// One line a variant and failed gate, then what differs, the first element of each variant first.
[[nodiscard]] std::string check_text(const std::vector<CheckedCase>& cases);
[[nodiscard]] std::string check_json(const std::vector<CheckedCase>& cases);

/// A variant's differences as lines, indented by `indent`; "" if there are none. At most `max_counts` counts of each
/// sort are listed.
[[nodiscard]] std::string difference_text(const VariantDifference& variant, const std::string& indent,
                                          std::size_t max_counts);
/// "golden failed" gates as a line.
[[nodiscard]] std::string gate_text(const GateOutcome& gate);

}  // namespace guardbit::sim
