// The machine on small programs whose every cycle is worked out by hand. One process per test (SystemC).
#include "sim/modules/accelerator.h"

#include <gmock/gmock.h>

#include "models/numerics/check.h"
#include "sim/base/error.h"
#include "tests/support/command_program.h"

namespace guardbit::sim {
namespace {

using tests::command;
using tests::load;
using tests::rotate_cycles_command;
using tests::store;
using tests::vector_cycles_command;

/// 16 bytes a cycle, 10 cycles latency, 5 for a row of 1024 bytes; ports twice as fast.
units::AcceleratorConfig small_config() {
  units::AcceleratorConfig config;
  config.rotate.lanes = 1;
  config.scratchpad = {.bytes = 4096, .banks = 2, .bank_bytes_per_cycle = 16};
  config.dma.burst_bytes = 64;
  config.dram = {.bandwidth_bytes_per_cycle = 16, .latency_cycles = 10, .row_bytes = 1024, .row_miss_cycles = 5};
  config.sequencer.queue_depth = 4;
  return config;
}

const UnitCycles& unit(const CycleReport& report, UnitKind kind) {
  return report.units[static_cast<std::size_t>(kind)];
}

void expect_account_adds_up(const CycleReport& report) {
  for (std::size_t i = 0; i < kNumUnits; ++i) EXPECT_EQ(report.units[i].total(), report.total) << kUnitNames[i];
}

TEST(AcceleratorTest, EmptyProgramTakesNoCycles) {
  Accelerator machine("machine", small_config());
  const CycleReport report = machine.run(std::vector<Command>{}, 2);
  EXPECT_EQ(report.total, 0u);
  EXPECT_EQ(report.ops.size(), 2u);
  expect_account_adds_up(report);
}

TEST(AcceleratorTest, LoadComputeStoreInSequence) {
  Accelerator machine("machine", small_config());
  // Load 128 bytes of a closed row: 5 + 128/16 + 10 = 23. Vector 7: 30. Store 64 bytes into the open row: 64/16 + 10
  // = 14.
  std::vector<Command> program = {load(0, 128, 0), vector_cycles_command(7, 1, {0}), store(256, 64, 2, {1})};
  program[2].op_index = 1;
  const CycleReport report = machine.run(program, 2);
  EXPECT_EQ(report.total, 44u);
  EXPECT_EQ(unit(report, UnitKind::kLoad), (UnitCycles{.busy = 23, .idle = 21}));
  EXPECT_EQ(unit(report, UnitKind::kVector), (UnitCycles{.busy = 7, .input_stall = 23, .idle = 14}));
  EXPECT_EQ(unit(report, UnitKind::kStore), (UnitCycles{.busy = 14, .token_wait = 30}));
  EXPECT_EQ(unit(report, UnitKind::kMatrix), (UnitCycles{.idle = 44}));
  EXPECT_EQ(report.ops[0].start, 0u);
  EXPECT_EQ(report.ops[0].end, 30u);
  EXPECT_EQ(report.ops[0].dram_bytes, 128u);
  EXPECT_EQ(report.ops[0].busy[0], 23u);
  EXPECT_EQ(report.ops[1].start, 30u);
  EXPECT_EQ(report.ops[1].end, 44u);
  EXPECT_EQ(report.ops[1].dram_bytes, 64u);
  expect_account_adds_up(report);
}

TEST(AcceleratorTest, ComputeRunsOnceInTokenOrder) {
  Accelerator machine("machine", small_config());
  std::vector<int> order;
  std::vector<Command> program = {vector_cycles_command(5, 0), rotate_cycles_command(3, 1, {0}),
                                  rotate_cycles_command(1, 2), vector_cycles_command(2, 3, {2})};
  for (int i = 0; i < 4; ++i) program[static_cast<std::size_t>(i)].compute = [&order, i] { order.push_back(i); };
  const CycleReport report = machine.run(program, 1);
  EXPECT_THAT(order, testing::ElementsAre(0, 1, 2, 3));  // 2 is behind 1 in the rotate unit's queue
  EXPECT_EQ(report.total, 5u + 3 + 1 + 2);
  EXPECT_EQ(unit(report, UnitKind::kRotate), (UnitCycles{.busy = 4, .token_wait = 5, .idle = 2}));
  EXPECT_EQ(unit(report, UnitKind::kVector), (UnitCycles{.busy = 7, .token_wait = 4}));
}

TEST(AcceleratorTest, TokenArrivesWithItsCommandsLastCycleNotBefore) {
  for (const std::uint32_t cycles : {1u, 9u}) {
    static Accelerator machine("machine", small_config());
    std::uint64_t started = 0;
    std::vector<Command> program = {vector_cycles_command(cycles, 0), rotate_cycles_command(1, 1, {0})};
    const double before = sc_core::sc_time_stamp().to_seconds();
    program[1].compute = [&] {
      started = static_cast<std::uint64_t>((sc_core::sc_time_stamp().to_seconds() - before) * 1e9 + 0.5);
    };
    machine.run(program, 1);
    EXPECT_EQ(started, cycles);
  }
}

TEST(AcceleratorTest, FullQueueHoldsUpTheSequencer) {
  units::AcceleratorConfig config = small_config();
  config.sequencer.queue_depth = 2;
  Accelerator machine("machine", config);
  // Vector executes the first, two wait in its queue, the fourth blocks the sequencer until cycle 10: only then is the
  // rotate command issued.
  std::vector<Command> program = {vector_cycles_command(10, 0), vector_cycles_command(10, 1),
                                  vector_cycles_command(10, 2), vector_cycles_command(10, 3),
                                  rotate_cycles_command(4, 4)};
  program[4].op_index = 1;
  const CycleReport report = machine.run(program, 2);
  EXPECT_EQ(report.total, 40u);
  EXPECT_EQ(report.ops[1].start, 10u);
  EXPECT_EQ(unit(report, UnitKind::kRotate), (UnitCycles{.busy = 4, .idle = 36}));
}

TEST(AcceleratorTest, DeeperQueueLetsTheNextUnitStartEarlier) {
  std::uint64_t rotate_start = 99;
  units::AcceleratorConfig config = small_config();
  config.sequencer.queue_depth = 3;
  Accelerator machine("machine", config);
  std::vector<Command> program = {vector_cycles_command(10, 0), vector_cycles_command(10, 1),
                                  vector_cycles_command(10, 2), vector_cycles_command(10, 3),
                                  rotate_cycles_command(4, 4)};
  program[4].op_index = 1;
  const CycleReport report = machine.run(program, 2);
  rotate_start = report.ops[1].start;
  EXPECT_EQ(rotate_start, 0u);
}

TEST(AcceleratorTest, SpaceIsGrantedInProgramOrderAndBlocks) {
  Accelerator machine("machine", small_config());
  // 4096 bytes: vector takes 3000 for 10 cycles; rotate wants 2000 and waits until 10; the later, small norm request
  // does not overtake it.
  std::vector<Command> program = {vector_cycles_command(10, 0), rotate_cycles_command(3, 1),
                                  command(UnitKind::kNorm, NormWork{}, 2)};
  program[0].allocate_bytes = 3000;
  program[0].frees = {3000};
  program[1].allocate_bytes = 2000;
  program[2].allocate_bytes = 100;
  program[2].op_index = 1;
  const CycleReport report = machine.run(program, 2);
  EXPECT_EQ(report.total, 13u);
  EXPECT_EQ(unit(report, UnitKind::kRotate), (UnitCycles{.busy = 3, .output_stall = 10}));
  EXPECT_EQ(unit(report, UnitKind::kNorm), (UnitCycles{.output_stall = 10, .idle = 3}));
  EXPECT_EQ(report.ops[1].start, 10u);
  EXPECT_EQ(report.scratchpad_peak_bytes, 3000u);
}

TEST(AcceleratorTest, MissingTokenIsNamedNotWaitedForForever) {
  Accelerator machine("machine", small_config());
  const std::vector<Command> program = {vector_cycles_command(3, 0), rotate_cycles_command(1, 1, {77})};
  try {
    machine.run(program, 1);
    FAIL() << "a program that waits for a token nobody signals came to an end";
  } catch (const InternalError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("after 3 cycles, 1 commands unfinished"));
    EXPECT_THAT(error.what(), testing::HasSubstr("rotate (op 0, signals token 1) waits for token 77, which no issued"));
  }
  EXPECT_EQ(machine.run({vector_cycles_command(3, 0)}, 1).total, 3u) << "the machine is not usable after a deadlock";
}

TEST(AcceleratorTest, MissingSpaceIsNamed) {
  Accelerator machine("machine", small_config());
  std::vector<Command> program = {vector_cycles_command(3, 0), rotate_cycles_command(1, 1)};
  program[0].allocate_bytes = 4000;
  program[1].allocate_bytes = 97;
  try {
    machine.run(program, 1);
    FAIL() << "a program that never frees came to an end";
  } catch (const InternalError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("waits for 97 bytes of the scratchpad; 4000 of 4096 are in use"));
  }
  EXPECT_EQ(machine.run({rotate_cycles_command(1, 1)}, 1).total, 1u);
}

