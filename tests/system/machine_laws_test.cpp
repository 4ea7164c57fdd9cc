// Laws that every run of the machine obeys, on random programs. Several machines are elaborated together and run one
// after the other. One process per test (SystemC).
#include <gmock/gmock.h>

#include <cmath>
#include <deque>
#include <memory>

#include "models/numerics/check.h"
#include "sim/modules/accelerator.h"
#include "sim/modules/timing.h"
#include "tests/support/command_program.h"

namespace guardbit::sim {
namespace {

using tests::random_program;
using tests::RandomProgramShape;

units::AcceleratorConfig small_config() {
  units::AcceleratorConfig config;
  config.array.rows = config.array.cols = 8;
  config.dma.burst_bytes = 128;
  config.dram = {.bandwidth_bytes_per_cycle = 8, .latency_cycles = 40, .row_bytes = 1024, .row_miss_cycles = 12};
  return config;
}

std::uint64_t cycles_of(const Command& command) { return work_cycles(command.work, small_config()); }
bool is_transfer(const Command& command) { return std::holds_alternative<DmaWork>(command.work); }
std::uint64_t bytes_of(const Command& command) { return std::get<DmaWork>(command.work).bytes; }

std::string text_of(const CycleReport& report) {
  std::ostringstream text;
  text << report.total << " peak " << report.scratchpad_peak_bytes;
  for (const UnitCycles& unit : report.units) {
    text << "; ";
    PrintTo(unit, &text);
  }
  for (const auto& op : report.ops) {
    text << "; " << op.start << ".." << op.end << " " << op.dram_bytes;
    for (const std::uint64_t busy : op.busy) text << " " << busy;
  }
  return text.str();
}

/// Stalls by reason sum to the stall counters, cycles by purpose to busy cycles, and reasons name what was waited for.
void expect_reasons_add_up(const CycleReport& report, const std::vector<Command>& program) {
  std::array<UnitCycles, kNumUnits> stalls{};
  for (const auto& [reason, cycles] : report.stalls) {
    EXPECT_GT(cycles, 0u);
    UnitCycles& unit = stalls[static_cast<std::size_t>(reason.unit)];
    if (reason.state == UnitState::kInputStall) unit.input_stall += cycles;
    if (reason.state == UnitState::kTokenWait) unit.token_wait += cycles;
    if (reason.state == UnitState::kOutputStall) unit.output_stall += cycles;
    if (reason.cause != StallReason::Cause::kToken) continue;
    EXPECT_EQ(reason.state == UnitState::kInputStall, reason.producer == UnitKind::kLoad);
    const bool waited_for = std::any_of(program.begin(), program.end(), [&](const Command& waiting) {
      return waiting.unit == reason.unit && waiting.op_index == reason.op &&
             std::any_of(waiting.waits.begin(), waiting.waits.end(), [&](TokenId token) {
               const Command& producer = program[token];
               return producer.unit == reason.producer && producer.op_index == reason.producer_op &&
                      producer.purpose == reason.what;
             });
    });
    EXPECT_TRUE(waited_for) << "no command of the program could wait for that";
  }
  std::array<std::uint64_t, kNumUnits> by_purpose{};
  for (const auto& units : report.purposes) {
    for (std::size_t unit = 0; unit < kNumUnits; ++unit) by_purpose[unit] += units[unit];
  }
  for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
    EXPECT_EQ(stalls[unit].input_stall, report.units[unit].input_stall) << kUnitNames[unit];
    EXPECT_EQ(stalls[unit].token_wait, report.units[unit].token_wait) << kUnitNames[unit];
    EXPECT_EQ(stalls[unit].output_stall, report.units[unit].output_stall) << kUnitNames[unit];
    EXPECT_EQ(by_purpose[unit], report.units[unit].busy) << kUnitNames[unit];
  }
  for (std::size_t purpose = 0; purpose < kNumPurposes; ++purpose) {
    std::uint64_t of_units = 0;
    std::uint64_t of_ops = 0;
    for (const std::uint64_t cycles : report.purposes[purpose]) of_units += cycles;
    for (const auto& op : report.ops) of_ops += op.by_purpose[purpose];
    EXPECT_EQ(of_units, of_ops) << kPurposeNames[purpose];
  }
}

void expect_adds_up(const CycleReport& report, const std::vector<Command>& program) {
  expect_reasons_add_up(report, program);
  std::array<std::uint64_t, kNumUnits> by_op{};
  std::uint64_t end = 0;
  for (const auto& op : report.ops) {
    for (std::size_t unit = 0; unit < kNumUnits; ++unit) by_op[unit] += op.busy[unit];
    end = std::max(end, op.end);
    EXPECT_LE(op.start, op.end);
  }
  EXPECT_EQ(end, report.total);
  std::array<std::uint64_t, kNumUnits> work{};
  std::uint64_t bytes = 0;
  for (const Command& command : program) {
    work[static_cast<std::size_t>(command.unit)] += cycles_of(command);
    if (is_transfer(command)) bytes += bytes_of(command);
  }
  std::uint64_t reported_bytes = 0;
  for (const auto& op : report.ops) reported_bytes += op.dram_bytes;
  EXPECT_EQ(reported_bytes, bytes);
  for (std::size_t unit = 0; unit < kNumUnits; ++unit) {
    EXPECT_EQ(report.units[unit].total(), report.total) << kUnitNames[unit];
    EXPECT_EQ(report.units[unit].busy, by_op[unit]) << kUnitNames[unit];
    const bool dma =
        unit == static_cast<std::size_t>(UnitKind::kLoad) || unit == static_cast<std::size_t>(UnitKind::kStore);
    if (!dma) {
      EXPECT_EQ(report.units[unit].busy, work[unit]) << kUnitNames[unit];
    }
  }
}

TEST(MachineLawsTest, AccountAddsUpAndTotalIsBounded) {
  units::AcceleratorConfig config = small_config();
  constexpr std::uint64_t accumulator_bytes = 2000;
  config.accumulator_buffer.bytes = accumulator_bytes;
  Accelerator machine("machine", config);
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const std::vector<Command> program = random_program(
        seed, {.scratchpad_bytes = seed % 2 != 0 ? static_cast<std::uint64_t>(config.scratchpad.bytes) : 0,
               .accumulator_bytes = seed % 3 != 0 ? accumulator_bytes : 0});
    const CycleReport report = machine.run(program, 5);
    expect_adds_up(report, program);
    EXPECT_LE(report.scratchpad_peak_bytes, static_cast<std::uint64_t>(config.scratchpad.bytes));
    EXPECT_LE(report.accumulator_peak_bytes, accumulator_bytes);

    std::uint64_t sum = 0;
    std::array<std::uint64_t, kNumUnits> busy{};
    double bytes = 0;
    for (const Command& command : program) {
      busy[static_cast<std::size_t>(command.unit)] += cycles_of(command);
      sum += cycles_of(command);
      if (!is_transfer(command)) continue;
      bytes += static_cast<double>(bytes_of(command));
      // Alone on the channel, every burst opening its row: latency, rounding, bytes, misses.
      const std::uint64_t bursts = bytes_of(command) / 128 + 2;
      sum += 40 + 2 + bytes_of(command) / 8 + 1 + bursts * 12;
    }
    for (const std::uint64_t cycles : busy) EXPECT_GE(report.total, cycles);
    EXPECT_GE(static_cast<double>(report.total), bytes / 8);
    EXPECT_LE(report.total, sum);
  }
}

