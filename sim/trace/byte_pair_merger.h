#pragma once
/// Byte-pair merging: the best pair of neighbours becomes one token, until no pair has a rule.
#include <cstddef>
#include <functional>
#include <optional>
#include <vector>

namespace guardbit::sim {

/// What two neighbouring tokens become.
struct Merge {
  double priority = 0;  ///< smaller goes first; of equal ones the leftmost
  int token = 0;
};

/// The tokens left when no neighbours merge any more, in n log n steps. `rule` gives the merge of two tokens, if any,
/// and is a function of them.
[[nodiscard]] std::vector<int> merge_pairs(const std::vector<int>& tokens,
                                           const std::function<std::optional<Merge>(int left, int right)>& rule);

}  // namespace guardbit::sim
