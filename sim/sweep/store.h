#pragma once
/// A directory of results, one file per point, that any number of processes write at once and that a kill, a full disk
/// or a lost node cannot damage:
///
///     plan.jsonl              what is to be computed
///     ab/<key>.json           results (point_file.h), by the first two digits of their key
///     failed/<key>.json       points that failed: how, how often, the end of what they said
///     conflicts/<key>.*.json  second results that differ from the first: determinism violations
///     damaged/<key>.*.json    files that did not hold what they should; recomputed since
///     tmp/                    files in the making
///
/// A result is written to tmp/, flushed to the device and linked to its name: the first writer wins, and under its name
/// a file is whole. That it exists is not trusted: read() checks key and checksums.
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include "sim/sweep/plan.h"
#include "sim/sweep/point_file.h"

namespace guardbit::sim {

/// A second result for a key differs from the first.
class DeterminismViolation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Failure {
  int exit_code = 0;
  int signal = 0;  ///< that ended the process, or 0
  bool timed_out = false;
  int attempts = 0;
  std::string error;  ///< the end of what the process wrote to stderr
};

class Store {
 public:
  enum class State : std::uint8_t { kMissing, kDone, kDamaged };
  enum class Published : std::uint8_t { kNew, kEqual };

  /// Whether the directory has a plan.
  [[nodiscard]] static bool is_store(const std::filesystem::path& directory);
  /// UserError kMissingInput unless it has.
  explicit Store(std::filesystem::path directory);

  /// Makes a store of the plan. A store that has this plan stays as it is; one with another plan is UserError
  /// kCannotCreate unless `replace`: its results stay, and serve the new plan where keys agree.
  static void create(const std::filesystem::path& directory, const Plan& plan, bool replace);

  [[nodiscard]] Plan read_plan() const;

  /// Checks the point's file byte by byte; `problem` says what is wrong with a damaged one.
  State read(const std::string& key, PointFile& file, std::string& problem) const;
  /// Whether the file is there at all.
  bool exists(const std::string& key) const;

  /// Puts a point's text in place, durably. An existing good file stays: kEqual if its result is the same, else
  /// DeterminismViolation, and the text goes to conflicts/. An existing damaged file is moved to damaged/ first.
  /// UserError kIo (disk full), kCannotCreate (unwritable).
  Published publish(const std::string& key, const std::string& text) const;
  /// Moves a file that read() calls damaged out of the way; where to.
  std::filesystem::path set_aside(const std::string& key) const;

  [[nodiscard]] std::optional<Failure> failure(const std::string& key) const;
  void record_failure(const std::string& key, const Failure& failure) const;
  void forget_failure(const std::string& key) const;
  [[nodiscard]] std::size_t num_conflicts() const;
  std::filesystem::path conflicts_directory() const;

  /// Makes tmp/ and removes what dead processes left there. UserError kCannotCreate if the store cannot be written.
  void prepare_writing() const;

  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path path_of(const std::string& key) const;

 private:
  std::filesystem::path directory_;
};

inline constexpr std::uint64_t kMaxPointBytes = std::uint64_t{64} << 20;

}  // namespace guardbit::sim
