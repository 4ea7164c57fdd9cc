#pragma once
/// Output that appears whole or not at all: written under a temporary name in the same directory, every write checked,
/// flushed to the device, then renamed into place. Whatever ends the writing early (error, full disk, Interrupted)
/// removes the temporary.
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace guardbit::sim {

enum class Existing {
  kReplace,  ///< an existing regular file is replaced
  kRefuse,   ///< an existing file is an error, also if it appears while this one is written (link, not rename)
};

/// A file in the making.
/// UserError: kCannotCreate if the temporary cannot be created or the target is not a regular file (devices and
/// symbolic links are never replaced), kIo if a write, flush or rename fails (disk full).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path target, Existing existing = Existing::kReplace);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t num_bytes);
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  /// Puts the file into place, durably. Without it the destructor discards everything.
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path temporary_;
  Existing existing_;
  int descriptor_ = -1;
};

void write_file(const std::filesystem::path& target, std::string_view content, Existing existing = Existing::kReplace);

/// A result directory in the making: files go to path(), a temporary sibling of the target. Missing directories above
/// the target are created, and removed again if nothing is committed.
///
/// An existing target is replaced as a whole only if it is an empty directory or a previous result: a directory that
/// holds nothing but names of `result_names`, the first of them (the result's main file) among them. Anything else is
/// UserError kCannotCreate naming what is in the way, before anything is computed.
class OutputDirectory {
 public:
  OutputDirectory(const std::filesystem::path& target, std::vector<std::string> result_names);
  ~OutputDirectory();
  OutputDirectory(const OutputDirectory&) = delete;
  OutputDirectory& operator=(const OutputDirectory&) = delete;

  const std::filesystem::path& path() const { return temporary_; }
  const std::filesystem::path& target() const { return target_; }
  /// Puts the directory into place, durably; files in it must have been written by AtomicFile or write_file.
  void commit();

 private:
  void check_replaceable() const;
  void make_parents();

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  std::vector<std::string> result_names_;
  std::vector<std::filesystem::path> created_parents_;
};

}  // namespace guardbit::sim
