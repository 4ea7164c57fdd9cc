#pragma once
/// Stopping on SIGINT, SIGTERM and SIGHUP without leaving half-written files: the first signal sets a flag that long
/// loops poll, the exception unwinds the stack (temporaries of AtomicFile and OutputDirectory disappear), and main
/// ends the process by the same signal. A second signal exits at once, without cleaning up.
#include <exception>

namespace guardbit::sim {

/// A signal asked this process to stop.
class Interrupted : public std::exception {
 public:
  explicit Interrupted(int signal) : signal_(signal) {}
  const char* what() const noexcept override { return "interrupted by a signal"; }
  int signal() const { return signal_; }

 private:
  int signal_;
};

/// Handles the three signals for its lifetime, then restores what was there and forgets the signal; one at a time,
/// owned by main. Signals that are ignored when it starts (nohup) stay ignored.
class SignalGuard {
 public:
  SignalGuard();
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
};

/// The signal that arrived, or 0.
int interrupting_signal() noexcept;

/// Throws Interrupted if a signal arrived. Costs one relaxed load; to be called at least every 100 ms.
void throw_if_interrupted();

/// Ends this process by `signal` with its default action, so that the parent sees the signal.
[[noreturn]] void end_by_signal(int signal);

}  // namespace guardbit::sim
