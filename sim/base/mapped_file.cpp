#include "sim/base/mapped_file.h"

#include <fmt/format.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <mutex>
#include <system_error>
#include <utility>

#include "models/numerics/check.h"
#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

/// Where this thread goes on if a page of the file it reads is no longer there; null: it reads no mapped file.
thread_local sigjmp_buf* landing = nullptr;

void handle_bus_error(int number) {
  if (landing != nullptr) siglongjmp(*landing, 1);
  signal(number, SIG_DFL);  // somebody else's
  raise(number);
}

void install_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_handler = handle_bus_error;
    sigaction(SIGBUS, &action, nullptr);
  });
}

/// Calls read(bytes); false if a page was missing. Has no local variables that a jump could leave undestroyed.
bool guarded_read(const std::function<void(const unsigned char*)>& read, const unsigned char* bytes) {
  sigjmp_buf here;
  if (sigsetjmp(here, 1) != 0) {
    landing = nullptr;
    return false;
  }
  landing = &here;
  read(bytes);
  landing = nullptr;
  return true;
}

/// Whole pages of the range leave this process's memory (not the system's cache): a converted tensor is needed no more.
void drop_pages(unsigned char* begin, std::uint64_t num_bytes) {
  constexpr std::uintptr_t kPageBytes = 1 << 16;  // a multiple of every page size in use
  const auto first = (reinterpret_cast<std::uintptr_t>(begin) + kPageBytes - 1) / kPageBytes * kPageBytes;
  const auto last = (reinterpret_cast<std::uintptr_t>(begin) + num_bytes) / kPageBytes * kPageBytes;
  if (last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace

MappedFile::MappedFile(const InputFile& file)
    : path_(file.path()), descriptor_(file.descriptor()), num_bytes_(file.size()) {
  if (num_bytes_ == 0) return;
  void* const data = mmap(nullptr, num_bytes_, PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
  if (data == MAP_FAILED) {
    throw UserError(ExitCode::kIo, fmt::format("{}: cannot map {} bytes: {}", path_.string(), num_bytes_,
                                               std::generic_category().message(errno)));
  }
  data_ = static_cast<unsigned char*>(data);
  install_handler();
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(data_, num_bytes_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(other.descriptor_),
      data_(std::exchange(other.data_, nullptr)),
      num_bytes_(std::exchange(other.num_bytes_, 0)) {}

void MappedFile::visit(std::uint64_t offset, std::uint64_t num_bytes,
                       const std::function<void(const unsigned char*)>& read) const {
  GUARDBIT_CHECK(offset <= num_bytes_ && num_bytes <= num_bytes_ - offset, "the range lies in the file");
  struct Reset {
    ~Reset() { landing = nullptr; }  // also when `read` throws
  } reset;
  const bool was_read = guarded_read(read, data_ + offset);
  // The rest of a file's last page reads as zeros, without a signal, if the file ends before.
  struct stat status {};
  const bool is_there =
      fstat(descriptor_, &status) == 0 && static_cast<std::uint64_t>(status.st_size) >= offset + num_bytes;
  drop_pages(data_ + offset, num_bytes);
  if (was_read && is_there) return;
  throw UserError(ExitCode::kIo,
                  fmt::format("{}: became shorter than the {} bytes it had when it was opened; another program is "
                              "changing it",
                              path_.string(), num_bytes_));
}

}  // namespace guardbit::sim
