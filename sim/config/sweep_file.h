#pragma once
/// Sweep files (docs/sweeps.md): TOML to dimensions, filters and a sample. Which keys exist and what values they accept
/// is the business of sim/sweep, which gets every value with its place.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/config/toml_files.h"

namespace guardbit::sim {

/// A key and the values it takes, one entry each: key "array.rows", place and line of the value, value.
struct SweepAxis {
  std::string key;
  std::string place;  ///< of the key
  std::uint32_t line = 0;
  std::vector<ConfigEntry> values;  ///< at least one
};

/// Axes that advance together (zipped), all of `size` values; usually a single one.
struct SweepDimension {
  std::vector<SweepAxis> axes;
  std::size_t size = 0;
};

/// A condition on points, as written.
struct SweepFilter {
  std::string text;
  std::string place;
  std::uint32_t line = 0;
};

struct SweepSample {
  enum class Method : std::uint8_t { kRandom, kLatinHypercube };
  Method method = Method::kRandom;
  std::uint64_t num_points = 0;
  std::uint64_t seed = 1;
  std::string place;
};

struct SweepFile {
  std::string shown_path;
  std::filesystem::path directory;         ///< of the file: what its paths are relative to
  std::string name;                        ///< of the sweep; the file's name without .toml unless set
  std::string sha256;                      ///< of the file's bytes
  std::vector<SweepDimension> dimensions;  ///< in the order of the file; fixed settings are axes of one value
  std::vector<SweepFilter> filters;        ///< a point stays if all hold
  std::optional<SweepSample> sample;
  bool skip_invalid = false;            ///< points that break a rule between keys are left out instead of refused
  std::vector<PlacedProblem> problems;  ///< everything that is wrong so far; the reader of meaning adds to it
  std::vector<std::string> warnings;    ///< likewise what is no error and hardly meant
};

inline constexpr std::string_view kSweepSchema = "guardbit-sweep/1";
inline constexpr std::size_t kMaxAxisValues = 100'000;

/// UserError kMissingInput, kMalformedInput as read_file(), kConfiguration if the file is not TOML.
[[nodiscard]] SweepFile read_sweep_file(const std::filesystem::path& path);

}  // namespace guardbit::sim
