#include "sim/base/open_temporaries.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>

namespace guardbit::sim {
namespace {

struct Temporary {
  const char* path = nullptr;
  const std::vector<std::string>* names = nullptr;
  pid_t owner = 0;  // not a child, which has a copy of this
};

// Of the process, as the temporaries are; what finds no place is not removed.
std::array<Temporary, 64> temporaries;
std::mutex mutex;

void remove_directory(const Temporary& directory) {
  const int descriptor = open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  for (const std::string& name : *directory.names) unlinkat(descriptor, name.c_str(), 0);
  if (descriptor >= 0) close(descriptor);
  rmdir(directory.path);
}

}  // namespace

void remember_temporary(const char* path, const std::vector<std::string>* names) noexcept {
  const std::lock_guard lock(mutex);
  const auto place =
      std::find_if(temporaries.begin(), temporaries.end(), [](auto& one) { return one.path == nullptr; });
  if (place != temporaries.end()) *place = {path, names, getpid()};
}

void forget_temporary(const char* path) noexcept {
  const std::lock_guard lock(mutex);
  for (Temporary& one : temporaries) {
    if (one.path == path) one = {};
  }
}

void remove_temporaries() noexcept {
  const auto is_mine = [](const Temporary& one) { return one.path != nullptr && one.owner == getpid(); };
  for (const Temporary& one : temporaries) {
    if (is_mine(one) && one.names == nullptr) unlink(one.path);
  }
  for (const Temporary& one : temporaries) {
    if (is_mine(one) && one.names != nullptr) remove_directory(one);
  }
}

}  // namespace guardbit::sim
