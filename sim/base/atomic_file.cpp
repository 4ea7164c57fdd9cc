#include "sim/base/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

#include "sim/base/error.h"
#include "sim/base/open_temporaries.h"
#include "sim/base/signal_guard.h"

namespace guardbit::sim {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(ExitCode code, const fs::path& path, std::string_view action, int error) {
  throw UserError(code,
                  fmt::format("{}: cannot {}: {}", path.string(), action, std::generic_category().message(error)));
}

/// Hidden sibling of `target`, unique among processes (pid) and within this one (counter).
fs::path temporary_beside(const fs::path& target) {
  static std::atomic<unsigned> counter{0};
  return target.parent_path() / fmt::format(".{}.{}.{}.tmp", target.filename().string(), getpid(), counter++);
}

void sync_directory(const fs::path& directory) {
  const int descriptor = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail(ExitCode::kIo, directory, "open the directory to flush it", errno);
  const int error = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  // Some file systems cannot flush directories and say so with EINVAL.
  if (error != 0 && error != EINVAL) fail(ExitCode::kIo, directory, "flush the directory", error);
}

/// Absolute, without "." and trailing slashes, so that the last component is a name.
fs::path normalized(const fs::path& path) {
  fs::path result = fs::absolute(path).lexically_normal();
  if (!result.has_filename()) result = result.parent_path();
  return result;
}

}  // namespace

AtomicFile::AtomicFile(fs::path target, Existing existing)
    : target_(fs::absolute(std::move(target))), existing_(existing) {
  std::error_code ignored;
  const fs::file_status status = fs::symlink_status(target_, ignored);
  if (!target_.has_filename() || (fs::exists(status) && !fs::is_regular_file(status))) {
    throw UserError(ExitCode::kCannotCreate,
                    fmt::format("{}: is there and is not a regular file; expected a new name or a file to replace",
                                target_.string()));
  }
  if (existing_ == Existing::kRefuse && fs::exists(status)) fail(ExitCode::kCannotCreate, target_, "create", EEXIST);
  temporary_ = temporary_beside(target_);
  constexpr mode_t kMode = 0666;  // less the umask
  descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, kMode);
  if (descriptor_ < 0) {
    temporary_.clear();
    fail(ExitCode::kCannotCreate, target_, "create", errno);
  }
  remember_temporary(temporary_.c_str());
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
  forget_temporary(temporary_.c_str());
}

void AtomicFile::write(const void* data, std::size_t num_bytes) {
  const auto* next = static_cast<const char*>(data);
  while (num_bytes > 0) {
    throw_if_interrupted();
    const ssize_t written = ::write(descriptor_, next, num_bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(ExitCode::kIo, target_, fmt::format("write {} bytes", num_bytes), errno);
    next += written;
    num_bytes -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::commit() {
  if (fsync(descriptor_) != 0) fail(ExitCode::kIo, target_, "flush", errno);
  if (close(std::exchange(descriptor_, -1)) != 0) fail(ExitCode::kIo, target_, "close", errno);
  if (existing_ == Existing::kRefuse) {
    if (link(temporary_.c_str(), target_.c_str()) != 0) fail(ExitCode::kCannotCreate, target_, "create", errno);
    unlink(temporary_.c_str());
  } else if (rename(temporary_.c_str(), target_.c_str()) != 0) {
    fail(ExitCode::kIo, target_, "rename the finished file into place", errno);
  }
  temporary_.clear();
  sync_directory(target_.parent_path());
}

void write_file(const fs::path& target, std::string_view content, Existing existing) {
  AtomicFile file(target, existing);
  file.write(content);
  file.commit();
}

OutputDirectory::OutputDirectory(const fs::path& target, std::vector<std::string> result_names)
    : target_(normalized(target)), result_names_(std::move(result_names)) {
  check_replaceable();
  make_parents();
  const fs::path temporary = temporary_beside(target_);
  constexpr mode_t kMode = 0777;  // less the umask
  if (mkdir(temporary.c_str(), kMode) != 0)
    fail(ExitCode::kCannotCreate, target_, "create a directory beside it", errno);
  temporary_ = temporary;
  remember_temporary(temporary_.c_str(), &result_names_);
}

/// Creates the directories above the target that do not exist and remembers them, innermost first.
void OutputDirectory::make_parents() {
  std::vector<fs::path> missing;
  for (fs::path parent = target_.parent_path(); !parent.empty() && !fs::exists(parent); parent = parent.parent_path()) {
    missing.push_back(parent);
  }
  for (auto parent = missing.rbegin(); parent != missing.rend(); ++parent) {
    constexpr mode_t kMode = 0777;  // less the umask
    if (mkdir(parent->c_str(), kMode) != 0 && errno != EEXIST) {
      fail(ExitCode::kCannotCreate, *parent, "create the directory", errno);
    }
    created_parents_.insert(created_parents_.begin(), *parent);
  }
}

OutputDirectory::~OutputDirectory() {
  std::error_code ignored;
  const bool is_committed = temporary_.empty();
  if (!is_committed) fs::remove_all(temporary_, ignored);
  forget_temporary(temporary_.c_str());
  if (is_committed) return;
  for (const fs::path& parent : created_parents_) fs::remove(parent, ignored);  // only while they are empty
}

void OutputDirectory::check_replaceable() const {
  const auto refuse = [this](const std::string& reason) {
    throw UserError(ExitCode::kCannotCreate,
                    fmt::format("{}: {}; expected a new name, an empty directory or a previous "
                                "result (nothing but {})",
                                target_.string(), reason, fmt::join(result_names_, ", ")));
  };
  std::error_code error;
  const fs::file_status status = fs::symlink_status(target_, error);
  if (!fs::exists(status)) return;
  if (!fs::is_directory(status)) refuse("is there and is not a directory");
  bool is_empty = true;
  bool has_main_file = false;
  for (const fs::directory_entry& entry : fs::directory_iterator(target_, error)) {
    const std::string name = entry.path().filename().string();
    const bool is_known = std::find(result_names_.begin(), result_names_.end(), name) != result_names_.end();
    if (!is_known || !fs::is_regular_file(entry.symlink_status())) refuse(fmt::format("holds '{}'", name));
    is_empty = false;
    has_main_file = has_main_file || name == result_names_.front();
  }
  if (error) fail(ExitCode::kCannotCreate, target_, "list", error.value());
  if (!is_empty && !has_main_file) refuse(fmt::format("has no {}", result_names_.front()));
}

void OutputDirectory::commit() {
  check_replaceable();  // again: computing may have taken hours
  sync_directory(temporary_);
  if (renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE) == 0) {
    temporary_.clear();
  } else if (errno == EEXIST) {
    // Exchanged in one step: at every moment the target is the old or the new result; the destructor removes the old.
    if (renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0) {
      fail(ExitCode::kIo, target_, "exchange the previous result for the new one", errno);
    }
  } else if (errno == EINVAL || errno == ENOSYS) {
    // A file system without RENAME_NOREPLACE (NFS): a plain rename replaces at most an empty directory.
    if (rename(temporary_.c_str(), target_.c_str()) != 0) {
      fail(ExitCode::kCannotCreate, target_, "rename the finished directory into place", errno);
    }
    temporary_.clear();
  } else {
    fail(ExitCode::kIo, target_, "rename the finished directory into place", errno);
  }
  sync_directory(target_.parent_path());
}

}  // namespace guardbit::sim
