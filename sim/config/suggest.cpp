#include "sim/config/suggest.h"

#include <algorithm>

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

}  // namespace guardbit::sim
