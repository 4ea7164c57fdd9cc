#pragma once
/// Reading of input files: regular files only, size known before anything is allocated, every read checked, so that a
/// file that shrinks while it is read is an error and never a short buffer.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace guardbit::sim {

/// Largest file that is read as a whole (JSON, configuration).
inline constexpr std::uint64_t kMaxTextBytes = std::uint64_t{256} << 20;

/// An open regular file. Symbolic links are followed.
/// UserError: kMissingInput if it does not exist or cannot be opened, kMalformedInput if it is not a regular file
/// (a FIFO is not waited for) or larger than `max_bytes`, kRefused if it is larger than InputPolicy allows.
class InputFile {
 public:
  explicit InputFile(std::filesystem::path file, std::uint64_t max_bytes = UINT64_MAX);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return num_bytes_; }
  int descriptor() const { return descriptor_; }  ///< stays this object's

  /// Exactly `num_bytes` from `offset`, or UserError kIo (read error, or the file has become shorter).
  void read_at(std::uint64_t offset, void* buffer, std::size_t num_bytes) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t num_bytes_ = 0;
};

/// The whole content; errors as InputFile.
[[nodiscard]] std::string read_file(const std::filesystem::path& file, std::uint64_t max_bytes = kMaxTextBytes);

}  // namespace guardbit::sim
