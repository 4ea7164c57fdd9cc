#include "sim/base/input_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "sim/base/error.h"
#include "sim/base/input_policy.h"

namespace guardbit::sim {
namespace {

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "directory";
  if (S_ISFIFO(mode)) return "FIFO";
  if (S_ISSOCK(mode)) return "socket";
  return "device";
}

/// Whether the path is at fault, not the system, which may open the file another time.
bool is_missing(int error) {
  return error == ENOENT || error == ENOTDIR || error == EACCES || error == EPERM || error == ELOOP ||
         error == ENAMETOOLONG;
}

std::string reason_of(int error) { return std::generic_category().message(error); }

}  // namespace

InputFile::InputFile(std::filesystem::path file, std::uint64_t max_bytes) : path_(std::move(file)) {
  if (path_.native().find('\0') != std::string::npos) {  // the system would open what stands before it
    throw UserError(ExitCode::kMissingInput,
                    fmt::format("{}: cannot open: a file's name has no NUL character", path_.string()));
  }
  // Non-blocking: opening a FIFO would otherwise wait for a writer.
  descriptor_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor_ < 0) {
    const int error = errno;
    if (struct stat status{}; stat(path_.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
      throw UserError(ExitCode::kMalformedInput,
                      fmt::format("{}: got a {}; expected a regular file", path_.string(), kind_of(status.st_mode)));
    }
    throw UserError(is_missing(error) ? ExitCode::kMissingInput : ExitCode::kIo,
                    fmt::format("{}: cannot open: {}", path_.string(), reason_of(error)));
  }
  struct stat status {};
  const bool is_known = fstat(descriptor_, &status) == 0;
  const auto num_bytes = static_cast<std::uint64_t>(status.st_size);
  ExitCode code = is_known ? ExitCode::kMalformedInput : ExitCode::kIo;
  std::string problem;
  if (!is_known) {
    problem = fmt::format("{}: cannot stat: {}", path_.string(), reason_of(errno));
  } else if (!S_ISREG(status.st_mode)) {
    problem = fmt::format("{}: got a {}; expected a regular file", path_.string(), kind_of(status.st_mode));
  } else if (num_bytes > input_policy().max_bytes) {
    code = ExitCode::kRefused;
    problem = fmt::format("{}: got a file of {} bytes; expected at most {} (--max-input)", path_.string(), num_bytes,
                          input_policy().max_bytes);
  } else if (num_bytes > max_bytes) {
    problem = fmt::format("{}: got a file of {} bytes; expected at most {}", path_.string(), num_bytes, max_bytes);
  }
  if (!problem.empty()) {
    close(std::exchange(descriptor_, -1));
    throw UserError(code, problem);
  }
  num_bytes_ = num_bytes;
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      num_bytes_(std::exchange(other.num_bytes_, 0)) {}

void InputFile::read_at(std::uint64_t offset, void* buffer, std::size_t num_bytes) const {
  auto* next = static_cast<char*>(buffer);
  while (num_bytes > 0) {
    const ssize_t got = pread(descriptor_, next, num_bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      throw UserError(ExitCode::kIo, fmt::format("{}: cannot read: {}", path_.string(), reason_of(errno)));
    }
    if (got == 0) {
      throw UserError(ExitCode::kIo, fmt::format("{}: ends at byte {} although it had {} bytes when it was opened; "
                                                 "another program is changing it",
                                                 path_.string(), offset, num_bytes_));
    }
    next += got;
    offset += static_cast<std::uint64_t>(got);
    num_bytes -= static_cast<std::size_t>(got);
  }
}

std::string read_file(const std::filesystem::path& file, std::uint64_t max_bytes) {
  const InputFile input(file, max_bytes);
  std::string content(static_cast<std::size_t>(input.size()), '\0');
  input.read_at(0, content.data(), content.size());
  return content;
}

}  // namespace guardbit::sim
