// Waveforms of the stepped array: the registers hold what a hand calculation says, in the cycles that are counted, and
// too many signals are refused. One process per test (SystemC).
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <bit>
#include <fstream>
#include <sstream>

#include "models/units/arithmetic.h"
#include "sim/base/error.h"
#include "sim/modules/recorded_product.h"
#include "sim/modules/timing.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/vcd_reader.h"

namespace guardbit::sim {
namespace {

using tests::Vcd;
using tests::VcdSignal;

constexpr std::uint64_t kCycle = 1000;  // of the file's picoseconds
constexpr std::uint64_t kNoFold = 0xFFFFFFFF;

Vcd read(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return tests::read_vcd(text.str());
}

/// A small array and a product of small integers on it.
struct Product {
  units::AcceleratorConfig config;
  units::MatrixMode mode;
  units::Operand a, b;
  numerics::Matrix<float> c;
  MatrixWork work;

  Product(std::uint64_t m, std::uint64_t n, std::uint64_t k, const std::string& dataflow = "os") {
    config.array.rows = config.array.cols = 2;
    config.array.dataflow = dataflow;
    config.array.edge = "full";
    config.linear.activation = config.linear.weight = "int8";
    config.accumulator.format = "int32";
    if (dataflow != "os") config.accumulator.buffer.format = "fp32";
    mode = units::make_matrix_mode(config.array, config.linear, config.accumulator, 0);
    const auto fill = [](units::Operand& operand, std::uint64_t rows, std::uint64_t cols, int first) {
      operand.integer = true;
      operand.codes = numerics::Matrix<std::int8_t>(rows, cols);
      for (std::int8_t& code : operand.codes.data()) code = static_cast<std::int8_t>(first++);
    };
    fill(a, m, k, 1);
    fill(b, n, k, -3);
    c = numerics::Matrix<float>(m, n);
    work = {.m = m, .n = n, .k = k, .chunk = static_cast<std::uint64_t>(mode.chunk)};
  }
  std::uint64_t record(const WaveOptions& wave) {
    RecordedProduct recorded(config, /*stepped=*/true, wave);
    return recorded.run({.array = config.array,
                         .work = work,
                         .values = PeProduct::Values{.mode = &mode, .a = &a, .b = &b, .c = c.view()}});
  }
};

const VcdSignal& pe_signal(const Vcd& vcd, std::uint32_t row, std::uint32_t col, const std::string& name) {
  return vcd.signals.at("SystemC.accelerator.matrix.pe_array.pe_" + std::to_string(row) + "_" + std::to_string(col) +
                        "." + name);
}
const VcdSignal& fold_of(const Vcd& vcd) { return vcd.signals.at("SystemC.accelerator.matrix.pe_array.fold"); }

/// What PE (r, c) took in cycle t - 1 is in its registers in cycle t; step k of an output begins in cycle r + c + k.
TEST(PeWaveTest, OutputStationaryRegistersFollowTheSkew) {
  const tests::TemporaryDirectory directory;
  constexpr std::uint64_t kDepth = 3;
  Product product(2, 2, kDepth);
  ASSERT_EQ(product.record({.file = directory / "pe.vcd"}), kDepth + 2);  // K + R + C - 2
  const Vcd vcd = read(directory / "pe.vcd");
  for (std::uint32_t row = 0; row < 2; ++row) {
    for (std::uint32_t col = 0; col < 2; ++col) {
      std::int32_t sum = 0;
      for (std::uint64_t cycle = 0; cycle < kDepth + 2; ++cycle) {
        const std::string what = fmt::format("PE ({}, {}) in cycle {}", row, col, cycle);
        const std::uint64_t first = row + col + 1;
        const bool valid = cycle >= first && cycle < first + kDepth;
        const std::uint64_t time = cycle * kCycle;
        EXPECT_EQ(pe_signal(vcd, row, col, "a_valid").at(time), valid ? 1u : 0u) << what;
        EXPECT_EQ(pe_signal(vcd, row, col, "b_valid").at(time), valid ? 1u : 0u) << what;
        EXPECT_EQ(pe_signal(vcd, row, col, "held_valid").at(time), 0u) << what;
        if (!valid) continue;
        const std::uint64_t k = cycle - first;
        const std::int32_t x = product.a.codes(row, k), y = product.b.codes(col, k);
        EXPECT_EQ(pe_signal(vcd, row, col, "a").at(time), std::bit_cast<std::uint32_t>(x)) << what;
        EXPECT_EQ(pe_signal(vcd, row, col, "b").at(time), std::bit_cast<std::uint32_t>(y)) << what;
        sum += x * y;  // an adder of one stage: the sum is there one cycle after the step began
        EXPECT_EQ(pe_signal(vcd, row, col, "accumulator").at(time), std::bit_cast<std::uint32_t>(sum)) << what;
        if (k + 1 == kDepth) {
          EXPECT_EQ(pe_signal(vcd, row, col, "sum_valid").at(time), 1u) << what;
        }
      }
    }
  }
  // Behind the product's last cycle the array is shown idle, whatever still leaves it.
  for (const auto& [name, signal] : vcd.signals) {
    if (name.find("pe_array") == std::string::npos) continue;
    EXPECT_EQ(signal.at((kDepth + 2) * kCycle), name.ends_with(".fold") ? kNoFold : 0u) << name;
  }
}

TEST(PeWaveTest, WeightStationaryPesHoldTheirOperands) {
  const tests::TemporaryDirectory directory;
  Product product(3, 2, 2, "ws");
  const std::uint64_t cycles = product.record({.file = directory / "pe.vcd"});
  ASSERT_EQ(cycles, matrix_timing(product.work, product.config.array).cycles);
  const Vcd vcd = read(directory / "pe.vcd");
  for (std::uint32_t row = 0; row < 2; ++row) {
    for (std::uint32_t col = 0; col < 2; ++col) {
      // r = 2 cycles of preload, then row m meets PE (r, c) in cycle 2 + m + r + c.
      const std::uint64_t first = 2 + row + col;
      EXPECT_EQ(pe_signal(vcd, row, col, "held_valid").at(first * kCycle), 0u);
      EXPECT_EQ(pe_signal(vcd, row, col, "held_valid").at((first + 1) * kCycle), 1u);
      EXPECT_EQ(pe_signal(vcd, row, col, "held").at((first + 1) * kCycle),
                std::bit_cast<std::uint32_t>(std::int32_t{product.b.codes(col, row)}));
      EXPECT_EQ(pe_signal(vcd, row, col, "a").at((first + 1) * kCycle),
                std::bit_cast<std::uint32_t>(std::int32_t{product.a.codes(0, row)}));
      EXPECT_EQ(pe_signal(vcd, row, col, "adding").at(cycles * kCycle), 0u);
    }
  }
}

/// Cycles in which PE (0, 0) takes operands of each fold.
std::map<std::uint64_t, std::uint64_t> cycles_by_fold(const Vcd& vcd, std::uint64_t total) {
  std::map<std::uint64_t, std::uint64_t> cycles;
  for (std::uint64_t cycle = 0; cycle < total; ++cycle) ++cycles[fold_of(vcd).at(cycle * kCycle)];
  return cycles;
}

TEST(PeWaveTest, SerialFoldsAreShownOneAfterTheOther) {
  const tests::TemporaryDirectory directory;
  Product product(4, 4, 5);
  product.config.array.policy = "serial";
  const std::uint64_t cycles = product.record({.file = directory / "pe.vcd", .select = "*.fold"});
  ASSERT_EQ(cycles, 4u * 7);  // 4 folds of K + R + C - 2
  const Vcd vcd = read(directory / "pe.vcd");
  EXPECT_EQ(vcd.signals.size(), 1u);
  for (std::uint64_t cycle = 0; cycle < cycles; ++cycle) {
    EXPECT_EQ(fold_of(vcd).at(cycle * kCycle), cycle % 7 < 5 ? cycle / 7 : kNoFold) << cycle;
  }
}

TEST(PeWaveTest, OverlappedFoldsFollowOneAnother) {
  const tests::TemporaryDirectory directory;
  Product product(4, 4, 5);
  const std::uint64_t cycles = product.record({.file = directory / "pe.vcd", .select = "*.fold"});
  ASSERT_EQ(cycles, 4u * 5 + 2);
  const std::map<std::uint64_t, std::uint64_t> expected = {{0, 5}, {1, 5}, {2, 5}, {3, 5}, {kNoFold, 2}};
  EXPECT_EQ(cycles_by_fold(read(directory / "pe.vcd"), cycles), expected);
}

TEST(PeWaveTest, AWindowHoldsWhatTheWholeHoldsThere) {
  const tests::TemporaryDirectory directory;
  Product product(4, 4, 20);
  {
    // Two files of one run: two recorders would need two machines.
    Product again(4, 4, 20);
    again.record({.file = directory / "part.vcd", .from_cycle = 30, .to_cycle = 50, .select = "*.pe_1_*"});
  }
  const Vcd part = read(directory / "part.vcd");
  EXPECT_EQ(part.signals.size(), 2u * 10);
  EXPECT_EQ(part.first_time, 30 * kCycle);
  EXPECT_EQ(part.last_time, 50 * kCycle);
  for (std::uint64_t cycle = 30; cycle < 50; ++cycle) {
    const std::uint64_t step = cycle - 2;  // PE (1, 0) is one behind, its register another one; folds follow directly
    const std::uint64_t fold = step / 20, k = step % 20;
    EXPECT_EQ(pe_signal(part, 1, 0, "a_valid").at(cycle * kCycle), 1u) << cycle;
    EXPECT_EQ(pe_signal(part, 1, 0, "a").at(cycle * kCycle),
              std::bit_cast<std::uint32_t>(std::int32_t{product.a.codes(fold / 2 * 2 + 1, k)}))
        << cycle;
  }
}

TEST(PeWaveTest, MoreSignalsThanAFileShouldHaveAreRefused) {
  const tests::TemporaryDirectory directory;
  units::AcceleratorConfig config;
  config.array.rows = config.array.cols = 24;
  try {
    RecordedProduct recorded(config, /*stepped=*/true, {.file = directory / "pe.vcd", .select = "*.pe_*"});
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_EQ(error.code(), ExitCode::kUsage);
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("5761 signals match"), testing::HasSubstr("4096")));
  }
  EXPECT_FALSE(std::filesystem::exists(directory / "pe.vcd"));
}

}  // namespace
}  // namespace guardbit::sim
