#include "sim/modules/timeline_recorder.h"

#include <utility>

namespace guardbit::sim {

void TimelineRecorder::add(TimelineSlice slice) {
  if (slices_.size() < limit_) {
    slices_.push_back(std::move(slice));
  } else {
    ++num_left_out_;
  }
}

void TimelineRecorder::add_busy(const Command& command, std::uint64_t begin, std::uint64_t end) {
  if (begin == end) return;
  add({.unit = command.unit,
       .op = command.op_index,
       .begin = begin,
       .end = end,
       .state = UnitState::kBusy,
       .purpose = command.purpose,
       .work = command.work,
       .reason = {}});
}

void TimelineRecorder::add_stall(const StallReason& reason, std::uint64_t begin, std::uint64_t end) {
  if (!slices_.empty() && num_left_out_ == 0) {
    TimelineSlice& last = slices_.back();
    if (last.unit == reason.unit && last.state == reason.state && last.reason == reason && last.end == begin) {
      last.end = end;
      return;
    }
  }
  add({.unit = reason.unit,
       .op = reason.op,
       .begin = begin,
       .end = end,
       .state = reason.state,
       .purpose = Purpose::kOther,
       .work = {},
       .reason = reason});
}

}  // namespace guardbit::sim
