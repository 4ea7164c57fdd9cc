#pragma once
/// What the units did in a run, slice by slice, for timelines. Recording changes neither cycles nor values.
///
/// A busy slice is a command: of a compute unit from its start to its end; of a DMA engine, whose transfers overlap,
/// the part in which the transfer is the oldest in flight. The slices of a unit therefore do not overlap, and their
/// lengths sum to its account (CycleReport::units) by state. They arrive in the order of their ends. Test:
/// tests/system/timeline_test.cpp.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sim/modules/command.h"
#include "sim/stats/result.h"

namespace guardbit::sim {

struct TimelineSlice {
  UnitKind unit = UnitKind::kLoad;
  std::uint32_t op = 0;
  std::uint64_t begin = 0;  ///< cycles of the run
  std::uint64_t end = 0;
  UnitState state = UnitState::kBusy;  ///< never idle
  Purpose purpose = Purpose::kOther;   ///< busy: of the command, as the next
  Work work;
  StallReason reason;  ///< stalled
};

class TimelineRecorder {
 public:
  /// Forgets everything; keeps at most `limit` slices from now on and counts the others.
  void restart(std::size_t limit) {
    slices_.clear();
    num_left_out_ = 0;
    limit_ = limit;
  }
  void add_busy(const Command& command, std::uint64_t begin, std::uint64_t end);
  /// Continues the last slice if that is the same stall up to `begin`.
  void add_stall(const StallReason& reason, std::uint64_t begin, std::uint64_t end);

  const std::vector<TimelineSlice>& slices() const { return slices_; }
  /// Slices behind the limit, parts of one stall counted one by one.
  std::uint64_t num_left_out() const { return num_left_out_; }

 private:
  void add(TimelineSlice slice);

  std::vector<TimelineSlice> slices_;
  std::size_t limit_ = 0;
  std::uint64_t num_left_out_ = 0;
};

}  // namespace guardbit::sim
