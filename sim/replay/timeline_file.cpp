#include "sim/replay/timeline_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace guardbit::sim {
namespace {

constexpr int kRunThread = 0;
int thread_of(UnitKind unit) { return static_cast<int>(unit) + 1; }

/// The text as JSON.
std::string json_text(std::string_view text) {
  std::string json = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') json += '\\';
    if (static_cast<unsigned char>(character) < ' ') {
      json += fmt::format("\\u{:04x}", static_cast<unsigned>(character));
    } else {
      json += character;
    }
  }
  return json + "\"";
}

/// A colour of chrome://tracing's palette; Perfetto colours by name, which is the same for the same reason.
std::string_view color_of(UnitState state) {
  switch (state) {
    case UnitState::kIdle: return "grey";
    case UnitState::kBusy: return "thread_state_running";
    case UnitState::kInputStall: return "thread_state_iowait";
    case UnitState::kTokenWait: return "thread_state_runnable";
    case UnitState::kOutputStall: return "terrible";
  }
  return "";  // unreachable: the switch is exhaustive (-Wswitch-enum)
}

std::string_view name_of(UnitState state) { return kUnitStateNames[static_cast<std::size_t>(state)]; }
std::string_view name_of(UnitKind unit) { return kUnitNames[static_cast<std::size_t>(unit)]; }
std::string_view name_of(Purpose purpose) { return kPurposeNames[static_cast<std::size_t>(purpose)]; }

struct ShapeOf {
  std::string operator()(const DmaWork& work) const { return fmt::format(",\"bytes\":{}", work.bytes); }
  std::string operator()(const MatrixWork& work) const {
    return fmt::format(",\"m\":{},\"n\":{},\"k\":{}", work.m, work.n, work.k);
  }
  std::string operator()(const NormWork& work) const { return fmt::format(",\"rows\":{}", work.rows); }
  std::string operator()(const VectorWork& work) const { return fmt::format(",\"elements\":{}", work.elements); }
  std::string operator()(const RotateWork& work) const {
    return fmt::format(",\"rows\":{},\"width\":{},\"size\":{}", work.rows, work.width, work.size);
  }
};

}  // namespace

TimelineFile::TimelineFile(const TimelineOptions& options, std::size_t num_variants)
    : file_(options.file), share_(options.limit / std::max<std::size_t>(1, num_variants)) {
  file_.write("{\"traceEvents\":[");
}

void TimelineFile::write(const std::string& event) {
  file_.write(is_first_event_ ? "\n" : ",\n");
  file_.write(event);
  is_first_event_ = false;
}

/// No two threads of the file share a number, none is 0 and none is its process's: Perfetto takes 0 for an idle thread,
/// and a thread with the number of its process for a main thread, which it shows first.
std::size_t TimelineFile::thread_id(int thread) const {
  constexpr std::size_t kIdsPerProcess = 10;
  static_assert(kNumUnits < kIdsPerProcess);
  return kIdsPerProcess * left_out_.size() + static_cast<std::size_t>(thread);
}

void TimelineFile::write_metadata(const std::string& name, int thread, const std::string& value) {
  write(fmt::format("{{\"ph\":\"M\",\"name\":\"{}\",\"pid\":{},\"tid\":{},\"args\":{{{}}}}}", name, left_out_.size(),
                    thread_id(thread), value));
}

void TimelineFile::begin_variant(const std::string& name, std::vector<std::string> op_names) {
  left_out_.push_back({.variant = name});
  counted_.assign(op_names.size(), {});
  op_names_ = std::move(op_names);
  total_ = {};
  num_written_ = run_start_ = 0;
  is_full_ = false;
  write_metadata("process_name", kRunThread, "\"name\":" + json_text(name));
  write_metadata("process_sort_index", kRunThread, fmt::format("\"sort_index\":{}", left_out_.size()));
  write_metadata("thread_name", kRunThread, "\"name\":\"run\"");
  write_metadata("thread_sort_index", kRunThread, "\"sort_index\":0");
  for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
    const int thread = thread_of(static_cast<UnitKind>(unit));
    write_metadata("thread_name", thread, "\"name\":" + json_text(kUnitNames[unit]));
    write_metadata("thread_sort_index", thread, fmt::format("\"sort_index\":{}", thread));
  }
}

void TimelineFile::begin_run(std::string what) {
  run_ = std::move(what);
  recorder_.restart(is_full_ ? 0 : share_ - num_written_);
}

void TimelineFile::end_run(const CycleReport& report, std::span<const numerics::EventLedger> ledgers) {
  TimelineLeftOut& left_out = left_out_.back();
  const bool is_cut = recorder_.num_left_out() != 0;
  // A run is in the file as a whole; only the first one of a variant, without which there would be none, is cut.
  const bool is_written = !is_full_ && (!is_cut || (run_start_ == 0 && !recorder_.slices().empty()));
  if (is_cut) left_out.slices += recorder_.num_left_out();
  if (!is_written) {
    ++left_out.runs;
    left_out.slices += recorder_.slices().size();
  } else {
    std::array<std::vector<TimelineSlice>, kNumUnits> units;
    for (const TimelineSlice& slice : recorder_.slices()) units[static_cast<std::size_t>(slice.unit)].push_back(slice);
    const std::uint64_t end = is_cut ? recorder_.slices().back().end : report.total;
    write_run(end, is_cut);
    for (std::vector<TimelineSlice>& slices : units) write_unit(std::move(slices));
    num_written_ += recorder_.slices().size();
    if (!is_full_) left_out.whole_until = run_start_ + end;
    if (!is_cut) write_counters(report, ledgers);
  }
  is_full_ = is_full_ || is_cut;
  run_start_ += report.total;
}

