#pragma once
/// A sweep file to a plan: every value checked, every point resolved and keyed.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "sim/sweep/plan.h"

namespace guardbit::sim {

/// What planning says beside the plan.
struct PlanCounts {
  double full_size = 0;               ///< of the product of all dimensions
  std::uint64_t left_out = 0;         ///< points that a filter left out
  std::uint64_t invalid = 0;          ///< points that break a rule between keys (only with invalid = "skip")
  std::vector<std::string> warnings;  ///< what is no error and hardly meant, as file:line
};

/// UserError: kConfiguration with every problem of the file as file:line (also rules between keys that points break,
/// with the settings that break them), kRefused if there would be more than `max_points` points.
[[nodiscard]] Plan make_plan(const std::filesystem::path& sweep_file, std::uint64_t max_points, PlanCounts& counts);

/// A number of points in words: every digit below 10^9, "1e+15" above.
[[nodiscard]] std::string describe_size(double size);

inline constexpr std::uint64_t kDefaultMaxPoints = 100'000;
/// Points that a filter may be asked about, for each that may stay.
inline constexpr std::uint64_t kMaxVisitsPerPoint = 100;

}  // namespace guardbit::sim
