#pragma once
/// Golden files: a case as JSON, one op a line, so that a diff of two versions names the ops that changed. The last
/// line holds the SHA-256 of everything before it.
#include <filesystem>
#include <string>
#include <string_view>

#include "sim/regress/golden.h"

namespace guardbit::sim {

inline constexpr std::string_view kGoldenSchema = "guardbit-golden/1";
inline constexpr std::string_view kGoldenSuffix = ".golden.json";

[[nodiscard]] std::string golden_text(const CaseGolden& golden);

/// UserError kMalformedInput naming `file`, if `text` is of another version, was edited or cut short (its SHA-256 does
/// not hold), or is not such a file.
[[nodiscard]] CaseGolden parse_golden(std::string_view text, const std::filesystem::path& file);

/// Likewise; kMissingInput if there is no such file.
[[nodiscard]] CaseGolden read_golden(const std::filesystem::path& file);

}  // namespace guardbit::sim
