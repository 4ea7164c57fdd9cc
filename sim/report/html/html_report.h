#pragma once
/// A replay as one HTML page: tables that need no scripts, charts that scripts draw from the same numbers. The page
/// loads nothing, neither from the network nor from other files; its content security policy forbids it, and lets no
/// script run but the one that was built in. docs/report.md says what is on it; src/ is the script's source.
/// Test: tests/unit/html_report_test.cpp, tests/browser/report_test.mjs.
#include <string>

#include "sim/stats/bathtub_result.h"
#include "sim/stats/result.h"

namespace guardbit::sim {

/// `bathtub`: of the same norms at every scale, shown beside their range; may be null.
[[nodiscard]] std::string write_html(const ReplayResult& result, const BathtubResult* bathtub = nullptr);

}  // namespace guardbit::sim
