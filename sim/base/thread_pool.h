#pragma once
/// Worker threads behind numerics::ParallelFor. Results do not depend on the number of threads as long as bodies write
/// disjoint results per index.
#include <cstddef>
#include <functional>
#include <memory>

#include "models/numerics/matrix.h"

namespace guardbit::sim {

/// `num_threads` threads work on every loop, the caller's among them (1: the caller alone, 0: available_processors()).
/// All of them compute in FpEnvironment. Loops started inside a body run on that body's thread; loops started by
/// several threads take turns.
///
/// If bodies throw, the loop starts no further index and rethrows the exception of the lowest index: which one that is
/// does not depend on the threads. Between indices throw_if_interrupted() is called.
class ThreadPool {
 public:
  /// UserError kRefused if the system does not allow that many threads.
  explicit ThreadPool(std::size_t num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t num_threads() const;
  void run(std::size_t count, const std::function<void(std::size_t)>& body);
  /// run() as a value; must not outlive the pool.
  numerics::ParallelFor parallel_for();

 private:
  struct State;
  void stop();
  std::unique_ptr<State> state_;
};

/// Processors this process may run on (the affinity mask), at least 1.
[[nodiscard]] std::size_t available_processors();

}  // namespace guardbit::sim