TEST(AcceleratorTest, MissingAccumulatorSpaceIsNamed) {
  units::AcceleratorConfig config = small_config();
  config.accumulator_buffer.bytes = 100;
  Accelerator machine("machine", config);
  std::vector<Command> program = {vector_cycles_command(3, 0), rotate_cycles_command(1, 1)};
  program[0].allocate_accumulator_bytes = 60;
  program[1].allocate_accumulator_bytes = 41;
  try {
    machine.run(program, 1);
    FAIL() << "a program that never frees came to an end";
  } catch (const InternalError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("rotate (op 0, signals token 1) waits for 41 bytes of the accumulator "
                                                 "buffer; 60 of 100 are in use"));
  }
  program[0].free_accumulator_bytes = 60;
  const CycleReport report = machine.run(program, 1);
  EXPECT_EQ(report.total, 4u);
  EXPECT_EQ(unit(report, UnitKind::kRotate), (UnitCycles{.busy = 1, .output_stall = 3}));
  ASSERT_EQ(report.stalls.size(), 1u);
  EXPECT_EQ(report.stalls.begin()->first.cause, StallReason::Cause::kAccumulatorSpace);
}

TEST(AcceleratorTest, StallsNameTheFirstMissingToken) {
  Accelerator machine("machine", small_config());
  std::vector<Command> program = {load(0, 128, 0), vector_cycles_command(30, 1), rotate_cycles_command(1, 2, {1, 0})};
  program[0].purpose = Purpose::kWeights;
  program[1].purpose = Purpose::kSoftmax;
  program[1].op_index = 1;
  program[2].op_index = 2;
  const CycleReport report = machine.run(program, 3);
  // The load takes 23 cycles (input stall comes first, whatever the order of the list), the vector unit 30.
  const StallReason weights{.unit = UnitKind::kRotate,
                            .state = UnitState::kInputStall,
                            .op = 2,
                            .producer = UnitKind::kLoad,
                            .producer_op = 0,
                            .what = Purpose::kWeights};
  const StallReason softmax{.unit = UnitKind::kRotate,
                            .state = UnitState::kTokenWait,
                            .op = 2,
                            .producer = UnitKind::kVector,
                            .producer_op = 1,
                            .what = Purpose::kSoftmax};
  EXPECT_EQ(report.stalls, (StallAccount{{weights, 23}, {softmax, 7}}));

  // Of two tokens that no load signals the list says which counts: the vector unit signals 1 in cycle 30, 3 in 40.
  const auto stalls_of = [&](std::vector<TokenId> waits) {
    std::vector<Command> longer = {program[0], program[1], vector_cycles_command(10, 3),
                                   rotate_cycles_command(1, 2, std::move(waits))};
    longer[2].purpose = Purpose::kEpilogue;
    longer[2].op_index = 3;
    longer[3].op_index = 2;
    return machine.run(std::move(longer), 4).stalls;
  };
  StallReason epilogue = softmax;
  epilogue.producer_op = 3;
  epilogue.what = Purpose::kEpilogue;
  EXPECT_EQ(stalls_of({1, 3, 0}), (StallAccount{{weights, 23}, {softmax, 7}, {epilogue, 10}}));
  EXPECT_EQ(stalls_of({3, 1, 0}), (StallAccount{{weights, 23}, {epilogue, 17}}));
}

