// Closed forms of the array's cycles against numbers worked out by hand and against arrays stepped element by element
// here, which share nothing with the formulas: operands that move one PE a cycle, drain chains.
#include "sim/modules/timing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <set>
#include <string_view>
#include <vector>

namespace guardbit::sim {
namespace {

using Array = units::ArrayConfig;

struct Pe {
  std::uint64_t cycles_per_mac = 1;
  std::uint64_t latency = 1;
  std::uint64_t interleave = 1;
  std::uint64_t pipeline = 0;
};

MatrixWork work_of(std::uint64_t m, std::uint64_t n, std::uint64_t k, const Pe& pe = {}) {
  MatrixWork work{.m = m, .n = n, .k = k};
  work.cycles_per_mac = static_cast<std::uint32_t>(pe.cycles_per_mac);
  work.latency_cycles = static_cast<std::uint32_t>(pe.latency);
  work.interleave = static_cast<std::uint32_t>(pe.interleave);
  work.pipeline_cycles = static_cast<std::uint32_t>(pe.pipeline);
  return work;
}

/// One output-stationary fold, cycle by cycle: row r's operands enter r cycles late and move right, column c's enter c
/// cycles late and move down; a PE takes a step when both meet, as soon as accumulator and adder allow.
/// Returns the cycle after the one in which the last sum of the array is complete.
std::uint64_t step_output_stationary(std::uint64_t rows, std::uint64_t cols, std::uint64_t steps,
                                     std::uint64_t feed_interval, const Pe& pe) {
  struct Operand {
    bool valid = false;
    std::uint64_t step = 0;
  };
  std::vector<std::vector<Operand>> a(rows, std::vector<Operand>(cols));
  auto b = a;
  std::vector<std::vector<std::uint64_t>> steps_done(rows, std::vector<std::uint64_t>(cols, 0));
  // When each accumulator of each PE holds its last sum.
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::vector<std::uint64_t>> sum_ready;
  std::uint64_t end = 0;
  std::uint64_t finished = 0;
  for (std::uint64_t cycle = 0; finished < rows * cols; ++cycle) {
    const auto feed = [&](std::uint64_t skew) -> Operand {
      if (cycle < skew || (cycle - skew) % feed_interval != 0 || (cycle - skew) / feed_interval >= steps) return {};
      return {true, (cycle - skew) / feed_interval};
    };
    for (std::uint64_t r = rows; r-- > 0;) {
      for (std::uint64_t c = cols; c-- > 0;) {
        a[r][c] = c == 0 ? feed(r) : a[r][c - 1];
        b[r][c] = r == 0 ? feed(c) : b[r - 1][c];
      }
    }
    for (std::uint64_t r = 0; r < rows; ++r) {
      for (std::uint64_t c = 0; c < cols; ++c) {
        if (a[r][c].valid != b[r][c].valid || (a[r][c].valid && a[r][c].step != b[r][c].step)) {
          ADD_FAILURE() << "operands of different steps meet in PE " << r << ", " << c;
          return 0;
        }
        if (!a[r][c].valid) continue;
        auto& ready = sum_ready[{r, c}];
        ready.resize(pe.interleave, 0);
        std::uint64_t& accumulator = ready[steps_done[r][c] % pe.interleave];
        // The multiplier needs cycles_per_mac cycles, its last cycle is the first of the tree or of the addition.
        const std::uint64_t addition = cycle + pe.cycles_per_mac - 1 + pe.pipeline;
        if (addition < accumulator) ADD_FAILURE() << "a step needs a sum that is not there yet";
        accumulator = addition + pe.latency;
        if (++steps_done[r][c] == steps) {
          std::uint64_t sum = *std::max_element(ready.begin(), ready.end());
          for (std::uint64_t other = 1; other < pe.interleave; ++other) sum += pe.latency;  // acc_0 += acc_other
          end = std::max(end, sum);
          ++finished;
        }
      }
    }
  }
  return end;
}

TEST(MatrixTimingTest, SerialOutputStationaryFoldMatchesSteppedArray) {
  for (const std::uint64_t rows : {1, 2, 3, 5}) {
    for (const std::uint64_t cols : {1, 2, 4}) {
      for (const std::uint64_t k : {1, 2, 7, 16}) {
        for (const Pe pe : {Pe{}, Pe{1, 4, 1, 0}, Pe{1, 4, 4, 0}, Pe{1, 4, 3, 0}, Pe{2, 4, 1, 0}, Pe{5, 3, 2, 0},
                            Pe{1, 2, 1, 6}, Pe{3, 1, 1, 0}}) {
          const std::uint64_t interval = std::max(pe.cycles_per_mac, (pe.latency + pe.interleave - 1) / pe.interleave);
          Array array{.rows = static_cast<std::int64_t>(rows),
                      .cols = static_cast<std::int64_t>(cols),
                      .dataflow = "os",
                      .policy = "serial"};
          EXPECT_EQ(matrix_timing(work_of(rows, cols, k, pe), array).cycles,
                    step_output_stationary(rows, cols, k, interval, pe))
              << rows << "x" << cols << " k " << k << " cycles_per_mac " << pe.cycles_per_mac << " latency "
              << pe.latency << " interleave " << pe.interleave << " pipeline " << pe.pipeline;
        }
      }
    }
  }
}

/// One weight-stationary fold: weights shift in row by row, then M activations a row, row r one PE latency after row
/// r - 1; each sum passes down a column and waits for product and predecessor.
std::uint64_t step_weight_stationary(std::uint64_t rows, std::uint64_t cols, std::uint64_t m, const Pe& pe) {
  std::uint64_t end = 0;
  for (std::uint64_t c = 0; c < cols; ++c) {
    std::vector<std::uint64_t> multiplier_free(rows, 0);
    for (std::uint64_t activation = 0; activation < m; ++activation) {
      std::uint64_t sum_from_above = 0;
      for (std::uint64_t r = 0; r < rows; ++r) {
        const std::uint64_t arrival = rows + activation * pe.cycles_per_mac + r * pe.latency + c;
        const std::uint64_t start = std::max(arrival, multiplier_free[r]);
        EXPECT_EQ(start, arrival) << "the activation comes before its PE is free";
        multiplier_free[r] = start + pe.cycles_per_mac;
        const std::uint64_t product = start + pe.cycles_per_mac - 1 + pe.pipeline;
        EXPECT_GE(product, sum_from_above) << "the activation comes before the partial sum";
        sum_from_above = std::max(product, sum_from_above) + pe.latency;
      }
      end = std::max(end, sum_from_above);
    }
  }
  return end;
}

TEST(MatrixTimingTest, SerialWeightStationaryFoldMatchesSteppedArray) {
  for (const std::uint64_t rows : {1, 2, 5}) {
    for (const std::uint64_t cols : {1, 3, 4}) {
      for (const std::uint64_t m : {1, 6, 11}) {
        for (const Pe pe : {Pe{}, Pe{1, 4, 1, 0}, Pe{3, 1, 1, 0}, Pe{2, 4, 1, 0}, Pe{1, 3, 1, 6}}) {
          Array array{.rows = static_cast<std::int64_t>(rows),
                      .cols = static_cast<std::int64_t>(cols),
                      .dataflow = "ws",
                      .policy = "serial"};
          EXPECT_EQ(matrix_timing(work_of(m, cols, rows, pe), array).cycles, step_weight_stationary(rows, cols, m, pe))
              << rows << "x" << cols << " m " << m << " cycles_per_mac " << pe.cycles_per_mac << " latency "
              << pe.latency;
        }
      }
    }
  }
}

TEST(MatrixTimingTest, SerialTotalsAreFoldsTimesTheFold) {
  std::mt19937_64 random(7);
  for (int trial = 0; trial < 200; ++trial) {
    const std::uint64_t m = 1 + random() % 100, n = 1 + random() % 100, k = 1 + random() % 100;
    const std::int64_t rows = 1 + static_cast<std::int64_t>(random() % 16);
    const std::int64_t cols = 1 + static_cast<std::int64_t>(random() % 16);
    const auto r = static_cast<std::uint64_t>(rows), c = static_cast<std::uint64_t>(cols);
    const auto up = [](std::uint64_t a, std::uint64_t b) { return a / b + (a % b != 0 ? 1 : 0); };
    const MatrixTiming os =
        matrix_timing(work_of(m, n, k), {.rows = rows, .cols = cols, .dataflow = "os", .policy = "serial"});
    EXPECT_EQ(os.folds, up(m, r) * up(n, c));
    EXPECT_EQ(os.cycles_per_fold, k + r + c - 2);
    EXPECT_EQ(os.cycles, os.folds * os.cycles_per_fold);
    EXPECT_EQ(os.pipeline, 0u);
    const MatrixTiming ws =
        matrix_timing(work_of(m, n, k), {.rows = rows, .cols = cols, .dataflow = "ws", .policy = "serial"});
    EXPECT_EQ(ws.folds, up(k, r) * up(n, c));
    EXPECT_EQ(ws.cycles_per_fold, 2 * r + c + m - 2);
    EXPECT_EQ(ws.cycles, ws.folds * ws.cycles_per_fold);
    const MatrixTiming is =
        matrix_timing(work_of(m, n, k), {.rows = rows, .cols = cols, .dataflow = "is", .policy = "serial"});
    EXPECT_EQ(is.folds, up(k, r) * up(m, c));
    EXPECT_EQ(is.cycles_per_fold, 2 * r + c + n - 2);
    EXPECT_EQ(is.cycles, is.folds * is.cycles_per_fold);
  }
}

TEST(MatrixTimingTest, DotWidthCountsStepsOfK) {
  const Array os{.rows = 4, .cols = 4, .dataflow = "os", .policy = "serial", .dot_width = 4};
  EXPECT_EQ(matrix_timing(work_of(4, 4, 17), os).cycles, 5u + 4 + 4 - 2);
  const Array ws{.rows = 4, .cols = 4, .dataflow = "ws", .policy = "serial", .dot_width = 4};
  EXPECT_EQ(matrix_timing(work_of(10, 4, 17), ws).folds, 2u);  // 16 of K a fold
}

TEST(MatrixTimingTest, RaggedFoldsAreChargedAsConfigured) {
  // 5 x 7 outputs on 4 x 4: folds 4x4, 4x3, 1x4, 1x3 of K = 10.
  Array array{.rows = 4, .cols = 4, .dataflow = "os", .policy = "serial", .edge = "full"};
  EXPECT_EQ(matrix_timing(work_of(5, 7, 10), array).cycles, 4u * 16);
  array.edge = "used";
  EXPECT_EQ(matrix_timing(work_of(5, 7, 10), array).cycles, 16u + 15 + 13 + 12);
  // ws: K = 5, N = 7, M = 10: 2r + c + M - 2.
  array.dataflow = "ws";
  EXPECT_EQ(matrix_timing(work_of(10, 7, 5), array).cycles, (8u + 4 + 8) + (8 + 3 + 8) + (2 + 4 + 8) + (2 + 3 + 8));
}

/// Sums of several drains in the shadow registers of one column: at time load[j] + r row r's sum of drain j enters its
/// shadow register; from the cycle after the last row's on, that drain's sums move down one register a cycle.
bool drains_collide(std::uint64_t rows, const std::vector<std::uint64_t>& load) {
  std::uint64_t last = load.back() + 2 * rows + 1;
  for (std::uint64_t cycle = 0; cycle <= last; ++cycle) {
    std::set<std::uint64_t> occupied;
    for (const std::uint64_t start : load) {
      for (std::uint64_t r = 0; r < rows; ++r) {
        if (cycle < start + r) continue;
        const std::uint64_t bottom_loaded = start + rows - 1;
        const std::uint64_t place = cycle <= bottom_loaded ? r : r + (cycle - bottom_loaded);
        if (place < rows && !occupied.insert(place).second) return true;
      }
    }
  }
  return false;
}

TEST(MatrixTimingTest, OverlappedFoldsAreAsCloseAsTheDrainAllows) {
  for (const std::uint64_t rows : {2, 5, 8}) {
    for (const std::uint64_t k : {1, 4, 5, 8, 20}) {
      const Array array{.rows = static_cast<std::int64_t>(rows), .cols = 3, .dataflow = "os", .policy = "overlap"};
      const MatrixTiming timing = matrix_timing(work_of(rows * 4, 3, k), array);
      const std::uint64_t interval = timing.cycles_per_fold;
      EXPECT_GE(interval, k);
      EXPECT_FALSE(drains_collide(rows, {0, interval, 2 * interval, 3 * interval})) << rows << " rows, k " << k;
      if (interval > k) {
        EXPECT_TRUE(drains_collide(rows, {0, interval - 1})) << "folds could be closer than " << interval;
      }
      // The first sums of all PEs are there k + R + C - 2 cycles after the start, each further fold's `interval` later.
      EXPECT_EQ(timing.cycles, k + rows + 3 - 2 + 3 * interval);
    }
  }
}

TEST(MatrixTimingTest, OverlapOfOneFoldEqualsSerialAndNeverExceedsIt) {
  std::mt19937_64 random(11);
  for (int trial = 0; trial < 2000; ++trial) {
    Array array{.rows = 1 + static_cast<std::int64_t>(random() % 9),
                .cols = 1 + static_cast<std::int64_t>(random() % 9)};
    array.dataflow = std::array{"os", "ws", "is"}[random() % 3];
    array.edge = random() % 2 != 0 ? "full" : "used";
    array.dot_width = std::int64_t{1} << random() % 3;
    const Pe pe{1 + random() % 3, 1 + random() % 5, 1 + random() % 4, random() % 4};
    MatrixWork work = work_of(1 + random() % 40, 1 + random() % 40, 1 + random() % 40, pe);
    work.chunk = random() % 4 * 7;
    array.policy = "serial";
    const MatrixTiming serial = matrix_timing(work, array);
    array.policy = "overlap";
    const MatrixTiming overlap = matrix_timing(work, array);
    EXPECT_EQ(overlap.folds, serial.folds);
    EXPECT_LE(overlap.cycles, serial.cycles) << "trial " << trial;
    if (serial.folds == 1) {
      EXPECT_EQ(overlap.cycles, serial.cycles) << "trial " << trial;
    }
    // Never faster than the multipliers allow.
    const auto peak = static_cast<std::uint64_t>(array.rows * array.cols * array.dot_width);
    EXPECT_GE(overlap.cycles * peak, work.m * work.n * work.k) << "trial " << trial;
  }
}

TEST(MatrixTimingTest, CommandsOfOneOpPayFillAndDrainOnce) {
  for (const char* dataflow : {"os", "ws", "is"}) {
    const bool inputs_stay = std::string_view(dataflow) == "is";
    const Array array{.rows = 4, .cols = 4, .dataflow = dataflow, .policy = "overlap"};
    const Pe pe{1, 3, 2, 2};
    const MatrixWork all = inputs_stay ? work_of(24, 20, 20, pe) : work_of(20, 24, 20, pe);
    const std::uint64_t whole = matrix_timing(all, array).cycles;
    // Three times 8 of the 24 columns or rows that lie across the array's columns.
    MatrixWork part = inputs_stay ? work_of(8, 20, 20, pe) : work_of(20, 8, 20, pe);
    std::uint64_t sum = 0;
    for (int i = 0; i < 3; ++i) {
      part.first_of_op = i == 0;
      part.last_of_op = i == 2;
      sum += matrix_timing(part, array).cycles;
    }
    EXPECT_EQ(sum, whole) << dataflow;
  }
}

TEST(MatrixTimingTest, FirstCommandPaysTheFillLastTheDrain) {
  // ws, 4 x 4, M = 20, PE latency 3: interval 20; fill 4, drain 4 * 3 + 4 - 2.
  const Array array{.rows = 4, .cols = 4, .dataflow = "ws", .policy = "overlap"};
  MatrixWork work = work_of(20, 8, 4, {1, 3, 1, 0});
  work.first_of_op = work.last_of_op = false;
  EXPECT_EQ(matrix_timing(work, array).cycles, 40u);
  work.first_of_op = true;
  EXPECT_EQ(matrix_timing(work, array).cycles, 4u + 40);
  work.first_of_op = false;
  work.last_of_op = true;
  EXPECT_EQ(matrix_timing(work, array).cycles, 40u + 14);
}

TEST(MatrixTimingTest, PromotionsCostOnlyWhenAChunkIsShorterThanTheDrain) {
  Array array{.rows = 8, .cols = 4, .dataflow = "os", .policy = "serial"};
  MatrixWork work = work_of(8, 4, 64);
  work.chunk = 16;  // 4 chunks of 16 >= 8 rows
  EXPECT_EQ(matrix_timing(work, array).stream, 64u);
  EXPECT_EQ(matrix_timing(work, array).cycles, 64u + 8 + 4 - 2);
  work.chunk = 4;  // 16 chunks < 8 rows: drains every 8 cycles
  EXPECT_EQ(matrix_timing(work, array).stream, 4u + 15 * 8);
  std::vector<std::uint64_t> drains;
  for (std::uint64_t j = 0; j < 16; ++j) drains.push_back(4 + 8 * j);
  EXPECT_FALSE(drains_collide(8, drains));
  for (std::size_t j = 0; j < 16; ++j) drains[j] = 4 + 7 * j;
  EXPECT_TRUE(drains_collide(8, drains));
  array.policy = "overlap";  // three folds: the following ones have 16 drains each
  work.m = 24;
  EXPECT_EQ(matrix_timing(work, array).cycles, (8u + 4 - 2) + (4 + 15 * 8) + 2 * 16 * 8);
  array.dataflow = "ws";  // sums leave the columns one a cycle anyway
  work.chunk = 0;
  const std::uint64_t without = matrix_timing(work, array).cycles;
  work.chunk = 8;
  EXPECT_EQ(matrix_timing(work, array).cycles, without);
}

TEST(MatrixTimingTest, PeTimingFollowsTheFormatAndTheReduction) {
  units::AccumulatorConfig accumulator;  // fp32 sequential
  const units::OperandConfig operands{.cycles_per_mac = 2};
  const PeTiming plain = pe_timing({.dot_width = 1}, operands, accumulator);
  EXPECT_EQ(plain.latency_cycles, 4u);
  EXPECT_EQ(plain.cycles_per_mac, 2u);
  EXPECT_EQ(plain.pipeline_cycles, 0u);
  EXPECT_EQ(pe_timing({.dot_width = 8}, operands, accumulator).latency_cycles, 32u);
  accumulator.reduce = "tree";
  accumulator.format = "fp16";
  EXPECT_EQ(pe_timing({.dot_width = 8}, operands, accumulator).latency_cycles, 3u);
  EXPECT_EQ(pe_timing({.dot_width = 8}, operands, accumulator).pipeline_cycles, 9u);
  accumulator.latency_cycles = 7;
  EXPECT_EQ(pe_timing({.dot_width = 8}, operands, accumulator).latency_cycles, 7u);
  accumulator.latency_cycles = 0;
  accumulator.reduce = "aligned";  // log2 8 comparators in front; one addition of nine terms in the loop
  EXPECT_EQ(pe_timing({.dot_width = 8}, operands, accumulator).latency_cycles, 3u);
  EXPECT_EQ(pe_timing({.dot_width = 8}, operands, accumulator).pipeline_cycles, 3u);
  accumulator.align_accumulator = false;  // comparators, a shift and log2 8 integer additions in front
  EXPECT_EQ(pe_timing({.dot_width = 8}, operands, accumulator).latency_cycles, 3u);
  EXPECT_EQ(pe_timing({.dot_width = 8}, operands, accumulator).pipeline_cycles, 7u);
  accumulator.reduce = "fixed";  // a chain of integer additions; the sum's rounding into fp16 behind them
  EXPECT_EQ(pe_timing({.dot_width = 8}, operands, accumulator).latency_cycles, 8u);
  EXPECT_EQ(pe_timing({.dot_width = 8}, operands, accumulator).pipeline_cycles, 3u);
  accumulator.latency_cycles = 2;
  EXPECT_EQ(pe_timing({.dot_width = 8}, operands, accumulator).latency_cycles, 16u);
  EXPECT_EQ(pe_timing({.dot_width = 8}, operands, accumulator).pipeline_cycles, 3u);
  EXPECT_EQ(default_latency_cycles("int32"), 1u);
  EXPECT_EQ(default_latency_cycles("fp8_e4m3"), 2u);
  EXPECT_EQ(default_latency_cycles("bf16"), 3u);
  EXPECT_EQ(default_latency_cycles("tf32"), 4u);
}

}  // namespace
}  // namespace guardbit::sim
