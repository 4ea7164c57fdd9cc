#include "sim/sweep/runner.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <list>
#include <map>
#include <optional>
#include <utility>

#include "models/numerics/version.h"
#include "sim/base/error.h"
#include "sim/base/signal_guard.h"
#include "sim/sweep/child_process.h"
#include "sim/sweep/point_worker.h"

namespace guardbit::sim {
namespace {

constexpr int kPollMilliseconds = 100;  // how late a signal or a timeout may be noticed

class Runner {
 public:
  Runner(const Store& store, const Plan& plan, const RunOptions& options, const SweepProgress& progress)
      : store_(store), plan_(plan), options_(options), progress_(progress), worker_(store, plan) {}

  RunSummary run() {
    collect();
    try {
      while (next_ < todo_.size() || !running_.empty()) {
        throw_if_interrupted();
        if (!environment_error_ && running_.size() < options_.jobs && next_ < todo_.size()) {
          start(*todo_[next_++].point);
        } else if (!running_.empty()) {
          wait_for_any();
        } else {
          break;
        }
      }
    } catch (const Interrupted&) {
      for (const Running& child : running_) child.process.send(SIGTERM);
      for (Running& child : running_) (void)child.process.wait();
      throw;
    }
    if (environment_error_) throw *environment_error_;
    return std::move(summary_);
  }

 private:
  struct Todo {
    std::string sharing_key;
    const PlanPoint* point = nullptr;
  };
  struct Running {
    const PlanPoint* point;
    ChildProcess process;
    bool timed_out = false;
  };

  /// What is done, what has failed before and what is left, grouped by what it shares. Two runs on one store begin at
  /// different places, so that they meet late.
  void collect() {
    for (const PlanPoint& point : plan_.points) {
      if (!options_.shard.has(point.key)) continue;
      throw_if_interrupted();
      ++summary_.points;
      PointFile file;
      std::string problem;
      const Store::State state = store_.read(point.key, file, problem);
      if (state == Store::State::kDone && !options_.recheck) {
        ++summary_.reused;
        continue;
      }
      if (state == Store::State::kDamaged) {
        summary_.messages.push_back(fmt::format("{}: {}; computed again", store_.path_of(point.key).string(), problem));
      }
      const std::optional<Failure> failure = store_.failure(point.key);
      if (failure && !options_.retry_failed) {
        ++summary_.failed;
        continue;
      }
      todo_.push_back({worker_.sharing_key(point), &point});
    }
    std::stable_sort(todo_.begin(), todo_.end(),
                     [](const Todo& a, const Todo& b) { return a.sharing_key < b.sharing_key; });
    for (const Todo& todo : todo_) ++sharers_[todo.sharing_key];
    if (todo_.empty()) return;
    const auto offset = static_cast<std::ptrdiff_t>(static_cast<std::size_t>(getpid()) % todo_.size());
    std::rotate(todo_.begin(), todo_.begin() + offset, todo_.end());
  }

  void start(const PlanPoint& point) {
    PointFile file;
    std::string problem;
    const bool done = store_.read(point.key, file, problem) == Store::State::kDone;
    if (done && !options_.recheck) {  // by another run, meanwhile
      ++summary_.reused;
      report();
      return;
    }
    try {
      worker_.prepare(point, sharers_.at(worker_.sharing_key(point)) > 1);
    } catch (const UserError& error) {
      if (error.code() == ExitCode::kIo) throw;  // not the point's fault
      fail(point, {.exit_code = static_cast<int>(error.code()), .error = error.what()});
      report();
      return;
    }
    running_.push_back({&point, ChildProcess([&] { return worker_.compute(point); })});
  }

  void wait_for_any() {
    std::vector<pollfd> descriptors;
    for (const Running& child : running_) descriptors.push_back({child.process.descriptor(), POLLIN, 0});
    (void)poll(descriptors.data(), descriptors.size(), kPollMilliseconds);
    for (auto child = running_.begin(); child != running_.end();) {
      if (child->process.drain()) {
        finish(*child);
        child = running_.erase(child);
        continue;
      }
      if (options_.timeout_seconds > 0 && !child->timed_out && child->process.seconds() > options_.timeout_seconds) {
        child->timed_out = true;
        child->process.send(SIGKILL);
      }
      ++child;
    }
  }

  void finish(Running& child) {
    const ChildProcess::End end = child.process.wait();
    if (interrupting_signal() != 0) return;
    const std::string& key = child.point->key;
    const auto code = static_cast<ExitCode>(end.exit_code);
    if (end.signal == 0 && code == ExitCode::kOk) {
      ++summary_.computed;
      store_.forget_failure(key);
    } else if (end.signal == 0 && end.exit_code == PointWorker::kViolationExit) {
      summary_.violated = true;
      summary_.messages.push_back(trimmed(end.stderr_tail));
    } else if (end.signal == 0 && (code == ExitCode::kIo || code == ExitCode::kCannotCreate)) {
      environment_error_ = UserError(code, trimmed(end.stderr_tail));
    } else {
      fail(*child.point, {.exit_code = end.exit_code,
                          .signal = end.signal,
                          .timed_out = child.timed_out,
                          .error = child.timed_out ? fmt::format("took longer than {} s", options_.timeout_seconds)
                                                   : trimmed(end.stderr_tail)});
    }
    report();
  }

  void fail(const PlanPoint& point, Failure failure) {
    const std::optional<Failure> before = store_.failure(point.key);
    failure.attempts = before ? before->attempts + 1 : 1;
    ++summary_.failed;
    summary_.messages.push_back(fmt::format(
        "point {}: failed ({}): {}", point.key,
        failure.signal != 0 ? fmt::format("signal {}", failure.signal) : fmt::format("exit {}", failure.exit_code),
        failure.error.empty() ? "without a word" : failure.error));
    store_.record_failure(point.key, failure);
  }

  static std::string trimmed(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }

  void report() const {
    if (progress_) progress_(summary_.computed + summary_.reused + summary_.failed, summary_.points, summary_.failed);
  }

  const Store& store_;
  const Plan& plan_;
  const RunOptions& options_;
  const SweepProgress& progress_;
  PointWorker worker_;
  RunSummary summary_;
  std::vector<Todo> todo_;
  std::size_t next_ = 0;
  std::map<std::string, std::size_t> sharers_;  // by sharing key
  std::list<Running> running_;
  std::optional<UserError> environment_error_;  // the store cannot be written: nothing new is started
};

}  // namespace

std::uint64_t Shard::index_of(const std::string& key, std::uint64_t count) {
  constexpr std::size_t kDigits = 16;  // 64 of the 256 bits
  return std::stoull(key.substr(0, kDigits), nullptr, 16) % count;
}

RunSummary run_sweep(const Store& store, const Plan& plan, const RunOptions& options, const SweepProgress& progress) {
  if (plan.numerics_version != numerics::kNumericsVersion) {
    throw UserError(ExitCode::kConfiguration,
                    fmt::format("{}: got a plan for numerics version {}; expected {}; plan the sweep again",
                                store.directory().string(), plan.numerics_version, numerics::kNumericsVersion));
  }
  if (!options.allow_mixed && plan.tool_sha256 != tool_sha256()) {
    throw UserError(
        ExitCode::kConfiguration,
        fmt::format("{}: got a plan of another build of guardbit; expected this one's; plan the sweep again, "
                    "or --allow-mixed to trust that both compute the same",
                    store.directory().string()));
  }
  store.prepare_writing();
  return Runner(store, plan, options, progress).run();
}

}  // namespace guardbit::sim
