#include "sim/config/suggest.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "models/numerics/block_format.h"
#include "models/numerics/edit_distance.h"

namespace guardbit::sim {

namespace {

/// Edits from `name` to `candidate`; the swap of two neighbours, the commonest slip, is one of them.
std::size_t slips(std::string_view name, std::string_view candidate) {
  std::size_t least = numerics::edit_distance(name, candidate);
  std::string swapped(name);
  for (std::size_t i = 0; i + 1 < swapped.size(); ++i) {
    std::swap(swapped[i], swapped[i + 1]);
    least = std::min(least, 1 + numerics::edit_distance(swapped, candidate));
    std::swap(swapped[i], swapped[i + 1]);
  }
  return least;
}

}  // namespace

std::optional<std::string> nearest(std::string_view name, std::span<const std::string> candidates) {
  constexpr std::size_t kLongestName = 64;  // nothing longer is a typo of a key; bounds the work on hostile input
  if (name.empty() || name.size() > kLongestName) return std::nullopt;
  std::size_t best = std::clamp<std::size_t>(name.size() / 3, 1, 3) + 1;
  std::optional<std::string> found;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = slips(name, candidate);
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
