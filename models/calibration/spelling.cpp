#include "models/calibration/spelling.h"

#include "models/numerics/edit_distance.h"

namespace guardbit::calibration {

std::string known_names(std::string_view text, std::span<const std::string_view> names) {
  std::string known;
  std::string_view nearest;
  std::size_t nearest_distance = 3;  // further away is no typing error
  for (const std::string_view name : names) {
    known += (known.empty() ? "" : ", ") + std::string(name);
    const std::size_t distance = numerics::edit_distance(text, name);
    if (distance >= nearest_distance) continue;
    nearest = name;
    nearest_distance = distance;
  }
  return "; known: " + (known.empty() ? "none" : known) +
         (nearest.empty() ? "" : "; did you mean \"" + std::string(nearest) + "\"?");
}

}  // namespace guardbit::calibration
