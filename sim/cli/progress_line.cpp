#include "sim/cli/progress_line.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "sim/base/error.h"
#include "sim/cli/terminal.h"
#include "sim/cli/verbs.h"

namespace guardbit::sim::cli {
namespace {

double seconds(std::chrono::steady_clock::duration time) { return std::chrono::duration<double>(time).count(); }
double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

/// What is left, as a person reads it.
std::string left_text(double left_seconds) {
  const auto whole = static_cast<long long>(left_seconds + 0.5);
  if (left_seconds < 100) return fmt::format("{} s left", whole);
  if (whole < 3600) return fmt::format("{}:{:02} min left", whole / 60, whole % 60);
  return fmt::format("{}:{:02} h left", whole / 3600, whole / 60 % 60);
}

/// A unit that is given in the plural, as it stands behind the number: without its s behind 1.
std::string unit_behind(std::size_t count, const std::string& unit) {
  return count == 1 && unit.ends_with('s') ? unit.substr(0, unit.size() - 1) : unit;
}

}  // namespace

void add_talk(CLI::App& verb, Talk& talk) {
  CLI::Option* quiet = verb.add_flag("--quiet,-q", talk.quiet, "No progress and no remarks on standard error");
  verb.add_flag("--verbose,-v", talk.verbose, "Every phase with its time on standard error, and what the whole took")
      ->excludes(quiet);
}

ProgressLine::ProgressLine(const Talk& talk)
    : drawn_over_(!talk.quiet && is_terminal(STDERR_FILENO)), verbose_(talk.verbose) {}

ProgressLine::~ProgressLine() {
  if (verbose_) end_phase();
  if (shown_) say("\r\x1b[K");
  if (!verbose_) return;
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return;
  constexpr double kKibibytesPerMegabyte = 1e6 / 1024;
  say(fmt::format("time {:.2f} s, CPU {:.2f} s, peak of memory {:.0f} MB\n", seconds(Clock::now() - start_),
                  seconds(usage.ru_utime) + seconds(usage.ru_stime),
                  static_cast<double>(usage.ru_maxrss) / kKibibytesPerMegabyte));
}

void ProgressLine::start_phase(std::size_t done, const std::string& what, Clock::time_point now) {
  if (verbose_) end_phase();
  phase_ = what;
  first_done_ = done;
  done_ = done;
  phase_start_ = now;
}

void ProgressLine::end_phase() {
  if (phase_.empty()) return;
  say(fmt::format("{}{}: {} {} in {:.2f} s\n", shown_ ? "\r\x1b[K" : "", printable(phase_), done_,
                  unit_behind(done_, unit_), seconds(Clock::now() - phase_start_)));
  shown_ = false;
}

void ProgressLine::update(std::size_t done, std::size_t total, const std::string& unit, const std::string& what) {
  if (!drawn_over_ && !verbose_) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  constexpr std::chrono::milliseconds kLeastInterval(100);
  const auto now = Clock::now();
  const bool is_new = phase_.empty() || what != phase_;
  if (is_new) start_phase(done, what, now);
  done_ = std::max(done_, done);
  unit_ = unit;
  if (!drawn_over_ || (!is_new && done < total && now - last_draw_ < kLeastInterval)) return;
  last_draw_ = now;
  draw(total, now);
}

void ProgressLine::draw(std::size_t total, Clock::time_point now) {
  constexpr std::size_t kWidth = 30;
  const std::size_t filled = kWidth * done_ / total;
  std::string line = fmt::format("\r\x1b[K[{}{}] {}/{} {}, {}", std::string(filled, '#'),
                                 std::string(kWidth - filled, '.'), done_, total, unit_, printable(phase_));
  if (done_ > first_done_) {
    const double rate = static_cast<double>(done_ - first_done_) / seconds(now - phase_start_);
    line += fmt::format(" ({:.3g} {}/s, {})", rate, unit_, left_text(static_cast<double>(total - done_) / rate));
  }
  say(line);
  shown_ = true;
}

numerics::ParallelFor ProgressLine::counted(numerics::ParallelFor loops, const std::string& unit,
                                            const std::string& what) {
  return [this, loops = std::move(loops), unit, what](std::size_t count, const std::function<void(std::size_t)>& body) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      start_phase(0, what, Clock::now());
    }
    std::atomic<std::size_t> done = 0;
    loops(count, [&](std::size_t index) {
      body(index);
      update(++done, count, unit, what);
    });
  };
}

}  // namespace guardbit::sim::cli
