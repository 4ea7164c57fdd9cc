#pragma once
/// The points of a sweep as one HTML page: any two figures against each other, the Pareto front of what is shown, and
/// the points by any setting. Test: tests/unit/html_sweep_test.cpp, tests/browser/report_test.mjs.
#include <filesystem>
#include <string>
#include <string_view>

namespace guardbit::sim {

/// `content`: a JSON array of flat objects, one per point, as `guardbit query DB "SELECT * FROM points" --format json`
/// prints it; `file` only names it. `provenance`: a JSON array of {name, value}, as the same prints the table sweep of
/// a database; empty: not told. Points of another status than "done" are left out. UserError kMalformedInput if it is
/// something else or has more than kMostSweepPoints.
[[nodiscard]] std::string write_sweep_html(std::string_view content, const std::filesystem::path& file,
                                           std::string_view provenance = "[]");

inline constexpr std::size_t kMostSweepPoints = 20'000;  ///< more are too many for a page; a query selects some

}  // namespace guardbit::sim
