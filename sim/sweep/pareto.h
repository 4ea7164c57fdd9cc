#pragma once
/// Pareto fronts over a sweep database: points that no other point beats in every objective.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace guardbit::sim {

struct ParetoOptions {
  std::vector<std::string> objectives;  ///< columns of points, at least one; "energy" stands for energy_pj, "area" for
                                        ///< area_um2: a name without its unit
  std::vector<std::string> maximize;    ///< objectives of which more is better, beside larger_is_better()
  std::string where;                    ///< an SQL expression over points; empty: all that are done
  std::string name;                     ///< under which the front is stored; empty: the objectives, joined by commas
};

struct ParetoFront {
  std::vector<std::string> columns;  ///< resolved objectives
  std::vector<bool> maximized;       ///< by objective
  std::size_t num_points = 0;        ///< that took part
  std::size_t num_incomplete = 0;    ///< left out: an objective is NULL (not a number)
  std::vector<std::int64_t> ids;     ///< of the front, best first objective first
  std::vector<std::string> varied;   ///< columns that tell the points apart: variant and what the sweep varies
  std::string name;
};

/// The front's points as a SELECT, in its order: id, objectives, what tells them apart.
[[nodiscard]] std::string front_sql(const ParetoFront& front);

/// Whether more of a column is better: sqnr_db, top1_agreement, utilization.
[[nodiscard]] bool larger_is_better(const std::string& column);

/// Rows of which no other is at least as good in every objective and better in one, as indices in the order of the
/// rows; equal rows are all in or all out. Smaller is better. O(rows x front).
[[nodiscard]] std::vector<std::size_t> pareto_rows(std::span<const std::vector<double>> rows);

/// Computes the front and stores it (tables fronts and front_points), replacing one of the same name. UserError kUsage
/// for an unknown or ambiguous column, an objective that is text, a mistake in `where`; else as Database.
[[nodiscard]] ParetoFront pareto(const std::filesystem::path& database, const ParetoOptions& options);

}  // namespace guardbit::sim
