#include "sim/base/last_resort.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>

#include "sim/base/error.h"
#include "sim/base/open_temporaries.h"

namespace guardbit::sim {
namespace {

pid_t owner = 0;

[[noreturn]] void on_terminate() {
  try {
    if (const std::exception_ptr reason = std::current_exception()) std::rethrow_exception(reason);
  } catch (const std::bad_alloc&) {
    if (getpid() == owner) (void)std::fputs("guardbit: out of memory\n", stderr);
    remove_temporaries();
    _exit(static_cast<int>(ExitCode::kRefused));
  } catch (...) {
  }
  std::abort();
}

}  // namespace

void handle_last_resort() noexcept {
  owner = getpid();
  std::set_terminate(on_terminate);
}

}  // namespace guardbit::sim
