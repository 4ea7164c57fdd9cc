#include "sim/cli/progress_line.h"

#include <fmt/format.h>
#include <unistd.h>

#include "sim/cli/verbs.h"

namespace guardbit::sim::cli {

ProgressLine::ProgressLine(bool quiet)
    : enabled_(!quiet && isatty(STDERR_FILENO) != 0), start_(std::chrono::steady_clock::now()) {}

ProgressLine::~ProgressLine() {
  if (shown_) say("\r\x1b[K");
}

void ProgressLine::update(std::size_t done, std::size_t total, const std::string& unit, const std::string& what) {
  constexpr std::chrono::milliseconds kLeastInterval(100);
  const auto now = std::chrono::steady_clock::now();
  if (!enabled_ || done == 0 || (shown_ && done < total && now - last_update_ < kLeastInterval)) return;
  last_update_ = now;
  const double elapsed_s = std::chrono::duration<double>(now - start_).count();
  const double left_s = elapsed_s / static_cast<double>(done) * static_cast<double>(total - done);
  constexpr std::size_t kWidth = 30;
  const std::size_t filled = kWidth * done / total;
  say(fmt::format("\r\x1b[K[{}{}] {}/{} {}, {} ({:.3g} {}/s, {:.0f} s left)", std::string(filled, '#'),
                  std::string(kWidth - filled, '.'), done, total, unit, what, static_cast<double>(done) / elapsed_s,
                  unit, left_s));
  shown_ = true;
}

}  // namespace guardbit::sim::cli