/// Longest path through "after the command before it in the same unit" and "after every token it waits for".
std::uint64_t critical_path(const std::vector<Command>& program) {
  std::array<std::uint64_t, kNumUnits> unit_end{};
  std::vector<std::uint64_t> end(program.size());
  std::uint64_t last = 0;
  for (const Command& command : program) {
    std::uint64_t start = unit_end[static_cast<std::size_t>(command.unit)];
    for (const TokenId token : command.waits) start = std::max(start, end[token]);
    end[command.signals] = unit_end[static_cast<std::size_t>(command.unit)] = start + cycles_of(command);
    last = std::max(last, end[command.signals]);
  }
  return last;
}

TEST(MachineLawsTest, UnlimitedMemoryLeavesTheCriticalPathOfCompute) {
  units::AcceleratorConfig config = small_config();
  config.sequencer.queue_depth = 1024;
  Accelerator machine("machine", config, {.unlimited_memory = true});
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const std::vector<Command> program = random_program(seed, {});
    EXPECT_EQ(machine.run(program, 5).total, critical_path(program)) << "seed " << seed;
  }
}

/// Machines that differ in one respect, from slowest to fastest; all totals of one program must fall in that order.
void expect_never_slower(const std::vector<Accelerator*>& machines, const RandomProgramShape& shape) {
  for (std::uint64_t seed = 100; seed < 140; ++seed) {
    const std::vector<Command> program = random_program(seed, shape);
    std::uint64_t before = std::numeric_limits<std::uint64_t>::max();
    for (std::size_t i = 0; i < machines.size(); ++i) {
      const std::uint64_t total = machines[i]->run(program, shape.num_ops).total;
      EXPECT_LE(total, before) << "seed " << seed << " machine " << i;
      before = total;
    }
  }
}

