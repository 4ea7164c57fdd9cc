#pragma once
/// TOML text to a flat list of what it sets; the only place that knows the TOML library. Which keys exist and what
/// they accept is fields.h; that a file builds on others (`extends`) is resolved here.
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sim/config/fields.h"

namespace guardbit::sim {

/// One key or section of a file or of the command line.
struct ConfigEntry {
  std::string key;             ///< full key; segments that are not bare TOML keys are quoted
  std::string place;           ///< "configs/accelerators/edge.toml:12" or "--set"
  std::size_t file_index = 0;  ///< in the order of application; overrides come after all files
  std::uint32_t line = 0;
  bool is_section = false;  ///< a table: `value` is unused
  ConfigValue value;
};

/// One line of the final error message, and where it sorts: by file, then by line.
struct PlacedProblem {
  std::size_t file_index = 0;
  std::uint32_t line = 0;
  std::string text;
};

/// Throws all problems as one UserError kConfiguration, by file and line; nothing if there are none.
void refuse_problems(std::vector<PlacedProblem> problems);

/// A file's entries in the order of application (a base's before those of the file that extends it), and what is wrong
/// with the files as such.
struct ConfigEntries {
  std::vector<ConfigEntry> entries;
  std::vector<PlacedProblem> problems;
  std::size_t num_files = 0;
};

/// Reads `path` and, before it, the files its top-level `extends` names. Those are relative to the file that names them
/// and must lie in the directory tree of `path`; they may extend others, in chains of at most kMaxExtendsDepth files,
/// without cycles. Throws UserError: kMissingInput if `path` itself cannot be read, kConfiguration if a file is not
/// TOML (with line and column). Everything else is left to `problems`.
[[nodiscard]] ConfigEntries read_config_files(const std::filesystem::path& path);

inline constexpr int kMaxExtendsDepth = 8;
inline constexpr std::size_t kMaxConfigFiles = 64;  // a file that is extended twice is read twice
inline constexpr std::uint64_t kMaxConfigBytes = 1 << 20;

/// Value of a top-level `schema` key; a file without one is of this version.
inline constexpr std::string_view kAcceleratorSchema = "guardbit-accelerator/1";

/// "a.b=value" as from --set: a TOML value, or a bare word, taken as a string (so does an empty value). On a malformed
/// override the entry's key is empty and `problem` says why.
[[nodiscard]] ConfigEntry parse_override(std::string_view text, std::string& problem);

}  // namespace guardbit::sim