void TimelineFile::write_run(std::uint64_t cycles, bool is_cut) {
  write(fmt::format("{{\"ph\":\"X\",\"cat\":\"run\",\"name\":{},\"pid\":{},\"tid\":{},\"ts\":{},\"dur\":{}}}",
                    json_text(run_ + (is_cut ? ", cut" : "")), left_out_.size(), thread_id(kRunThread), run_start_,
                    cycles));
}

const std::string& TimelineFile::op_name(std::uint32_t op) const { return op_names_.at(op); }

/// Slices of one unit in order, and around consecutive ones of the same op a slice of that op.
void TimelineFile::write_unit(std::vector<TimelineSlice> slices) {
  std::stable_sort(slices.begin(), slices.end(),
                   [](const TimelineSlice& a, const TimelineSlice& b) { return a.begin < b.begin; });
  for (std::size_t first = 0; first < slices.size();) {
    std::size_t behind = first + 1;
    while (behind < slices.size() && slices[behind].op == slices[first].op) ++behind;
    write(fmt::format("{{\"ph\":\"X\",\"cat\":\"op\",\"name\":{},\"pid\":{},\"tid\":{},\"ts\":{},\"dur\":{}}}",
                      json_text(op_name(slices[first].op)), left_out_.size(), thread_id(thread_of(slices[first].unit)),
                      run_start_ + slices[first].begin, slices[behind - 1].end - slices[first].begin));
    for (; first < behind; ++first) write_slice(slices[first]);
  }
}

void TimelineFile::write_slice(const TimelineSlice& slice) {
  std::string name(name_of(slice.purpose));
  std::string arguments = fmt::format("\"op\":{}", json_text(op_name(slice.op)));
  if (slice.state == UnitState::kBusy) {
    arguments += std::visit(ShapeOf{}, slice.work);
  } else {
    const StallReason& reason = slice.reason;
    const std::string_view cause = kStallCauseNames[static_cast<std::size_t>(reason.cause)];
    const bool is_token = reason.cause == StallReason::Cause::kToken;
    name = fmt::format("{}: {}", name_of(slice.state), is_token ? name_of(reason.what) : cause);
    arguments += fmt::format(",\"cause\":\"{}\"", cause);
    if (is_token) {
      arguments += fmt::format(",\"producer\":\"{}\",\"producer_op\":{},\"what\":\"{}\"", name_of(reason.producer),
                               json_text(op_name(reason.producer_op)), name_of(reason.what));
    }
  }
  write(
      fmt::format("{{\"ph\":\"X\",\"cat\":\"{}\",\"name\":{},\"cname\":\"{}\",\"pid\":{},\"tid\":{},\"ts\":{},"
                  "\"dur\":{},\"args\":{{{}}}}}",
                  name_of(slice.state), json_text(name), color_of(slice.state), left_out_.size(),
                  thread_id(thread_of(slice.unit)), run_start_ + slice.begin, slice.end - slice.begin, arguments));
}

/// Where an op ends, its events are added to the variant's; in the order of these ends.
void TimelineFile::write_counters(const CycleReport& report, std::span<const numerics::EventLedger> ledgers) {
  std::vector<std::size_t> order;
  for (std::size_t op = 0; op < ledgers.size(); ++op) order.push_back(op);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return report.ops[a].end < report.ops[b].end; });
  for (const std::size_t op : order) {
    const numerics::EventCounts now = ledgers[op].total();
    if (now == counted_[op]) continue;
    std::string values;
    for (std::size_t event = 0; event < numerics::kNumEvents; ++event) {
      total_.counts[event] += now.counts[event] - counted_[op].counts[event];
      values += fmt::format("{}\"{}\":{}", event == 0 ? "" : ",", numerics::kEventNames[event], total_.counts[event]);
    }
    counted_[op] = now;
    write(fmt::format("{{\"ph\":\"C\",\"name\":\"events\",\"pid\":{},\"ts\":{},\"args\":{{{}}}}}", left_out_.size(),
                      run_start_ + report.ops[op].end, values));
  }
}

std::vector<TimelineLeftOut> TimelineFile::finish(double clock_mhz) {
  std::string missing;
  std::vector<TimelineLeftOut> result;
  for (const TimelineLeftOut& variant : left_out_) {
    if (variant.slices == 0) continue;
    missing += fmt::format("{}{{\"variant\":{},\"runs\":{},\"slices\":{},\"whole_until_cycle\":{}}}",
                           missing.empty() ? "" : ",", json_text(variant.variant), variant.runs, variant.slices,
                           variant.whole_until);
    result.push_back(variant);
  }
  file_.write(
      fmt::format("\n],\n\"displayTimeUnit\":\"ms\",\n\"otherData\":{{\"time_unit\":\"1 us is 1 cycle\","
                  "\"clock_mhz\":{:.6g},\"left_out\":[{}]}}}}\n",
                  clock_mhz, missing));
  file_.commit();
  return result;
}

}  // namespace guardbit::sim
