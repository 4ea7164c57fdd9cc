#pragma once
/// What long work says on stderr while it goes on: a line that is drawn over, where stderr is a terminal, and with
/// --verbose a line for every phase that is done, wherever stderr goes.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>

#include "models/numerics/matrix.h"

namespace guardbit::sim::cli {

/// How much a verb says beside its result.
struct Talk {
  bool quiet = false;    ///< no progress, no remarks; errors and failed gates are said
  bool verbose = false;  ///< phases with their times, and what the whole took
};

/// --quiet and --verbose; each takes the other's place.
void add_talk(CLI::App& verb, Talk& talk);

class ProgressLine {
 public:
  explicit ProgressLine(const Talk& talk);
  /// Takes the line away; verbose: says the time, the CPU time and the peak of memory of the process.
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// A bar, `done` of `total`, the rate and the remaining time, of the phase `what`: another phase starts its own
  /// clock. total > 0. `unit`: what is counted, in the plural. Any thread may call it; `done` never shrinks in a phase.
  void update(std::size_t done, std::size_t total, const std::string& unit, const std::string& what);

  /// `loops`, each of which is a phase that counts its indices. Must not outlive this object.
  numerics::ParallelFor counted(numerics::ParallelFor loops, const std::string& unit, const std::string& what);

 private:
  using Clock = std::chrono::steady_clock;
  void start_phase(std::size_t done, const std::string& what, Clock::time_point now);
  void end_phase();
  void draw(std::size_t total, Clock::time_point now);

  std::mutex mutex_;
  bool drawn_over_;
  bool verbose_;
  bool shown_ = false;
  std::string phase_;
  std::string unit_;
  std::size_t first_done_ = 0;  ///< when the phase was first heard of
  std::size_t done_ = 0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point phase_start_;
  Clock::time_point last_draw_;
};

}  // namespace guardbit::sim::cli
