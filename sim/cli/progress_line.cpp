#include "sim/cli/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include "sim/cli/verbs.h"

namespace guardbit::sim::cli {

ProgressLine::ProgressLine(bool quiet) : enabled_(!quiet && isatty(STDERR_FILENO) != 0) {}

ProgressLine::~ProgressLine() {
  if (shown_) say("\r\x1b[K");
}

void ProgressLine::update(std::size_t done, std::size_t total, const std::string& unit, const std::string& what) {
  if (!enabled_) return;
  constexpr std::chrono::milliseconds kLeastInterval(100);
  const auto now = Clock::now();
  const bool is_new = !shown_ || what != phase_;
  if (is_new) {
    phase_ = what;
    first_done_ = done;
    phase_start_ = now;
  }
  if (!is_new && done < total && now - last_update_ < kLeastInterval) return;
  last_update_ = now;
  constexpr std::size_t kWidth = 30;
  const std::size_t filled = kWidth * done / total;
  std::string line = fmt::format("\r\x1b[K[{}{}] {}/{} {}, {}", std::string(filled, '#'),
                                 std::string(kWidth - filled, '.'), done, total, unit, what);
  if (done > first_done_) {
    const double rate =
        static_cast<double>(done - first_done_) / std::chrono::duration<double>(now - phase_start_).count();
    line += fmt::format(" ({:.3g} {}/s, {:.0f} s left)", rate, unit, static_cast<double>(total - done) / rate);
  }
  say(line);
  shown_ = true;
}

}  // namespace guardbit::sim::cli
