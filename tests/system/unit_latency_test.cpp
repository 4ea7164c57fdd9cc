// When a unit's result is there: in the cycle that its formula says and not in the one before. A second command waits
// for it behind a race of known length; every number is worked out by hand from docs/timing.md. One process per test
// (SystemC).
#include <gtest/gtest.h>

#include "sim/modules/accelerator.h"
#include "tests/support/command_program.h"

namespace guardbit::sim {
namespace {

using tests::command;
using tests::rotate_cycles_command;
using tests::vector_cycles_command;

struct UnitCase {
  const char* name;
  UnitKind unit;
  Work work;
  std::uint32_t cycles;  ///< until its result is there
};

/// 4 x 4 array, 4 lanes everywhere, exponentials in 3 cycles; norm: fp16 statistics (3), bf16 arithmetic (3).
units::AcceleratorConfig small_config(const std::string& statistics = "one_pass") {
  units::AcceleratorConfig config;
  config.array = {.rows = 4, .cols = 4};
  config.norm.lanes = 4;
  config.norm.statistics = statistics;
  config.norm.arithmetic = "bf16";
  config.norm.accumulator.format = "fp16";
  config.norm.accumulator.interleave = 3;
  config.norm.rsqrt.format = "fp16";
  config.vector = {.lanes = 4, .exp_cycles = 3};
  config.rotate.lanes = 1;
  return config;
}

/// The token wait of a command for `subject`'s result that asks for it `race` cycles after the start.
std::uint64_t wait_behind_race(Accelerator& machine, const UnitCase& subject, std::uint32_t race) {
  const bool on_vector = subject.unit != UnitKind::kVector;
  std::vector<Command> program = {command(subject.unit, subject.work, 0)};
  if (on_vector) {
    program.push_back(vector_cycles_command(race, 1));
    program.push_back(vector_cycles_command(1, 2, {0}));
  } else {
    program.push_back(rotate_cycles_command(race, 1));
    program.push_back(rotate_cycles_command(1, 2, {0}));
  }
  const CycleReport report = machine.run(program, 1);
  return report.units[static_cast<std::size_t>(on_vector ? UnitKind::kVector : UnitKind::kRotate)].token_wait;
}

void expect_ready(const units::AcceleratorConfig& config, const std::vector<UnitCase>& cases) {
  Accelerator machine("machine", config);
  for (const UnitCase& subject : cases) {
    EXPECT_EQ(wait_behind_race(machine, subject, subject.cycles - 1), 1u) << subject.name << " is ready too early";
    EXPECT_EQ(wait_behind_race(machine, subject, subject.cycles), 0u) << subject.name << " is not ready";
  }
}

TEST(UnitLatencyTest, MatrixVectorAndRotate) {
  expect_ready(small_config(),
               {// K + R + C - 2.
                {"matrix", UnitKind::kMatrix, MatrixWork{.m = 4, .n = 4, .k = 10}, 10 + 4 + 4 - 2},
                {"decode step", UnitKind::kMatrix, MatrixWork{.m = 1, .n = 4, .k = 10}, 10 + 4 + 4 - 2},
                {"residual addition, rotary embedding, ReLU", UnitKind::kVector, VectorWork{.elements = 18}, 5},
                {"GELU, SiLU", UnitKind::kVector, VectorWork{.elements = 18, .exp_passes = 1}, 5 + 5 * 3},
                {"gate", UnitKind::kVector, VectorWork{.elements = 18, .passes = 2, .exp_passes = 1}, 10 + 5 * 3},
                {"quantize", UnitKind::kVector, VectorWork{.elements = 18, .passes = 2}, 10},
                {"softmax", UnitKind::kVector, VectorWork{.elements = 18, .passes = 3, .exp_passes = 1}, 15 + 15},
                {"online softmax", UnitKind::kVector,
                 VectorWork{.elements = 18, .passes = 2, .exp_passes = 2, .exponentials = 5}, 10 + 30 + 2 * 4},
                // 8 maxima: 6 stages of 4 comparators.
                {"channel maxima and sort", UnitKind::kVector, VectorWork{.elements = 16, .sort_elements = 8}, 4 + 6},
                // 24 = 12 * 2: one stage of 12 butterflies, 24 * 11 additions at 2 a cycle.
                {"Hadamard 24", UnitKind::kRotate, RotateWork{.rows = 2, .width = 24, .size = 24}, 2 * (12 + 132)},
                {"Hadamard 16", UnitKind::kRotate, RotateWork{.rows = 1, .width = 16, .size = 16}, 4 * 8}});
}

TEST(UnitLatencyTest, NormOnePass) {
  // 16 elements: 4 beats. Read 1, square 3, tree 2 levels + accumulator + 2 merges 15, / d 3, + epsilon 3, table 1: 26;
  // apply 4 beats, 1 + 2 * 3 deep.
  const NormWork rms{.rows = 1, .hidden_size = 16, .layer_norm = false};
  NormWork scaled = rms;
  scaled.scale_multiply = true;
  NormWork dynamic = rms;
  dynamic.dynamic_scale = true;
  // LayerNorm: - mean^2 3 more, apply 1 + 4 * 3. Dynamic, power of two: read 1, 4 beats, comparators 2, maximum 1.
  const NormWork layer{.rows = 1, .hidden_size = 16};
  expect_ready(small_config(), {{"RMSNorm", UnitKind::kNorm, rms, 4 + 26 + 4 + 7},
                                {"RMSNorm, general scale", UnitKind::kNorm, scaled, 4 + 29 + 4 + 7},
                                {"RMSNorm, dynamic scale", UnitKind::kNorm, dynamic, 8 + 4 + 26 + 4 + 7},
                                {"LayerNorm", UnitKind::kNorm, layer, 4 + 29 + 4 + 13}});
}

TEST(UnitLatencyTest, NormTwoPass) {
  // Mean: 4 beats, read 1, 15, / d 3; squares: 4 beats, read 1, centre 3, square 3, 15, / d 3, + epsilon 3, table 1.
  expect_ready(small_config("two_pass"),
               {{"LayerNorm", UnitKind::kNorm, NormWork{.rows = 1, .hidden_size = 16}, 4 + 19 + 4 + 29 + 4 + 13}});
}

TEST(UnitLatencyTest, NormWelford) {
  // An update takes 2 * 3 cycles of one of 3 states: a beat every 2. Read 1, last update 12, 4 merges of 6 each,
  // / d 3, + epsilon 3, table 1.
  expect_ready(small_config("welford"),
               {{"LayerNorm", UnitKind::kNorm, NormWork{.rows = 1, .hidden_size = 16}, 4 * 2 + 44 + 4 + 13}});
}

}  // namespace
}  // namespace guardbit::sim
