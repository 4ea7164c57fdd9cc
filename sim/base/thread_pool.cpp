#include "sim/base/thread_pool.h"

#include <sched.h>

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "sim/base/error.h"
#include "sim/base/fp_environment.h"
#include "sim/base/signal_guard.h"

namespace guardbit::sim {
namespace {

/// One loop. Indices are handed out in increasing order under the lock: when index i throws, every lower index has been
/// started and will finish, so the lowest throwing index is always found.
struct Loop {
  const std::function<void(std::size_t)>* body = nullptr;
  std::size_t count = 0;
  std::size_t next_index = 0;
  std::size_t num_running = 0;
  std::size_t failed_index = SIZE_MAX;
  std::exception_ptr failure;

  bool has_work() const { return next_index < count && !failure; }
};

thread_local bool is_inside_body = false;

}  // namespace

struct ThreadPool::State {
  std::mutex turn;  // one loop at a time
  std::mutex mutex;
  std::condition_variable work_available;
  std::condition_variable loop_done;
  Loop loop;
  bool stopping = false;
  std::vector<std::thread> workers;

  /// Takes indices until none is left; `lock` is held on entry and on return.
  void work(std::unique_lock<std::mutex>& lock) {
    while (loop.has_work()) {
      const std::size_t index = loop.next_index++;
      ++loop.num_running;
      lock.unlock();
      std::exception_ptr failure;
      is_inside_body = true;
      try {
        throw_if_interrupted();
        (*loop.body)(index);
      } catch (...) {
        failure = std::current_exception();
      }
      is_inside_body = false;
      lock.lock();
      --loop.num_running;
      if (failure && index < loop.failed_index) {
        loop.failed_index = index;
        loop.failure = failure;
      }
    }
    if (loop.num_running == 0) loop_done.notify_all();
  }

  void worker() {
    const FpEnvironment environment;
    std::unique_lock lock(mutex);
    while (true) {
      work_available.wait(lock, [this] { return stopping || loop.has_work(); });
      if (stopping) return;
      work(lock);
    }
  }
};

ThreadPool::ThreadPool(std::size_t num_threads) : state_(std::make_unique<State>()) {
  if (num_threads == 0) num_threads = available_processors();
  try {
    for (std::size_t i = 1; i < num_threads; ++i) state_->workers.emplace_back([this] { state_->worker(); });
  } catch (const std::system_error&) {
    const std::size_t num_started = state_->workers.size() + 1;
    stop();
    throw UserError(ExitCode::kRefused, "threads: got " + std::to_string(num_threads) + "; this system allows about " +
                                            std::to_string(num_started));
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->work_available.notify_all();
  for (std::thread& worker : state_->workers) worker.join();
}

std::size_t ThreadPool::num_threads() const { return state_->workers.size() + 1; }

void ThreadPool::run(std::size_t count, const std::function<void(std::size_t)>& body) {
  if (is_inside_body) {
    for (std::size_t i = 0; i < count; ++i) body(i);
    return;
  }
  const FpEnvironment environment;
  const std::lock_guard turn(state_->turn);
  std::unique_lock lock(state_->mutex);
  state_->loop = Loop{};
  state_->loop.body = &body;
  state_->loop.count = count;
  state_->work_available.notify_all();
  state_->work(lock);
  state_->loop_done.wait(lock, [this] { return state_->loop.num_running == 0 && !state_->loop.has_work(); });
  const std::exception_ptr failure = state_->loop.failure;
  state_->loop = Loop{};
  lock.unlock();
  if (failure) std::rethrow_exception(failure);
}

numerics::ParallelFor ThreadPool::parallel_for() {
  return [this](std::size_t count, const std::function<void(std::size_t)>& body) { run(count, body); };
}

std::size_t available_processors() {
  cpu_set_t processors;
  CPU_ZERO(&processors);
  if (sched_getaffinity(0, sizeof processors, &processors) != 0) return 1;
  const int num_processors = CPU_COUNT(&processors);
  return num_processors > 0 ? static_cast<std::size_t>(num_processors) : 1;
}

}  // namespace guardbit::sim
