#include "models/calibration/spelling.h"

#include <algorithm>

#include "models/numerics/edit_distance.h"

namespace guardbit::calibration {

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string known_names(std::string_view text, std::span<const std::string_view> names) {
  std::string known;
  std::string_view nearest;
  const std::string lower = lower_case(text);
  std::size_t nearest_distance = std::min<std::size_t>(3, text.size());  // further away is no typing error
  for (const std::string_view name : names) {
    known += (known.empty() ? "" : ", ") + std::string(name);
    const std::size_t distance = numerics::edit_distance(lower, name);
    if (distance >= nearest_distance) continue;
    nearest = name;
    nearest_distance = distance;
  }
  return "; known: " + (known.empty() ? "none" : known) +
         (nearest.empty() ? "" : "; did you mean \"" + std::string(nearest) + "\"?");
}

}  // namespace guardbit::calibration