TEST(MachineLawsTest, MoreBandwidthIsNeverSlowerForOneEngine) {
  std::deque<Accelerator> machines;
  std::vector<Accelerator*> order;
  for (const double bandwidth : {0.5, 1.0, 3.0, 8.0, 9.5, 16.0, 64.0, 1000.0}) {
    units::AcceleratorConfig config = small_config();
    config.dram.bandwidth_bytes_per_cycle = bandwidth;
    order.push_back(&machines.emplace_back(("machine" + std::to_string(order.size())).c_str(), config));
  }
  order.push_back(&machines.emplace_back("unlimited", small_config(), AcceleratorOptions{.unlimited_memory = true}));
  expect_never_slower(order, {.scratchpad_bytes = 262144, .stores = false});
}

TEST(MachineLawsTest, DeeperQueuesAreNeverSlowerForOneEngine) {
  std::deque<Accelerator> machines;
  std::vector<Accelerator*> order;
  for (const std::int64_t depth : {1, 2, 4, 9, 300}) {
    units::AcceleratorConfig config = small_config();
    config.sequencer.queue_depth = depth;
    order.push_back(&machines.emplace_back(("machine" + std::to_string(depth)).c_str(), config));
  }
  expect_never_slower(order, {.scratchpad_bytes = 262144, .stores = false});
}

TEST(MachineLawsTest, MoreAccumulatorSpaceIsNeverSlowerForOneEngine) {
  std::deque<Accelerator> machines;
  std::vector<Accelerator*> order;
  for (const std::int64_t bytes : {4000, 5000, 9000, 60000, 0}) {  // 0: not limited
    units::AcceleratorConfig config = small_config();
    config.accumulator_buffer.bytes = bytes;
    order.push_back(&machines.emplace_back(("machine" + std::to_string(bytes)).c_str(), config));
  }
  expect_never_slower(order, {.scratchpad_bytes = 262144, .accumulator_bytes = 4000, .stores = false});
}

TEST(MachineLawsTest, MoreSpaceIsNeverSlowerForOneEngine) {
  std::deque<Accelerator> machines;
  std::vector<Accelerator*> order;
  for (const std::int64_t bytes : {40000, 50000, 80000, 400000}) {
    units::AcceleratorConfig config = small_config();
    config.scratchpad.bytes = bytes;
    order.push_back(&machines.emplace_back(("machine" + std::to_string(bytes)).c_str(), config));
  }
  expect_never_slower(order, {.scratchpad_bytes = 40000, .stores = false});
}

TEST(MachineLawsTest, MoreBandwidthIsNotSlowerOnTheseProgramsWithBothEngines) {
  // No theorem: bursts of loads and stores interleave differently at another bandwidth and may open more rows
  // (docs/timing.md). A failure after a change of the arbitration says that such programs have become common.
  std::deque<Accelerator> machines;
  std::vector<Accelerator*> order;
  for (const double bandwidth : {2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0}) {
    units::AcceleratorConfig config = small_config();
    config.dram.bandwidth_bytes_per_cycle = bandwidth;
    order.push_back(&machines.emplace_back(("machine" + std::to_string(machines.size())).c_str(), config));
  }
  expect_never_slower(order, {});
}

TEST(MachineLawsTest, RunsDoNotDependOnEarlierRuns) {
  Accelerator machine("machine", small_config(), {.stall_seed = 5});
  std::vector<std::string> first;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    first.push_back(text_of(machine.run(random_program(seed, {.scratchpad_bytes = 262144}), 5)));
  }
  for (std::uint64_t seed = 10; seed >= 1; --seed) {
    std::vector<Command> failing = random_program(seed + 50, {.scratchpad_bytes = 262144});
    failing[100].compute = [] { throw InternalError("broken off"); };
    EXPECT_THROW(machine.run(failing, 5), InternalError);
    EXPECT_EQ(text_of(machine.run(random_program(seed, {.scratchpad_bytes = 262144}), 5)), first[seed - 1]) << seed;
  }
}

/// Makes every command compute a value from those it waits for, in its own unit's order.
std::vector<std::uint64_t> values_of(Accelerator& machine, std::vector<Command> program, std::uint64_t& total) {
  std::vector<std::uint64_t> values(program.size(), 0);
  std::array<std::uint64_t, kNumUnits> unit_state{};
  for (Command& command : program) {
    const TokenId own = command.signals;
    command.compute = [&values, &unit_state, own, waits = command.waits, unit = command.unit] {
      std::uint64_t& state = unit_state[static_cast<std::size_t>(unit)];
      for (const TokenId token : waits) {
        EXPECT_NE(values[token], 0u) << "command " << own << " ran before " << token;
        state = state * 6364136223846793005u + values[token];
      }
      values[own] = state = (state * 6364136223846793005u + own) | 1;
    };
  }
  total = machine.run(program, 5).total;
  return values;
}

