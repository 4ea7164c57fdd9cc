#include "models/calibration/spelling.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace guardbit::calibration {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({substituted, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string known_names(std::string_view text, std::span<const std::string_view> names) {
  std::string known;
  std::string_view nearest;
  std::size_t nearest_distance = 3;  // further away is no typing error
  for (const std::string_view name : names) {
    known += (known.empty() ? "" : ", ") + std::string(name);
    const std::size_t distance = edit_distance(text, name);
    if (distance >= nearest_distance) continue;
    nearest = name;
    nearest_distance = distance;
  }
  return "; known: " + (known.empty() ? "none" : known) +
         (nearest.empty() ? "" : "; did you mean \"" + std::string(nearest) + "\"?");
}

}  // namespace guardbit::calibration
