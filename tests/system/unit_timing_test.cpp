// Closed forms of the other units' cycles against numbers worked out by hand and against machines stepped element by
// element here, which share nothing with the formulas: row buffers, chains of operations, comparator networks.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "sim/modules/timing.h"

namespace guardbit::sim {
namespace {

/// Rows through a norm unit with two row buffers, cycle by cycle.
std::uint64_t step_norm(std::uint64_t rows, std::uint64_t occupied, std::uint64_t depth, std::uint64_t apply,
                        std::uint64_t apply_depth) {
  struct Row {
    std::uint64_t age = 0;
  };
  std::vector<Row> in_buffers;
  std::uint64_t statistics_busy = 0, started = 0, finished = 0, cycle = 0, last_leaves = 0;
  for (; finished < rows; ++cycle) {
    std::erase_if(in_buffers, [&](const Row& row) {
      if (row.age < occupied + depth + apply) return false;
      ++finished;
      last_leaves = cycle;
      return true;
    });
    if (started < rows && statistics_busy == 0 && in_buffers.size() < 2) {
      in_buffers.push_back({});
      statistics_busy = occupied;
      ++started;
    }
    if (statistics_busy > 0) --statistics_busy;
    for (Row& row : in_buffers) ++row.age;
  }
  return last_leaves + apply_depth;
}

TEST(NormTimingTest, MatchesSteppedRowBuffers) {
  // 4 lanes, fp16 statistics (3), bf16 arithmetic (3), 3 accumulators in turn: one beat a cycle.
  units::NormConfig norm;
  norm.lanes = 4;
  norm.arithmetic = "bf16";
  norm.accumulator.format = "fp16";
  norm.accumulator.interleave = 3;
  norm.rsqrt.format = "fp16";
  for (const std::uint64_t hidden_size : {4, 18, 64, 400}) {
    const std::uint64_t beats = (hidden_size + 3) / 4;
    for (const std::uint64_t rows : {1, 2, 3, 4, 7, 10}) {
      NormWork work{.rows = rows, .hidden_size = hidden_size, .layer_norm = false, .rsqrt_newton_steps = 2};
      // RMSNorm: read 1, square 3, tree 2 levels + accumulator + 2 merges 15, times 1/d 3, + epsilon 3, table 1,
      // 2 Newton steps of 3 operations 18.
      EXPECT_EQ(norm_cycles(work, norm), step_norm(rows, beats, 1 + 3 + 15 + 3 + 3 + 1 + 18, beats, 1 + 2 * 3));
      work.scale_multiply = true;
      EXPECT_EQ(norm_cycles(work, norm), step_norm(rows, beats, 47, beats, 7));
      work = {.rows = rows, .hidden_size = hidden_size, .layer_norm = true, .rsqrt_newton_steps = 0};
      // LayerNorm, one pass: sum of squares / d, minus mean^2: 6 instead of 3; no Newton step; apply has 4 operations.
      EXPECT_EQ(norm_cycles(work, norm), step_norm(rows, beats, 1 + 3 + 15 + 6 + 3 + 1, beats, 1 + 4 * 3));
      norm.statistics = "two_pass";
      // Mean: beats + read 1 + 15 + 3, then beats; centring 3, square 3, 15, / d 3, + epsilon 3, table 1.
      EXPECT_EQ(norm_cycles(work, norm), step_norm(rows, 2 * beats + 19, 1 + 3 + 3 + 15 + 3 + 3 + 1, beats, 13));
      norm.statistics = "one_pass";
    }
  }
}

/// Welford's statistics of one row, operation by operation: when mean and M2 of all elements are there, counted from
/// the first element at the lanes. A beat needs the mean of the state that it updates; every operator takes a new
/// operation a cycle.
struct WelfordReady {
  std::uint64_t mean = 0;
  std::uint64_t m2 = 0;
};
WelfordReady step_welford(std::uint64_t beats, std::uint64_t lanes, std::uint64_t interleave, std::uint64_t latency) {
  const std::uint64_t interval = (2 * latency + interleave - 1) / interleave;
  std::vector<WelfordReady> states(interleave);  // of any lane; all lanes are alike
  for (std::uint64_t beat = 0; beat < beats; ++beat) {
    WelfordReady& state = states[beat % interleave];
    const std::uint64_t start = beat * interval;
    EXPECT_GE(start, state.mean) << "an element comes before the mean it is compared with";
    state.mean = start + latency + latency;  // delta, mean
    const std::uint64_t delta2 = state.mean + latency;
    EXPECT_GE(delta2, state.m2);
    state.m2 = delta2 + latency;
  }
  const auto merge = [latency](const WelfordReady& a, const WelfordReady& b) {
    const std::uint64_t delta = std::max(a.mean, b.mean) + latency;
    const std::uint64_t sum = std::max(a.m2, b.m2) + latency;
    return WelfordReady{delta + latency, std::max(delta + latency, sum) + latency};
  };
  // The states' last elements come an interval apart; the merges wait for the last of them.
  const WelfordReady last = {(beats - 1) * interval + 2 * latency, (beats - 1) * interval + 4 * latency};
  WelfordReady all = last;
  for (std::uint64_t k = 1; k < interleave; ++k) all = merge(all, last);
  for (std::uint64_t width = lanes; width > 1; width /= 2) all = merge(all, all);
  return all;
}

TEST(NormTimingTest, WelfordMatchesSteppedOperations) {
  units::NormConfig norm;
  norm.arithmetic = "bf16";  // 3
  norm.rsqrt.format = "fp16";
  norm.statistics = "welford";
  for (const auto& [format, latency] : {std::pair{"fp16", 3U}, {"fp32", 4U}, {"fp8_e5m2", 2U}}) {
    for (const std::uint64_t interleave : {1, 2, 5, 8}) {
      for (const std::uint64_t lanes : {2, 16}) {
        norm.accumulator.format = format;
        norm.accumulator.interleave = static_cast<std::int64_t>(interleave);
        norm.lanes = static_cast<std::int64_t>(lanes);
        const std::uint64_t interval = (2 * latency + interleave - 1) / interleave;
        for (const std::uint64_t beats : {1, 7, 40}) {
          for (const std::uint64_t rows : {1, 2, 5}) {
            const NormWork work{.rows = rows, .hidden_size = beats * lanes, .layer_norm = true};
            const WelfordReady ready = step_welford(beats, lanes, interleave, latency);
            // Read 1 before; M2 / d 3, + epsilon 3, table 1 behind; the lanes are busy for `interval` after a beat.
            const std::uint64_t until_apply = 1 + interval + ready.m2 + 3 + 3 + 1;
            EXPECT_EQ(norm_cycles(work, norm),
                      step_norm(rows, beats * interval, until_apply - beats * interval, beats, 1 + 4 * 3))
                << format << " interleave " << interleave << " lanes " << lanes << " beats " << beats;
          }
        }
        // RMSNorm has no mean: one pass.
        const NormWork rms{.rows = 3, .hidden_size = 7 * lanes, .layer_norm = false};
        units::NormConfig one_pass = norm;
        one_pass.statistics = "one_pass";
        EXPECT_EQ(norm_cycles(rms, norm), norm_cycles(rms, one_pass));
      }
    }
  }
}

TEST(NormTimingTest, DynamicScalingAddsAPassAToken) {
  units::NormConfig norm;
  norm.lanes = 8;
  norm.accumulator.interleave = 4;
  NormWork work{.rows = 1, .hidden_size = 800, .layer_norm = false, .rsqrt_newton_steps = 2};
  const std::uint64_t unscaled = norm_cycles(work, norm);
  work.dynamic_scale = true;
  // Read 1, 100 beats into a tree of 3 comparators, the running maximum 1.
  norm.scale = "pow2";
  EXPECT_EQ(norm_cycles(work, norm), unscaled + 1 + 100 + 3 + 1);
  norm.scale = "exact";  // then 1/M in 14 cycles and a multiplication (fp32: 4) in front of the statistics
  EXPECT_EQ(norm_cycles(work, norm), unscaled + 1 + 100 + 3 + 1 + 14 + 4);
  // Many rows: a row every 2 * 100 + 5 cycles, as the maxima are found where the statistics are computed.
  norm.scale = "pow2";
  work.rows = 2001;
  const std::uint64_t many = norm_cycles(work, norm);
  work.rows = 1;
  EXPECT_EQ(many - norm_cycles(work, norm), 2000u * 205);
}

TEST(NormTimingTest, TooFewAccumulatorsSlowTheStatistics) {
  units::NormConfig norm;
  norm.lanes = 8;
  norm.accumulator.format = "fp32";  // latency 4
  const NormWork work{.rows = 1, .hidden_size = 8000, .layer_norm = false};
  norm.accumulator.interleave = 4;
  const std::uint64_t hidden = norm_cycles(work, norm);
  norm.accumulator.interleave = 1;
  EXPECT_EQ(norm_cycles(work, norm), hidden + 3 * 1000 - 3 * 4);  // three merges less
  EXPECT_NEAR(static_cast<double>(hidden), 2 * 1000, 80) << "one-pass: two passes and a fill";
}

TEST(VectorTimingTest, PassesAndExponentials) {
  const units::VectorConfig vector{.lanes = 8, .exp_cycles = 4};
  EXPECT_EQ(vector_cycles({.elements = 17, .passes = 2}, vector), 6u);
  EXPECT_EQ(vector_cycles({.elements = 17, .passes = 2, .exp_passes = 1}, vector), 6u + 12);
  EXPECT_EQ(vector_cycles({.elements = 17, .passes = 2, .lanes = 1}, vector), 34u);
  EXPECT_EQ(vector_cycles({.elements = 0, .passes = 2}, vector), 0u);
  EXPECT_EQ(vector_cycles({.elements = 17, .passes = 1, .exponentials = 9}, vector), 3u + 2 * (4 + 1));
}

TEST(VectorTimingTest, SortIsAsLongAsABitonicNetwork) {
  for (const std::uint64_t n : {2, 3, 8, 100, 128}) {
    for (const std::uint64_t lanes : {1, 3, 16, 256}) {
      std::uint64_t padded = 1;
      while (padded < n) padded *= 2;
      std::uint64_t cycles = 0;  // Batcher 1968: merges of 2, 4, ... elements, comparators i with i ^ distance
      for (std::uint64_t size = 2; size <= padded; size *= 2) {
        for (std::uint64_t distance = size / 2; distance > 0; distance /= 2) {
          std::uint64_t comparators = 0;
          for (std::uint64_t i = 0; i < padded; ++i) comparators += (i ^ distance) > i ? 1 : 0;
          while (comparators > 0) {
            comparators -= std::min(comparators, lanes);
            ++cycles;
          }
        }
      }
      EXPECT_EQ(vector_cycles({.lanes = static_cast<std::uint32_t>(lanes), .sort_elements = n}, {}), cycles) << n;
    }
  }
  EXPECT_EQ(vector_cycles({.sort_elements = 1}, {}), 0u);
}

TEST(RotateTimingTest, ButterfliesAndDenseFactor) {
  const units::RotateConfig rotate{.lanes = 8};
  for (const std::uint64_t size : {2, 16, 64}) {  // two transforms a row
    std::uint64_t cycles = 0;
    for (std::uint64_t h = 1; h < size; h *= 2) {
      std::uint64_t butterflies = 0;
      for (std::uint64_t i = 0; i < 2 * size; ++i) butterflies += (i & h) == 0 ? 1 : 0;
      cycles += (butterflies + 7) / 8;
    }
    EXPECT_EQ(rotate_cycles({.rows = 3, .width = 2 * size, .size = size}, rotate), 3 * cycles);
  }
  // 768 = 12 * 64: 6 stages of 384 butterflies, then 11 additions an element, 16 a cycle.
  EXPECT_EQ(rotate_cycles({.rows = 2, .width = 768, .size = 768}, rotate), 2u * (6 * 48 + 768 * 11 / 16));
  EXPECT_EQ(rotate_cycles({.rows = 2, .width = 768, .size = 1}, rotate), 0u);
}

}  // namespace
}  // namespace guardbit::sim