TEST(MachineLawsTest, RandomStallsChangeCyclesNotValues) {
  Accelerator quiet("quiet", small_config());
  std::deque<Accelerator> noisy;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    noisy.emplace_back(("noisy" + std::to_string(seed)).c_str(), small_config(),
                       AcceleratorOptions{.stall_seed = seed});
  }
  int changed = 0;
  for (std::uint64_t seed = 300; seed < 320; ++seed) {
    const std::vector<Command> program = random_program(seed, {.scratchpad_bytes = 262144, .stores = false});
    std::uint64_t total = 0;
    const std::vector<std::uint64_t> values = values_of(quiet, program, total);
    for (Accelerator& machine : noisy) {
      std::uint64_t noisy_total = 0;
      EXPECT_EQ(values_of(machine, program, noisy_total), values) << "seed " << seed;
      EXPECT_GE(noisy_total, total) << "seed " << seed;
      changed += noisy_total != total ? 1 : 0;
    }
  }
  EXPECT_GT(changed, 100) << "the stall mode hardly stalls";
}

TEST(MachineLawsTest, RandomStallsOfBothEnginesKeepValuesAndAccount) {
  Accelerator quiet("quiet", small_config());
  Accelerator noisy("noisy", small_config(), {.stall_seed = 9});
  for (std::uint64_t seed = 400; seed < 420; ++seed) {
    const std::vector<Command> program = random_program(seed, {.scratchpad_bytes = 262144});
    std::uint64_t total = 0;
    const std::vector<std::uint64_t> values = values_of(quiet, program, total);
    EXPECT_EQ(values_of(noisy, program, total), values) << "seed " << seed;
    expect_adds_up(noisy.run(program, 5), program);
  }
}

TEST(MachineLawsTest, MoreChannelsKeepTheAccountAndNeverDeadlock) {
  std::deque<Accelerator> machines;
  for (const std::int64_t channels : {1, 2, 3, 8}) {
    units::AcceleratorConfig config = small_config();
    config.scratchpad.bytes = 6000;
    config.dma.channels = channels;
    machines.emplace_back(("machine" + std::to_string(channels)).c_str(), config);
  }
  units::AcceleratorConfig noisy_config = small_config();
  noisy_config.scratchpad.bytes = 6000;
  noisy_config.dma.channels = 3;
  machines.emplace_back("noisy", noisy_config, AcceleratorOptions{.stall_seed = 3});
  std::array<std::uint64_t, 5> sums{};
  for (std::uint64_t seed = 700; seed < 730; ++seed) {
    const std::vector<Command> program = random_program(seed, {.scratchpad_bytes = 6000});
    for (std::size_t i = 0; i < machines.size(); ++i) {
      SCOPED_TRACE("seed " + std::to_string(seed) + " machine " + std::to_string(i));
      const CycleReport report = machines[i].run(program, 5);
      expect_adds_up(report, program);
      sums[i] += report.total;
    }
  }
  EXPECT_LT(sums[1], sums[0]) << "a second channel is never of use: the test tests nothing";
}

TEST(MachineLawsTest, ProgramsThatFitSeriallyNeverDeadlock) {
  units::AcceleratorConfig config = small_config();
  config.scratchpad.bytes = 3000;
  config.accumulator_buffer.bytes = 900;
  config.sequencer.queue_depth = 64;  // the further ahead space is asked for, the easier it would be to deadlock
  Accelerator machine("machine", config);
  bool full = false;
  bool full_accumulators = false;
  for (std::uint64_t seed = 500; seed < 600; ++seed) {
    const CycleReport report =
        machine.run(random_program(seed, {.scratchpad_bytes = 3000, .accumulator_bytes = 900}), 5);
    full_accumulators = full_accumulators || report.accumulator_peak_bytes > 850;
    full = full || report.scratchpad_peak_bytes > 2900;
    EXPECT_LE(report.scratchpad_peak_bytes, 3000u);
    EXPECT_LE(report.accumulator_peak_bytes, 900u);
  }
  EXPECT_TRUE(full && full_accumulators) << "space never was scarce: the test tests nothing";
}

}  // namespace
}  // namespace guardbit::sim
