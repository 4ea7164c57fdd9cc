#pragma once
/// A file that something else writes by its name (SQLite), and that appears under its final name whole or not at all.
#include <filesystem>

namespace guardbit::sim {

class UnfinishedFile {
 public:
  explicit UnfinishedFile(const std::filesystem::path& target);
  /// Removes the file unless it has been given its final name.
  ~UnfinishedFile();
  UnfinishedFile(const UnfinishedFile&) = delete;
  UnfinishedFile& operator=(const UnfinishedFile&) = delete;

  /// Puts the file in place of the target, durably. UserError kIo.
  void finish() const;
  /// Where to write: beside the target.
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  [[noreturn]] void fail(const char* action) const;
  void flush(const std::filesystem::path& path) const;

  std::filesystem::path target_;
  std::filesystem::path path_;
};

}  // namespace guardbit::sim
