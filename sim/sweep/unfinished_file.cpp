#include "sim/sweep/unfinished_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "sim/base/error.h"

namespace guardbit::sim {

UnfinishedFile::UnfinishedFile(const std::filesystem::path& target)
    : target_(std::filesystem::absolute(target)),
      path_(target_.parent_path() / fmt::format(".{}.{}.tmp", target_.filename().string(), getpid())) {
  unlink(path_.c_str());
}

UnfinishedFile::~UnfinishedFile() { unlink(path_.c_str()); }

void UnfinishedFile::finish() const {
  flush(path_);
  if (rename(path_.c_str(), target_.c_str()) != 0) fail("rename into place");
  flush(target_.parent_path());
}

void UnfinishedFile::flush(const std::filesystem::path& path) const {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail("flush");
  const int error = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  errno = error;
  if (error != 0 && error != EINVAL) fail("flush");  // EINVAL: a file system that cannot flush directories
}

void UnfinishedFile::fail(const char* action) const {
  throw UserError(ExitCode::kIo,
                  fmt::format("{}: cannot {}: {}", target_.string(), action, std::generic_category().message(errno)));
}

}  // namespace guardbit::sim
