#pragma once
/// The result of `guardbit truths` as text.
#include <map>
#include <string>
#include <vector>

#include "sim/stats/truth_result.h"

namespace guardbit::sim {

/// One table per truth, a column says whether each row holds.
[[nodiscard]] std::string truths_table(const std::vector<TruthResult>& truths);

/// docs/known_truths.md.
[[nodiscard]] std::string truths_markdown(const std::vector<TruthResult>& truths);

/// {"schema": "guardbit-truths/1", "provenance", "holds", "truths": [{"name", "claim", "holds", "rows": [{"quantity",
/// "measured", "expected": text or null, "holds"}]}]}
[[nodiscard]] std::string truths_json(const std::vector<TruthResult>& truths,
                                      const std::map<std::string, std::string>& provenance);

}  // namespace guardbit::sim
