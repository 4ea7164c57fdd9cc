#pragma once
/// Reading an accelerator: defaults, then files, then overrides; every key checked, every problem reported at once.
#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "models/units/accelerator_config.h"

namespace guardbit::sim {

/// An accelerator as resolved, with where each value came from.
struct LoadedAccelerator {
  units::AcceleratorConfig config;
  std::string name;                            ///< the file's name without .toml
  std::map<std::string, std::string> keys;     ///< every key -> its value as text, strings without quotes
  std::map<std::string, std::string> origins;  ///< every key -> "file:line", "--set", "default" or "preset NAME"
  std::string sha256;                          ///< sha256_of_keys(keys)
};

/// Of one "key=value\n" each, in the order of the map.
[[nodiscard]] std::string sha256_of_keys(const std::map<std::string, std::string>& keys);

/// Whose rules between keys are checked; single keys always are.
enum class ConfigScope {
  kAll,
  kLinear,  ///< those of [array] and [accumulator]: a single product needs no attention, head or norm
};

/// Reads the TOML file at `path` (and the files it extends), applies `overrides` ("section.key=value", from --set) and
/// checks everything: syntax, unknown keys, types, ranges, names, then the rules between keys.
/// Throws UserError: kMissingInput (66) if there is no such file, kMalformedInput (65) if it is no
/// regular file or too large, kConfiguration (78) otherwise, with one line "place: key: got X; expected Y" for every
/// problem of all files and overrides.
[[nodiscard]] LoadedAccelerator load_accelerator(const std::filesystem::path& path,
                                                 std::span<const std::string> overrides = {},
                                                 ConfigScope scope = ConfigScope::kAll);

/// The same without a file: every key's default, then `overrides`. Its name is "default".
[[nodiscard]] LoadedAccelerator default_accelerator(std::span<const std::string> overrides = {},
                                                    ConfigScope scope = ConfigScope::kAll);

}  // namespace guardbit::sim
