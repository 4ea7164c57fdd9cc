#include "sim/sweep/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "sim/base/error.h"

namespace guardbit::sim {
namespace {

[[noreturn]] void refuse(const char* what) {
  throw UserError(ExitCode::kRefused, fmt::format("cannot make {}: {}", what, std::generic_category().message(errno)));
}

}  // namespace

ChildProcess::ChildProcess(const std::function<int()>& work) : start_(std::chrono::steady_clock::now()) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) refuse("a pipe");
  (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
  std::fflush(nullptr);  // or the child would write it again
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) {
    close(ends[0]);
    close(ends[1]);
    refuse("a process");
  }
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(128 + SIGTERM);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    int status = static_cast<int>(ExitCode::kRefused);
    try {
      status = work();
    } catch (...) {  // not even room for an error's text
      (void)std::fputs("out of memory\n", stderr);
    }
    std::fflush(nullptr);
    _exit(status);
  }
  close(ends[1]);
  pipe_ = ends[0];
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pipe_(std::exchange(other.pipe_, -1)),
      tail_(std::move(other.tail_)),
      start_(other.start_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(pipe_, other.pipe_);
  std::swap(tail_, other.tail_);
  std::swap(start_, other.start_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    (void)wait();
  }
  if (pipe_ >= 0) close(pipe_);
}

bool ChildProcess::drain() {
  std::array<char, kTailBytes> buffer{};
  for (;;) {
    const ssize_t count = read(pipe_, buffer.data(), buffer.size());
    if (count == 0) return true;
    if (count < 0) return errno != EAGAIN && errno != EINTR;
    tail_.append(buffer.data(), static_cast<std::size_t>(count));
    if (tail_.size() > kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
  }
}

void ChildProcess::send(int signal) const { kill(pid_, signal); }

ChildProcess::End ChildProcess::wait() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  (void)drain();
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 0, WIFSIGNALED(status) ? WTERMSIG(status) : 0, std::move(tail_)};
}

double ChildProcess::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

}  // namespace guardbit::sim
