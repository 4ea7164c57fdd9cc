#pragma once
/// The json report read back: what write_json() wrote becomes the ReplayResult that it was written from, up to the six
/// digits of its reals. Numbers that were not finite come back as NaN. An op's cycles by purpose are not in the file.
///
/// Every member that is read is checked for its type, range and meaning; members that are not known are left alone, so
/// that results of later versions of the same schema can be read. Test: tests/unit/html_report_test.cpp.
#include <filesystem>
#include <string_view>

#include "sim/stats/result.h"

namespace guardbit::sim {

/// `content` is a result.json; `file` only names it in messages. UserError kMalformedInput with every problem found.
[[nodiscard]] ReplayResult read_replay_json(std::string_view content, const std::filesystem::path& file);

}  // namespace guardbit::sim
