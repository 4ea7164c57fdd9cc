#pragma once
/// Input files mapped into memory: large tensors are converted from the page cache straight into their matrices,
/// without a buffer between. A file that another program shortens meanwhile is an error, not the end of the process by
/// SIGBUS.
#include <cstddef>
#include <cstdint>
#include <functional>

#include "sim/base/input_file.h"

namespace guardbit::sim {

class MappedFile {
 public:
  /// Maps the whole file, read-only; `file` (or what it was moved to) must outlive the mapping. UserError kIo if the
  /// system refuses.
  explicit MappedFile(const InputFile& file);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  /// Calls read(bytes at `offset`), which may use `num_bytes` of them, on this thread. The range lies in the file as it
  /// was when it was opened (an internal error otherwise). UserError kIo if the file has become shorter. If that
  /// happens `read` is left without destroying its local variables: they must be trivial, and it must not create
  /// threads or hold locks.
  void visit(std::uint64_t offset, std::uint64_t num_bytes,
             const std::function<void(const unsigned char* bytes)>& read) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;  // the input file's
  unsigned char* data_ = nullptr;
  std::uint64_t num_bytes_ = 0;
};

}  // namespace guardbit::sim