TEST(AcceleratorTest, OptionsOfACommandAreSharesOfItsCycles) {
  units::AcceleratorConfig config = small_config();
  config.array.rows = config.array.cols = 8;
  Accelerator machine("machine", config);
  // 4 chunks of 5 products on 8 rows: 3 drains of 8 rows between the first and the last, then 5 in a chunk: 29 for 20.
  Command product =
      command(UnitKind::kMatrix, MatrixWork{.m = 8, .n = 8, .k = 20, .chunk = 5, .chunk_without_groups = 7}, 0);
  product.purpose = Purpose::kProduct;
  Command norm = command(UnitKind::kNorm, NormWork{.rows = 1, .hidden_size = 16, .scale_multiply = true}, 1);
  norm.purpose = Purpose::kNorm;
  Command maxima = command(UnitKind::kVector, VectorWork{.elements = 32, .lanes = 4, .sort_elements = 8}, 2);
  maxima.purpose = Purpose::kChannelMaxima;
  const CycleReport report = machine.run({product, norm, maxima}, 1);
  const auto cycles = [&](Purpose purpose) { return report.ops[0].by_purpose[static_cast<std::size_t>(purpose)]; };
  EXPECT_EQ(cycles(Purpose::kProduct), 8u + 8 - 2 + 20);
  EXPECT_EQ(cycles(Purpose::kPromotion), 7u + 2 * 8 - 20) << "three chunks of 7 products";
  EXPECT_EQ(cycles(Purpose::kGroupScaling), 5u + 3 * 8 - (7 + 2 * 8));
  EXPECT_EQ(cycles(Purpose::kSlancScale), 4u) << "one fp32 multiplication";
  EXPECT_EQ(cycles(Purpose::kChannelMaxima), 8u);
  EXPECT_EQ(cycles(Purpose::kSort), 6u) << "six stages of four comparators";
}

