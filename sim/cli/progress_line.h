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

  /// `unit`: what is counted, in the plural.
  void update(std::size_t done, std::size_t total, const std::string& unit, const std::string& what);

 private:
  bool enabled_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point last_update_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace guardbit::sim::cli
