#pragma once
/// One line on stderr that says how far a long piece of work is; only where stderr is a terminal.
#include <chrono>
#include <cstddef>
#include <string>

namespace guardbit::sim::cli {

class ProgressLine {
 public:
  explicit ProgressLine(bool quiet);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// A bar, `done` of `total`, the rate and the remaining time, of the phase `what`: another phase starts its own
  /// clock. total > 0. `unit`: what is counted, in the plural.
  void update(std::size_t done, std::size_t total, const std::string& unit, const std::string& what);

 private:
  using Clock = std::chrono::steady_clock;
  bool enabled_;
  bool shown_ = false;
  std::string phase_;
  std::size_t first_done_ = 0;  ///< when the phase was first heard of
  Clock::time_point phase_start_;
  Clock::time_point last_update_;
};

}  // namespace guardbit::sim::cli
