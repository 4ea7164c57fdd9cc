// Waveforms say what the cycle account says, inside the window only, and recording changes nothing. One process per
// test (SystemC).
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>

#include "sim/base/error.h"
#include "sim/modules/accelerator.h"
#include "sim/modules/wave_recorder.h"
#include "tests/support/command_program.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/vcd_reader.h"

namespace guardbit::sim {
namespace {

using tests::random_program;
using tests::Vcd;
using tests::VcdSignal;

constexpr std::uint64_t kCycle = 1000;  // of the file's picoseconds

units::AcceleratorConfig small_config() {
  units::AcceleratorConfig config;
  config.array.rows = config.array.cols = 8;
  config.dma.burst_bytes = 128;
  config.scratchpad.bytes = 40000;
  config.accumulator_buffer.bytes = 3000;
  config.dram = {.bandwidth_bytes_per_cycle = 8, .latency_cycles = 40, .row_bytes = 1024, .row_miss_cycles = 12};
  return config;
}

std::vector<Command> program_of(std::uint64_t seed) {
  return random_program(seed, {.scratchpad_bytes = 40000, .accumulator_bytes = 3000});
}

Vcd read(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return tests::read_vcd(text.str());
}

const VcdSignal& signal(const Vcd& vcd, const std::string& name) {
  const auto found = std::find_if(vcd.signals.begin(), vcd.signals.end(),
                                  [&](const auto& entry) { return entry.first.ends_with(name); });
  if (found == vcd.signals.end()) throw std::runtime_error("no signal " + name);
  return found->second;
}

/// Cycles that a signal has each value, up to `end`.
std::map<std::uint64_t, std::uint64_t> cycles_by_value(const VcdSignal& signal, std::uint64_t end_cycle) {
  std::map<std::uint64_t, std::uint64_t> cycles;
  for (std::size_t i = 0; i < signal.changes.size(); ++i) {
    const std::uint64_t until = i + 1 < signal.changes.size() ? signal.changes[i + 1].first : end_cycle * kCycle;
    cycles[signal.changes[i].second] += (until - signal.changes[i].first) / kCycle;
  }
  return cycles;
}

std::uint64_t largest(const VcdSignal& signal) {
  std::uint64_t value = 0;
  for (const auto& change : signal.changes) value = std::max(value, change.second);
  return value;
}

TEST(WaveTest, StatesAddUpToTheCycleAccount) {
  const tests::TemporaryDirectory directory;
  for (const std::optional<std::uint64_t> stall_seed :
       {std::optional<std::uint64_t>{}, std::optional<std::uint64_t>{7}}) {
    // One elaboration a process: both machines exist before either runs.
    static Accelerator plain("plain", small_config());
    static Accelerator noisy("noisy", small_config(), {.stall_seed = 7});
    static WaveRecorder plain_recorder({.file = directory / "plain.vcd"});
    static WaveRecorder noisy_recorder({.file = directory / "noisy.vcd"});
    if (!stall_seed) {
      plain.record(plain_recorder);
      noisy.record(noisy_recorder);
    }
    Accelerator& machine = stall_seed ? noisy : plain;
    const auto start = static_cast<std::uint64_t>(sc_core::sc_time_stamp().value() / kCycle);
    const CycleReport report = machine.run(program_of(3), 5);
    if (!stall_seed) continue;  // both recorders run through both programs; look at the noisy one
    plain_recorder.finish();
    noisy_recorder.finish();
    const Vcd vcd = read(directory / "noisy.vcd");
    EXPECT_EQ(vcd.timescale, "1 ps ");
    for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
      const std::string name = "noisy." + std::string(kUnitNames[unit]);
      auto cycles = cycles_by_value(signal(vcd, name + ".state"), start + report.total);
      const UnitCycles& account = report.units[unit];
      EXPECT_EQ(cycles[0], account.idle + start) << name;  // it idled while the other machine ran
      EXPECT_EQ(cycles[1], account.busy) << name;
      EXPECT_EQ(cycles[2], account.input_stall) << name;
      EXPECT_EQ(cycles[3], account.token_wait) << name;
      EXPECT_EQ(cycles[4], account.output_stall) << name;
      EXPECT_EQ(largest(signal(vcd, name + ".queue")), static_cast<std::uint64_t>(small_config().sequencer.queue_depth))
          << name;
      EXPECT_EQ(signal(vcd, name + ".queue").changes.back().second, 0u) << name;
    }
    EXPECT_EQ(largest(signal(vcd, "noisy.scratchpad.used_bytes")), report.scratchpad_peak_bytes);
    EXPECT_EQ(largest(signal(vcd, "noisy.accumulators.used_bytes")), report.accumulator_peak_bytes);
    EXPECT_EQ(signal(vcd, "noisy.tokens.available").changes.back().second, 200u);
    EXPECT_EQ(signal(vcd, "noisy.sequencer.issued").changes.back().second, 200u);
  }
}

TEST(WaveTest, BurstsAreInFlightExactlyWhileAnEngineIsBusy) {
  const tests::TemporaryDirectory directory;
  Accelerator machine("machine", small_config());
  WaveRecorder recorder({.file = directory / "wave.vcd"});
  machine.record(recorder);
  // 128 bytes of a closed row: 12 + 16 + 40 = 68 cycles for the first burst, 16 for each of three more.
  const CycleReport report = machine.run({tests::load(0, 512, 0), tests::vector_cycles_command(100, 1, {0})}, 1);
  recorder.finish();
  const Vcd vcd = read(directory / "wave.vcd");
  const VcdSignal& bursts = signal(vcd, "load.bursts");
  EXPECT_EQ(report.units[0].busy, 68u + 3 * 16);
  EXPECT_EQ(bursts.at(1 * kCycle), 4u);
  EXPECT_EQ(bursts.at(68 * kCycle - 1), 4u);
  EXPECT_EQ(bursts.at(68 * kCycle), 3u);
  EXPECT_EQ(bursts.at(116 * kCycle - 1), 1u);
  EXPECT_EQ(bursts.at(116 * kCycle), 0u);
  EXPECT_EQ(signal(vcd, "vector.state").at(115 * kCycle), 2u);
  EXPECT_EQ(signal(vcd, "vector.state").at(116 * kCycle), 1u);
  EXPECT_EQ(signal(vcd, "vector.op").at(116 * kCycle), 0u);
  EXPECT_EQ(signal(vcd, "vector.op").at(216 * kCycle), 0xFFFFFFFFu);
}

TEST(WaveTest, AWindowHoldsWhatTheWholeHoldsThere) {
  const tests::TemporaryDirectory directory;
  constexpr std::uint64_t kFrom = 500;
  constexpr std::uint64_t kTo = 6100;
  Accelerator machine("machine", small_config());
  Accelerator quiet("quiet", small_config());
  WaveRecorder whole({.file = directory / "whole.vcd"});
  WaveRecorder part({.file = directory / "part.vcd", .from_cycle = kFrom, .to_cycle = kTo, .select = "*.[lm]*.*"});
  machine.record(whole);
  machine.record(part);
  const CycleReport report = machine.run(program_of(8), 5);
  EXPECT_EQ(quiet.run(program_of(8), 5).total, report.total) << "recording costs cycles";
  ASSERT_GT(report.total, kTo);
  part.finish();
  whole.finish();
  const Vcd all = read(directory / "whole.vcd");
  const Vcd cut = read(directory / "part.vcd");
  EXPECT_EQ(cut.first_time, kFrom * kCycle);
  EXPECT_EQ(cut.last_time, kTo * kCycle);
  EXPECT_EQ(cut.signals.size(), 7u) << "load: state, op, queue, bursts; matrix: state, op, queue";
  std::size_t num_changes = 0;
  for (const auto& [name, cut_signal] : cut.signals) {
    const VcdSignal& same = all.signals.at(name);
    num_changes += cut_signal.changes.size();
    for (std::uint64_t time = kFrom * kCycle; time < kTo * kCycle; time += kCycle / 2) {
      ASSERT_EQ(cut_signal.at(time), same.at(time)) << name << " at " << time;
    }
    EXPECT_LT(cut_signal.changes.back().first, kTo * kCycle);
  }
  EXPECT_GT(num_changes, 30u) << "nothing happens in the window: the test tests nothing";
}

template <class Action>
std::string usage_error(const Action& action, ExitCode code = ExitCode::kUsage) {
  try {
    action();
  } catch (const UserError& error) {
    EXPECT_EQ(error.code(), code);
    return error.what();
  }
  return "no error";
}

TEST(WaveTest, WhatCannotBeRecordedIsOneClearError) {
  const tests::TemporaryDirectory directory;
  WaveOptions options{.file = directory / "wave.vcd"};
  for (const char* window : {"", "5", ":x", "3:3", "9:3", "1:2:3", "-1:4", "18446744073709551616:"}) {
    EXPECT_THAT(usage_error([&] { parse_wave_window(window, options); }), testing::HasSubstr("expected from:to"))
        << window;
  }
  parse_wave_window(":70", options);
  EXPECT_EQ(options.from_cycle, 0u);
  EXPECT_EQ(options.to_cycle, 70u);
  parse_wave_window("12:", options);
  EXPECT_EQ(options.from_cycle, 12u);

  EXPECT_NE(usage_error([&] { WaveRecorder recorder({.file = directory / "none/wave.vcd"}); }, ExitCode::kCannotCreate),
            "no error");
  setenv("TMPDIR", (directory / "none").c_str(), 1);
  EXPECT_THAT(usage_error([&] { WaveRecorder recorder({.file = directory / "wave.vcd"}); }, ExitCode::kCannotCreate),
              testing::HasSubstr("TMPDIR"));
  unsetenv("TMPDIR");
  Accelerator machine("machine", small_config());
  options.select = "*.matrx.*";
  WaveRecorder recorder(options);
  EXPECT_THAT(usage_error([&] { machine.record(recorder); }),
              testing::AllOf(testing::HasSubstr("*.matrx.*"), testing::HasSubstr("machine.matrix.state")));
  EXPECT_FALSE(std::filesystem::exists(directory / "wave.vcd"));
}

TEST(VcdWindowTest, CutsTextThatArrivesInAnyPieces) {
  const std::string text =
      "$date\n  today\n$end\n$timescale\n 1 ps\n$end\n$var wire 1 a x $end\n$enddefinitions  "
      "$end\n$comment\nall\n$end\n$dumpvars\n0a\nb1 b\n"
      "$end\n#5\n1a\n#10\nb10 b\n#20\n0a\nb11 b\n#30\n1a\n";
  const std::string declarations =
      text.substr(text.find("$timescale"), text.find("$comment") - text.find("$timescale"));
  const auto cut = [&](std::uint64_t from, std::uint64_t to, std::size_t piece) {
    std::string result;
    VcdWindow window(from, to, [&result](std::string_view part) { result += part; });
    for (std::size_t at = 0; at < text.size(); at += piece) window.feed(std::string_view(text).substr(at, piece));
    window.finish();
    return result;
  };
  for (const std::size_t piece : {1u, 3u, 1000u}) {
    EXPECT_EQ(cut(7, 30, piece), declarations + "#7\n$dumpvars\n1a\nb1 b\n$end\n#10\nb10 b\n#20\n0a\nb11 b\n#30\n");
    EXPECT_EQ(cut(10, 20, piece), declarations + "#10\n$dumpvars\n1a\nb10 b\n$end\n#20\n");
    EXPECT_EQ(cut(0, 6, piece), declarations + "#0\n$dumpvars\n0a\nb1 b\n$end\n#5\n1a\n#6\n");
    EXPECT_EQ(cut(40, 50, piece), declarations + "#40\n$dumpvars\n1a\nb11 b\n$end\n");
    EXPECT_EQ(cut(25, 1000, piece), declarations + "#25\n$dumpvars\n0a\nb11 b\n$end\n#30\n1a\n");
  }
}

}  // namespace
}  // namespace guardbit::sim
