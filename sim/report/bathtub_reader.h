#pragma once
/// The JSON of `guardbit bathtub` read back, for the report page. Checked as replay_reader.h says. Of provenance,
/// accelerator keys and digests nothing is read. Test: tests/unit/html_sweep_test.cpp.
#include <filesystem>
#include <string_view>

#include "sim/stats/bathtub_result.h"

namespace guardbit::sim {

/// UserError kMalformedInput with every problem found.
[[nodiscard]] BathtubResult read_bathtub_json(std::string_view content, const std::filesystem::path& file);

}  // namespace guardbit::sim
