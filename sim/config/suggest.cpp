#include "sim/config/suggest.h"

#include <algorithm>
#include <vector>

#include "models/numerics/block_format.h"
#include "models/numerics/edit_distance.h"

namespace guardbit::sim {

std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates) {
  constexpr std::size_t kLongestName = 64;  // nothing longer is a typo of a key; bounds the work on hostile input
  if (name.empty() || name.size() > kLongestName) return std::nullopt;
  std::size_t best = std::clamp<std::size_t>(name.size() / 3, 1, 3) + 1;
  std::optional<std::string> found;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = numerics::edit_distance(name, candidate);
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string did_you_mean(std::string_view name, std::span<const std::string> candidates) {
  const std::optional<std::string> found = nearest(name, candidates);
  return found ? "; did you mean " + *found + "?" : "";
}

std::string did_you_mean_format(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& row : numerics::kFloatFormats) names.emplace_back(row.name);
  for (const auto& row : numerics::kBlockFormats) names.emplace_back(row.name);
  return did_you_mean(name, names);
}

}  // namespace guardbit::sim
