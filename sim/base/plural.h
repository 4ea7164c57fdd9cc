#pragma once
/// Counted nouns in titles and messages: "1 window", "8 windows".
#include <cstdint>
#include <string>
#include <string_view>

namespace guardbit::sim {

/// The noun as it stands behind the number: `one`, or with its plural's ending.
[[nodiscard]] inline std::string plural(std::uint64_t count, std::string_view one, std::string_view ending = "s") {
  return std::string(one).append(count == 1 ? "" : ending);
}

}  // namespace guardbit::sim