TEST(AcceleratorTest, CyclicWaitsAcrossFullQueuesAreFound) {
  Accelerator machine("machine", small_config());
  std::vector<Command> program;
  for (TokenId i = 0; i < 20; ++i) program.push_back(vector_cycles_command(1, i, {100}));
  program.push_back(rotate_cycles_command(1, 100));  // never issued: the vector queue is full
  try {
    machine.run(program, 1);
    FAIL();
  } catch (const InternalError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("sequencer waits for the queue of vector"));
  }
}

TEST(AcceleratorTest, ExceptionsOfComputePropagateAndTheMachineGoesOn) {
  Accelerator machine("machine", small_config());
  for (int round = 0; round < 3; ++round) {
    int later = 0;
    std::vector<Command> program = {load(0, 640, 0), vector_cycles_command(7, 1, {0}), rotate_cycles_command(2, 2, {1}),
                                    store(0, 640, 3, {2})};
    program[1].compute = [] { throw UserError(ExitCode::kMalformedInput, "weights end early"); };
    program[2].compute = [&] { ++later; };
    EXPECT_THROW(
        {
          try {
            machine.run(program, 1);
          } catch (const UserError& error) {
            EXPECT_STREQ(error.what(), "weights end early");
            EXPECT_EQ(error.code(), ExitCode::kMalformedInput);
            throw;
          }
        },
        UserError);
    EXPECT_EQ(later, 0);
    EXPECT_EQ(machine.run({load(0, 128, 0)}, 1).total, 23u);
  }
}

TEST(AcceleratorTest, ExceptionsOfTheSourcePropagate) {
  struct FailingSource : CommandSource {
    int issued = 0;
    bool next(Command& made) override {
      if (issued == 3) throw std::runtime_error("interrupted");
      made = vector_cycles_command(5, static_cast<TokenId>(issued++));
      return true;
    }
  } source;
  Accelerator machine("machine", small_config());
  EXPECT_THROW(machine.run(source, 1), std::runtime_error);
  EXPECT_EQ(machine.run({vector_cycles_command(5, 0)}, 1).total, 5u);
}

TEST(AcceleratorTest, MalformedCommandsAreInternalErrors) {
  Accelerator machine("machine", small_config());
  EXPECT_THROW(machine.run({command(UnitKind::kVector, DmaWork{0, 4}, 0)}, 1), InternalError);
  EXPECT_THROW(machine.run({vector_cycles_command(1, 0), rotate_cycles_command(1, 0)}, 1), InternalError);
  Command beyond = vector_cycles_command(1, 0);
  beyond.op_index = 1;
  EXPECT_THROW(machine.run({beyond}, 1), InternalError);
  Command too_big = vector_cycles_command(1, 0);
  too_big.allocate_bytes = 4097;
  EXPECT_THROW(machine.run({too_big}, 1), InternalError);
  Command too_free = vector_cycles_command(1, 0);
  too_free.frees = {1};
  EXPECT_THROW(machine.run({too_free}, 1), InternalError);
}

TEST(AcceleratorTest, StreamingSourceIsReadNoFurtherAheadThanTheQueues) {
  struct CountingSource : CommandSource {
    int produced = 0;
    int executed = 0;
    int furthest_ahead = 0;
    bool next(Command& made) override {
      EXPECT_TRUE(made.waits.empty() && made.frees.empty() && !made.compute && made.allocate_bytes == 0);
      if (produced == 1000) return false;
      made = vector_cycles_command(2, static_cast<TokenId>(produced++));
      made.waits = {made.signals == 0 ? 0 : made.signals - 1};
      if (made.signals == 0) made.waits.clear();
      made.allocate_bytes = 5;
      made.frees = {5};
      made.compute = [this] { ++executed; };
      furthest_ahead = std::max(furthest_ahead, produced - executed);
      return true;
    }
  } source;
  Accelerator machine("machine", small_config());
  EXPECT_EQ(machine.run(source, 1).total, 2000u);
  EXPECT_EQ(source.executed, 1000);
  EXPECT_LE(source.furthest_ahead, 4 + 2);  // queue, the one the sequencer holds, the one at the unit
}

}  // namespace
}  // namespace guardbit::sim
