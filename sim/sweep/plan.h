#pragma once
/// The plan of a sweep: its space and its points, in plan order, as one file of a store. What a plan says does not
/// depend on the files it was made from any more: accelerators are in it key by key, traces by hash.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sim/sweep/design_space.h"

namespace guardbit::sim {

struct PlanPoint {
  std::string key = {};  ///< SHA-256 of PointResolver::description()
  Choice choice = {};
};

struct Plan {
  std::string name;
  std::string source_sha256;  ///< of the sweep file
  std::string tool_sha256;    ///< of the guardbit that planned
  std::string numerics_version;
  double macs = 0;  ///< estimated multiply-accumulates of all points
  DesignSpace space;
  std::vector<PlanPoint> points;
};

inline constexpr std::string_view kPlanSchema = "guardbit-plan/1";

/// JSON lines: the plan without its points; one line ["<key>",i,j,...] per point, indices into the axes' values; a last
/// line with the SHA-256 of everything before it. Test: tests/unit/sweep_plan_test.cpp.
[[nodiscard]] std::string plan_text(const Plan& plan);

/// The inverse; `shown_path` names the file in messages. UserError kMalformedInput with file:line: another schema, a
/// truncated or edited file (checksum), an index beyond its axis.
[[nodiscard]] Plan parse_plan(std::string_view text, const std::string& shown_path);

/// SHA-256 of the running program's file.
[[nodiscard]] std::string tool_sha256();

}  // namespace guardbit::sim
