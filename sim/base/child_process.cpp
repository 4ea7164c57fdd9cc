#include "sim/base/child_process.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <string_view>

#include "models/numerics/check.h"
#include "sim/base/error.h"
#include "sim/base/signal_guard.h"
#include "sim/base/system_failure.h"

namespace guardbit::sim {
namespace {

constexpr int kUnsent = 1;  // exit code of a child whose message did not get through

/// First byte of what a child sends.
enum class Outcome : char { kResult = 'r', kUserError = 'u', kInterrupted = 'i', kInternalError = 'x' };

/// The outcome's byte, an exit code's byte, and text.
std::string outcome_of(const std::function<std::string()>& work) {
  const auto message = [](Outcome outcome, ExitCode code, const std::string& text) {
    return std::string{static_cast<char>(outcome), static_cast<char>(code)} + text;
  };
  try {
    return message(Outcome::kResult, ExitCode::kOk, work());
  } catch (const UserError& error) {
    return message(Outcome::kUserError, error.code(), error.what());
  } catch (const Interrupted&) {
    return message(Outcome::kInterrupted, ExitCode::kOk, "");
  } catch (const std::bad_alloc&) {
    return message(Outcome::kUserError, ExitCode::kRefused, "out of memory");
  } catch (const std::system_error& error) {
    return message(Outcome::kUserError, exit_code_of(error), error.what());
  } catch (const std::exception& error) {
    return message(Outcome::kInternalError, ExitCode::kInternal, error.what());
  }
}

/// False if the message does not get through.
bool send(int pipe_end, std::string_view message) {
  while (!message.empty()) {
    const ssize_t count = ::write(pipe_end, message.data(), message.size());
    if (count < 0 && errno != EINTR) return false;
    if (count > 0) message.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

[[noreturn]] void be_child(int pipe_end, const std::function<std::string()>& work) {
  bool is_sent = false;
  try {
    is_sent = send(pipe_end, outcome_of(work));
  } catch (const std::bad_alloc&) {  // not even room for an error's text
    constexpr std::array kOutOfMemory = {static_cast<char>(Outcome::kUserError), static_cast<char>(ExitCode::kRefused)};
    is_sent = send(pipe_end, {kOutOfMemory.data(), kOutOfMemory.size()}) && send(pipe_end, "out of memory");
  }
  _exit(is_sent ? 0 : kUnsent);  // not this copy's business: the parent's buffers and temporaries
}

[[noreturn]] void fail(const char* what, ExitCode code = ExitCode::kIo) {
  throw UserError(code, fmt::format("{}: {}", what, std::strerror(errno)));
}

/// A child, killed and waited for if the parent leaves early.
class Child {
 public:
  Child(pid_t id, int pipe_end) : id_(id), pipe_(pipe_end) {}
  ~Child() {
    close(pipe_);
    if (id_ <= 0) return;
    kill(id_, SIGTERM);
    (void)wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  std::string read_all() {
    std::string text;
    constexpr std::size_t kPieceBytes = 8192;  // on a stack that may be small
    std::array<char, kPieceBytes> buffer;
    for (;;) {
      throw_if_interrupted();
      constexpr int kPollMs = 50;
      pollfd ready{.fd = pipe_, .events = POLLIN, .revents = 0};
      if (poll(&ready, 1, kPollMs) <= 0) continue;
      const ssize_t count = ::read(pipe_, buffer.data(), buffer.size());
      if (count == 0) return text;
      if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
      if (count < 0 && errno != EINTR) fail("cannot read from a process of ours");
    }
  }
  int wait() {
    int status = 0;
    while (waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    id_ = 0;
    return status;
  }

 private:
  pid_t id_;
  int pipe_;
};

}  // namespace

std::string run_in_child(const std::function<std::string()>& work) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) fail("cannot make a pipe", ExitCode::kRefused);
  std::fflush(nullptr);
  const pid_t id = fork();
  if (id < 0) {
    const int error = errno;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    fail("cannot start a process", ExitCode::kRefused);
  }
  if (id == 0) {
    close(ends[0]);
    be_child(ends[1], work);
  }
  close(ends[1]);
  Child child(id, ends[0]);
  const std::string message = child.read_all();
  const int status = child.wait();
  if (WIFSIGNALED(status) || message.size() < 2) {
    throw_if_interrupted();
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
      throw UserError(ExitCode::kRefused, "its process was killed (signal 9); expected enough memory for it");
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == static_cast<int>(ExitCode::kRefused)) {
      throw UserError(ExitCode::kRefused, "out of memory");  // last_resort.h
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == kUnsent) {
      throw UserError(ExitCode::kIo, "the result of a process of ours was lost: cannot write to its pipe");
    }
    throw InternalError(fmt::format("a process of ours ended early (status {})", status));
  }
  const std::string text = message.substr(2);
  switch (static_cast<Outcome>(message[0])) {
    case Outcome::kResult: return text;
    case Outcome::kUserError: throw UserError(static_cast<ExitCode>(static_cast<unsigned char>(message[1])), text);
    case Outcome::kInterrupted: throw Interrupted(interrupting_signal() != 0 ? interrupting_signal() : SIGTERM);
    case Outcome::kInternalError: break;
  }
  throw InternalError(text);
}

}  // namespace guardbit::sim
