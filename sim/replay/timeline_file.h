#pragma once
/// A replay's timeline as a file for ui.perfetto.dev and chrome://tracing (Trace Event Format, JSON): one process per
/// variant, one thread per unit, ops as slices that hold their commands and stalls, events as counters. One microsecond
/// of the file is one cycle. The file appears whole or not at all. docs/report.md describes every part.
/// Test: tests/system/timeline_test.cpp.
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "models/numerics/events.h"
#include "sim/base/atomic_file.h"
#include "sim/modules/timeline_recorder.h"
#include "sim/stats/result.h"

namespace guardbit::sim {

struct TimelineOptions {
  std::filesystem::path file;
  std::uint64_t limit = 200'000;  ///< slices of commands and stalls in the file, shared evenly by the variants
};

/// Slices that are not in the file.
struct TimelineLeftOut {
  std::string variant;
  std::uint64_t runs = 0;         ///< without any slice
  std::uint64_t slices = 0;       ///< of these runs, and of the one that was cut
  std::uint64_t whole_until = 0;  ///< the cycle of the variant from which slices are missing
};

class TimelineFile {
 public:
  /// UserError kCannotCreate if the file cannot be created.
  TimelineFile(const TimelineOptions& options, std::size_t num_variants);

  TimelineRecorder& recorder() { return recorder_; }
  /// Runs of this variant follow, one after the other from its cycle 0.
  void begin_variant(const std::string& name, std::vector<std::string> op_names);
  /// Before a run of the machine; `what` it is: "window 3", "window 3, decode".
  void begin_run(std::string what);
  /// After it. `ledgers`: events of each op so far, over all runs of the variant; they are counted where the op ends.
  void end_run(const CycleReport& report, std::span<const numerics::EventLedger> ledgers);
  /// Puts the file into place and says what it does not hold; UserError kIo.
  std::vector<TimelineLeftOut> finish(double clock_mhz);

 private:
  void write(const std::string& event);
  std::size_t thread_id(int thread) const;  ///< of a thread of the variant that is written
  void write_metadata(const std::string& name, int thread, const std::string& value);
  void write_run(std::uint64_t cycles, bool is_cut);
  void write_unit(std::vector<TimelineSlice> slices);
  void write_slice(const TimelineSlice& slice);
  void write_counters(const CycleReport& report, std::span<const numerics::EventLedger> ledgers);
  const std::string& op_name(std::uint32_t op) const;

  AtomicFile file_;
  const std::uint64_t share_;  ///< slices of one variant
  TimelineRecorder recorder_;
  std::vector<TimelineLeftOut> left_out_;  ///< one by variant; the last is the present one's
  std::vector<std::string> op_names_;
  std::vector<numerics::EventCounts> counted_;  ///< by op
  numerics::EventCounts total_;
  std::string run_;
  std::uint64_t num_written_ = 0;  ///< slices of this variant
  std::uint64_t run_start_ = 0;    ///< cycle of the variant
  bool is_full_ = false;           ///< a run of this variant was cut or left out
  bool is_first_event_ = true;
};

}  // namespace guardbit::sim
