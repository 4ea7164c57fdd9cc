#pragma once
/// A forked process whose stderr comes back through a pipe.
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

namespace guardbit::sim {

class ChildProcess {
 public:
  struct End {
    int exit_code = 0;
    int signal = 0;           ///< that ended it, or 0
    std::string stderr_tail;  ///< the last kTailBytes of what it wrote
  };
  static constexpr std::size_t kTailBytes = 4096;

  /// Forks; the child calls `work`, which throws nothing but std::bad_alloc (kRefused), and ends with its return value,
  /// without running destructors of this process. It is
  /// asked to end (SIGTERM) if this process dies. To be called without other threads. UserError kRefused if the system
  /// has no process or descriptor left.
  explicit ChildProcess(const std::function<int()>& work);
  /// Ends the child and waits for it.
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;

  int descriptor() const { return pipe_; }  ///< readable when there is text or the child has ended
  /// Takes what is there; true once the child has ended (its end of the pipe is closed).
  bool drain();
  void send(int signal) const;
  /// Waits; after drain() returned true it does not take long.
  [[nodiscard]] End wait();
  double seconds() const;  ///< since the fork

 private:
  pid_t pid_ = -1;
  int pipe_ = -1;
  std::string tail_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace guardbit::sim
