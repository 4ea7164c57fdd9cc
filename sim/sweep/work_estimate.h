#pragma once
/// How much work a point is, from its trace's shape: for the cost that a plan prints, not for results.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/sweep/design_space.h"

namespace guardbit::sim {

/// Multiply-accumulates that one core of a 2023 server replays in a second, on the included trace (docs/sweeps.md).
inline constexpr double kMacsPerCoreSecond = 2e9;

class WorkEstimate {
 public:
  /// Reads the traces' descriptions; errors as load_trace_description().
  explicit WorkEstimate(const DesignSpace& space);

  /// Of the resolver's current point: linear layers and whole attention blocks of all its windows.
  double macs(const PointResolver& point);

 private:
  struct Shape {
    std::vector<std::size_t> window_tokens;
    double linear_macs = 0;     ///< a token
    double attention_macs = 0;  ///< a pair of tokens
  };
  std::vector<Shape> shapes_;                                                    // by trace
  std::map<std::tuple<std::size_t, std::int64_t, std::int64_t>, double> known_;  // by trace, windows, tokens
};

}  // namespace guardbit::sim
