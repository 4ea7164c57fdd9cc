#pragma once
/// The JSON of `guardbit bathtub` read back, for the report page; what is said in replay_reader.h holds here. Test:
/// tests/unit/html_sweep_test.cpp.
#include <filesystem>
#include <string_view>

#include "sim/stats/bathtub_result.h"

namespace guardbit::sim {

/// UserError kMalformedInput with every problem found.
[[nodiscard]] BathtubResult read_bathtub_json(std::string_view content, const std::filesystem::path& file);

}  // namespace guardbit::sim
