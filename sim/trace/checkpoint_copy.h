#pragma once
/// Tensors that lie in one or several checkpoint files, written as one safetensors file without looking at their
/// values: bytes go from file to file in pieces, never through memory as a whole.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace guardbit::sim {

/// A tensor as it lies in a file, row major and little endian.
struct StoredTensor {
  std::string name;
  std::string dtype;  ///< of kTensorDtypes
  std::vector<std::uint64_t> shape;
  std::filesystem::path file;
  std::uint64_t offset = 0;  ///< of its first byte in the file
  std::uint64_t num_bytes = 0;
};

/// Told how many of how many bytes have been copied.
using ByteProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

/// Writes them atomically in the given order (names unique, an internal error otherwise) and returns the SHA-256 of the
/// new file. UserError kIo if a file is shorter than its tensors say or changes while it is read.
std::string write_stored_tensors(const std::filesystem::path& to, const std::vector<StoredTensor>& tensors,
                                 const ByteProgress& progress = {});

/// Copies a file byte for byte and returns its SHA-256.
std::string copy_checkpoint(const std::filesystem::path& from, const std::filesystem::path& to,
                            const ByteProgress& progress = {});

}  // namespace guardbit::sim
