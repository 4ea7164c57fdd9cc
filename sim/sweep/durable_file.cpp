#include "sim/sweep/durable_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <system_error>
#include <utility>

#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxAttempts = 3;  // a cleaner may take a temporary between its creation and its lock

[[noreturn]] void fail(ExitCode code, const fs::path& path, std::string_view action, int error) {
  throw UserError(code,
                  fmt::format("{}: cannot {}: {}", path.string(), action, std::generic_category().message(error)));
}

/// Unique among hosts, processes and calls.
fs::path temporary_in(const fs::path& directory, const fs::path& target) {
  static std::atomic<unsigned> counter{0};
  char host[65] = {};
  if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  return directory / fmt::format("{}.{}.{}.{}", target.filename().string(), host, getpid(), counter++);
}

void sync_directory(const fs::path& directory) {
  const int descriptor = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail(ExitCode::kIo, directory, "open the directory to flush it", errno);
  const int error = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  if (error != 0 && error != EINVAL) fail(ExitCode::kIo, directory, "flush the directory", error);
}

/// An open temporary, locked as long as it is open; removed at the end.
class Temporary {
 public:
  Temporary(const fs::path& directory, const fs::path& target) : path_(temporary_in(directory, target)) {
    constexpr mode_t kMode = 0666;  // less the umask
    descriptor_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kMode);
    if (descriptor_ < 0) fail(errno == ENOSPC ? ExitCode::kIo : ExitCode::kCannotCreate, path_, "create", errno);
    (void)flock(descriptor_, LOCK_EX | LOCK_NB);  // where it is not supported, age alone tells what is stale
  }
  ~Temporary() {
    if (descriptor_ >= 0) close(descriptor_);
    unlink(path_.c_str());
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  void write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = ::write(descriptor_, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(ExitCode::kIo, path_, fmt::format("write {} bytes", text.size()), errno);
      text.remove_prefix(static_cast<std::size_t>(written));
    }
    if (fsync(descriptor_) != 0) fail(ExitCode::kIo, path_, "flush", errno);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
  int descriptor_ = -1;
};

/// 0, or why the temporary cannot have the name.
int give_name(const fs::path& temporary, const fs::path& target) {
  if (link(temporary.c_str(), target.c_str()) == 0) return 0;
  if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS) return errno;
  return renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) == 0 ? 0 : errno;
}

}  // namespace

bool link_new_file(const fs::path& temporaries, const fs::path& target, std::string_view text) {
  constexpr mode_t kMode = 0777;  // less the umask
  const fs::path directory = target.parent_path();
  if (mkdir(directory.c_str(), kMode) == 0) {
    sync_directory(directory.parent_path());
  } else if (errno != EEXIST) {
    fail(errno == ENOSPC ? ExitCode::kIo : ExitCode::kCannotCreate, directory, "create the directory", errno);
  }
  int error = 0;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    Temporary temporary(temporaries, target);
    temporary.write(text);
    error = give_name(temporary.path(), target);
    if (error == EEXIST) return false;
    if (error == 0) {
      sync_directory(directory);
      return true;
    }
    if (error != ENOENT) break;
  }
  fail(error == ENOSPC ? ExitCode::kIo : ExitCode::kCannotCreate, target, "create", error);
}

void remove_stale(const fs::path& temporaries, int least_age_seconds) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(temporaries, ignored)) {
    struct stat status {};
    if (lstat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (std::time(nullptr) - status.st_mtime < least_age_seconds) continue;
    const int descriptor = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0) continue;
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) unlink(entry.path().c_str());
    close(descriptor);
  }
}

}  // namespace guardbit::sim
