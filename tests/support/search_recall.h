#pragma once
/// A search beside the full grid of the same sweep file: what it found of the grid's front.
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/run_guardbit.h"

namespace guardbit::tests {

inline void must_run(const std::string& command) {
  const CommandResult result = run_guardbit(command);
  if (result.status != 0) throw std::runtime_error(command + ": " + result.err);
}

/// Keys of the front of a gathered grid.
inline std::vector<std::string> front_keys(const std::string& database, const std::string& x, const std::string& y) {
  must_run("pareto " + database + " --x " + x + " --y " + y + " --name front");
  const CommandResult result = run_guardbit("query " + database +
                                            " \"SELECT key FROM points JOIN front_points ON id = point"
                                            " WHERE front = 'front'\" --format json");
  std::vector<std::string> keys;
  for (const nlohmann::json& row : nlohmann::json::parse(result.out)) keys.push_back(row.at("key"));
  return keys;
}

struct Recall {
  std::size_t front = 0;     ///< of the full grid
  std::size_t found = 0;     ///< of these, points of the search's last rung
  std::size_t replayed = 0;  ///< points of the last rung
};

/// A last rung as long as the grid's replays has the grid's keys.
inline Recall recall_of(const std::vector<std::string>& front, const std::filesystem::path& last_rung) {
  const std::string plan = content_of(last_rung / "plan.jsonl");
  Recall recall{.front = front.size()};
  for (const std::string& key : front) recall.found += plan.find("\n[\"" + key) != std::string::npos ? 1 : 0;
  for (std::size_t at = plan.find("\n[\""); at != std::string::npos; at = plan.find("\n[\"", at + 1)) ++recall.replayed;
  return recall;
}

}  // namespace guardbit::tests
