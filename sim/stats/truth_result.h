#pragma once
/// What `guardbit truths` yields, in plain data; sim/probe/truths fills it, sim/report prints it.
#include <algorithm>
#include <string>
#include <vector>

namespace guardbit::sim {

/// One measured number and what it must be.
struct TruthRow {
  std::string quantity;
  std::string measured;
  std::string expected;
  bool holds = false;
};

struct TruthResult {
  std::string name;
  std::string claim;
  std::string reason;  ///< why it must be so; where the published form does not come out, that is said here
  std::vector<TruthRow> rows;
  bool holds() const {
    return !rows.empty() && std::ranges::all_of(rows, [](const TruthRow& row) { return row.holds; });
  }
};

}  // namespace guardbit::sim
