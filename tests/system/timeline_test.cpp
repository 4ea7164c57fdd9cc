// Timelines as Perfetto reads them: slices nest, and what a unit is busy and stalled is what the report says.
#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "tests/support/run_guardbit.h"

namespace guardbit::tests {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

constexpr std::array<std::string_view, 6> kUnits = {"load", "matrix", "norm", "vector", "rotate", "store"};

struct Slice {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string category;
  std::string name;
  std::string op;
};
using Track = std::pair<int, int>;  ///< process; 0 of the run, 1 to 6 of the units
constexpr int kIdsPerProcess = 10;

struct Timeline {
  Json file;
  Json result;
  std::string err;
  std::map<Track, std::vector<Slice>> tracks;  ///< in file order
  std::map<int, Json> last_counter;            ///< by process
};

/// A replay with a timeline of `options`.
Timeline timeline_of(const std::string& options) {
  const TemporaryDirectory directory;
  const std::string file = (directory / "t.json").string();
  const CommandResult run = run_guardbit("replay " + included_trace() + " -a " + shipped_accelerator("edge") +
                                         " --format json --timeline " + file + " " + options);
  EXPECT_EQ(run.status, 0) << run.err;
  Timeline timeline;
  timeline.file = Json::parse(content_of(file));
  timeline.result = Json::parse(run.out);
  timeline.err = run.err;
  for (const Json& event : timeline.file.at("traceEvents")) {
    const int process = event.at("pid");
    if (event.at("ph") == "C") timeline.last_counter[process] = event;
    if (event.at("ph") != "X") continue;
    const std::uint64_t begin = event.at("ts");
    const std::uint64_t length = event.at("dur");
    EXPECT_GT(length, 0u) << event;
    timeline.tracks[{process, event.at("tid").get<int>() - kIdsPerProcess * process}].push_back(
        {begin, begin + length, event.at("cat"), event.at("name"),
         event.contains("args") ? std::string(event.at("args").at("op")) : std::string(event.at("name"))});
  }
  return timeline;
}

/// Slices of a track lie inside or outside of each other, commands and stalls inside of the slice of their op.
void expect_nested(const Track& track, const std::vector<Slice>& slices) {
  std::vector<Slice> open;
  for (const Slice& slice : slices) {
    while (!open.empty() && open.back().end <= slice.begin) open.pop_back();
    if (!open.empty()) {
      ASSERT_LE(open.back().begin, slice.begin) << track.first << " " << track.second;
      ASSERT_LE(slice.end, open.back().end) << track.first << " " << track.second << " at " << slice.begin;
    }
    const bool is_leaf = slice.category != "op" && slice.category != "run";
    ASSERT_EQ(open.size(), is_leaf ? 1u : 0u) << slice.name << " at " << slice.begin;
    if (is_leaf) {
      ASSERT_EQ(open.back().op, slice.op) << "at " << slice.begin;
    }
    open.push_back(slice);
  }
}

std::uint64_t cycles_in(const std::vector<Slice>& slices, std::string_view category) {
  std::uint64_t cycles = 0;
  for (const Slice& slice : slices) cycles += slice.category == category ? slice.end - slice.begin : 0;
  return cycles;
}

void expect_cycle_report(const Timeline& timeline) {
  int process = 0;
  for (const Json& variant : timeline.result.at("variants")) {
    ++process;
    EXPECT_EQ(cycles_in(timeline.tracks.at({process, 0}), "run"), variant.at("cycles"));
    for (std::size_t unit = 0; unit < kUnits.size(); ++unit) {
      const Json& account = variant.at("units").at(kUnits[unit]);
      const Track track{process, static_cast<int>(unit) + 1};
      const auto found = timeline.tracks.find(track);
      const std::vector<Slice> slices = found == timeline.tracks.end() ? std::vector<Slice>{} : found->second;
      expect_nested(track, slices);
      for (const char* state : {"busy", "input_stall", "output_stall", "token_wait"}) {
        EXPECT_EQ(cycles_in(slices, state), account.at(state))
            << variant.at("name") << " " << kUnits[unit] << " " << state;
      }
    }
  }
}

TEST(TimelineTest, SlicesNestAndSumToTheCycleReport) {
  const std::string options = "--no-values --windows 2 --variants none,rrs --timeline-limit 10000000 -q ";
  const Timeline timeline = timeline_of(options);
  EXPECT_EQ(timeline.file.at("otherData").at("left_out"), Json::array());
  EXPECT_EQ(timeline.file.at("otherData").at("time_unit"), "1 us is 1 cycle");
  EXPECT_EQ(timeline.tracks.at({1, 0}).size(), 2u);
  expect_cycle_report(timeline);
  expect_cycle_report(timeline_of(options + "--stall-seed 5 --set dma.channels=3"));
  expect_cycle_report(timeline_of("--no-values --windows 1 --decode 3 --variants none -q"));
}

TEST(TimelineTest, EveryTrackHasItsNameAndItsPlace) {
  const Timeline timeline = timeline_of("--no-values --windows 1 --variants none,rrs -q");
  std::map<std::pair<int, int>, std::map<std::string, Json>> tracks;
  for (const Json& event : timeline.file.at("traceEvents")) {
    if (event.at("ph") != "M") continue;
    for (const auto& [key, value] : event.at("args").items()) {
      tracks[{event.at("pid"), event.at("tid")}][event.at("name")] = value;
    }
  }
  ASSERT_EQ(tracks.size(), 2 * (kUnits.size() + 1)) << "no two tracks share a number";
  for (const int process : {1, 2}) {
    const int first = kIdsPerProcess * process;
    EXPECT_EQ(tracks.at({process, first}).at("process_name"), process == 1 ? "none" : "rrs");
    EXPECT_EQ(tracks.at({process, first}).at("process_sort_index"), process);
    EXPECT_EQ(tracks.at({process, first}).at("thread_name"), "run");
    EXPECT_EQ(tracks.at({process, first}).at("thread_sort_index"), 0);
    for (std::size_t unit = 0; unit < kUnits.size(); ++unit) {
      const int place = static_cast<int>(unit) + 1;
      EXPECT_EQ(tracks.at({process, first + place}).at("thread_name"), kUnits[unit]);
      EXPECT_EQ(tracks.at({process, first + place}).at("thread_sort_index"), place);
    }
  }
}

TEST(TimelineTest, RecordingChangesNothing) {
  const std::string options = "--no-values --windows 1 --variants none,rrs -q ";
  Json with = timeline_of(options).result;
  Json without = Json::parse(
      run_guardbit("replay " + included_trace() + " -a " + shipped_accelerator("edge") + " --format json " + options)
          .out);
  EXPECT_EQ(with, without);
}

TEST(TimelineTest, CountersEndAtTheReportsEvents) {
  const Timeline timeline = timeline_of("--windows 1 --variants none,slanc -q");
  for (int process = 1; process <= 2; ++process) {
    EXPECT_EQ(timeline.last_counter.at(process).at("args"),
              timeline.result.at("variants").at(static_cast<std::size_t>(process - 1)).at("events"));
  }
}

TEST(TimelineTest, WhatTheLimitLeavesOutIsSaid) {
  const Timeline whole = timeline_of("--no-values --windows 2 --variants none --timeline-limit 10000000 -q");
  std::size_t num_leaves = 0;
  std::size_t first_run = 0;
  const std::uint64_t second_start = whole.tracks.at({1, 0}).at(1).begin;
  for (const auto& [track, slices] : whole.tracks) {
    for (const Slice& slice : slices) {
      if (slice.category == "op" || slice.category == "run") continue;
      ++num_leaves;
      if (slice.begin < second_start) ++first_run;
    }
  }
  // One slice less than all: the second window is left out as a whole.
  const Timeline one =
      timeline_of("--no-values --windows 2 --variants none --timeline-limit " + std::to_string(num_leaves - 1));
  EXPECT_EQ(one.tracks.at({1, 0}).size(), 1u);
  const Json left_out = one.file.at("otherData").at("left_out").at(0);
  EXPECT_EQ(
      left_out,
      Json(
          {{"variant", "none"}, {"runs", 1}, {"slices", num_leaves - first_run}, {"whole_until_cycle", second_start}}));
  EXPECT_THAT(one.err, HasSubstr("none: left out " + std::to_string(num_leaves - first_run) + " slices"));

  // Too few for a window: the first is cut, all units at the same cycle, and says so.
  const Timeline cut = timeline_of("--no-values --windows 2 --variants none,rrs --timeline-limit 200 -q");
  for (int process = 1; process <= 2; ++process) {
    ASSERT_EQ(cut.tracks.at({process, 0}).size(), 1u);
    const Slice& run = cut.tracks.at({process, 0}).at(0);
    EXPECT_EQ(run.name, "window 0, tokens 0 to 255, cut");
    const Json& missing = cut.file.at("otherData").at("left_out").at(static_cast<std::size_t>(process - 1));
    EXPECT_EQ(missing.at("whole_until_cycle"), run.end);
    EXPECT_EQ(missing.at("runs"), 1);
    std::size_t kept = 0;
    for (int unit = 1; unit <= 6; ++unit) {
      const auto found = cut.tracks.find({process, unit});
      if (found == cut.tracks.end()) continue;
      for (const Slice& slice : found->second) {
        EXPECT_LE(slice.end, run.end);
        kept += slice.category == "op" ? 0 : 1;
      }
    }
    EXPECT_EQ(kept, 100u);
  }

  // Not even a slice for each variant: nothing of it is there, and nothing is called whole.
  const Timeline empty = timeline_of("--no-values --windows 1 --variants none,rrs --timeline-limit 1 -q");
  EXPECT_TRUE(empty.tracks.empty());
  for (const Json& missing : empty.file.at("otherData").at("left_out")) {
    EXPECT_EQ(missing.at("whole_until_cycle"), 0);
    EXPECT_EQ(missing.at("runs"), 1);
  }
}

TEST(TimelineTest, WhatCannotBeWrittenIsOneClearError) {
  const std::string replay = "replay " + included_trace() + " -a " + shipped_accelerator("edge") + " --no-values ";
  EXPECT_EQ(run_guardbit(replay + "--timeline /no/such/folder/t.json").status, 73);
  EXPECT_EQ(run_guardbit(replay + "--timeline-limit 5").status, 2);
  EXPECT_EQ(run_guardbit(replay + "--timeline t.json --timeline-limit 0").status, 2);
}

}  // namespace
}  // namespace guardbit::tests
