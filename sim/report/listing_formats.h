#pragma once
/// The part of listings that is about number formats.
#include <string>

#include "sim/report/replay_json.h"

namespace guardbit::sim {

[[nodiscard]] std::string list_formats();
[[nodiscard]] Json formats_json();

}  // namespace guardbit::sim
