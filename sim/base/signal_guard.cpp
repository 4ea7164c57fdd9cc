#include "sim/base/signal_guard.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>

namespace guardbit::sim {
namespace {

constexpr std::array kHandledSignals = {SIGINT, SIGTERM, SIGHUP};
constexpr int kSignalExitBase = 128;  // shells report a process ended by signal n as 128 + n

// Process-wide because signals are; lock-free, hence usable in a handler.
std::atomic<int> arrived_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);
std::array<struct sigaction, kHandledSignals.size()> previous_actions;

extern "C" void on_signal(int signal) {
  int none = 0;
  if (!arrived_signal.compare_exchange_strong(none, signal)) _exit(kSignalExitBase + signal);
}

}  // namespace

SignalGuard::SignalGuard() {
  arrived_signal = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < kHandledSignals.size(); ++i) {
    sigaction(kHandledSignals[i], nullptr, &previous_actions[i]);
    if (previous_actions[i].sa_handler != SIG_IGN) sigaction(kHandledSignals[i], &action, nullptr);
  }
}

SignalGuard::~SignalGuard() {
  for (std::size_t i = 0; i < kHandledSignals.size(); ++i) sigaction(kHandledSignals[i], &previous_actions[i], nullptr);
  arrived_signal = 0;
}

int interrupting_signal() noexcept { return arrived_signal.load(std::memory_order_relaxed); }

void throw_if_interrupted() {
  if (const int signal = interrupting_signal(); signal != 0) throw Interrupted(signal);
}

void end_by_signal(int signal) {
  ::signal(signal, SIG_DFL);
  sigset_t only_this;
  sigemptyset(&only_this);
  sigaddset(&only_this, signal);
  sigprocmask(SIG_UNBLOCK, &only_this, nullptr);
  raise(signal);
  _exit(kSignalExitBase + signal);
}

}  // namespace guardbit::sim
