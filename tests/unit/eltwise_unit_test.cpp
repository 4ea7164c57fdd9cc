/// Residual addition, conversions and rotary embedding against reference operations and long double.
#include "models/units/eltwise_unit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/units/arithmetic.h"
#include "tests/support/reference_steps.h"

namespace guardbit::units {
namespace {

using numerics::Event;
using numerics::Stage;
using tests::ReferenceSteps;

TEST(ResidualAddTest, EqualsTheReferenceWithSwampedBranches) {
  const Matrix<float> stream = tests::random_carriers(500, 40, numerics::kFp16, 20000, 41);
  const Matrix<float> branch = tests::random_carriers(500, 40, numerics::kBf16, 4, 42);
  for (const char* format : {"fp16", "fp32", "bf16", "fp8_e4m3"}) {
    const ReferenceSteps round{conversion_spec(format)};
    Matrix<float> y(500, 40);
    EventLedger actual;
    residual_add(stream.view(), branch.view(), round.spec, y.view(), actual, tests::run_backwards);
    EventLedger expected;
    Matrix<float> reference(500, 40);
    for (std::size_t i = 0; i < y.data().size(); ++i) {
      reference.data()[i] = round.accumulate(stream.data()[i], branch.data()[i], expected[Stage::kVector]);
    }
    EXPECT_EQ(tests::first_difference(y.data(), reference.data()), "") << format;
    EXPECT_EQ(tests::ledger_difference(actual, expected), "") << format;
  }
}

TEST(ResidualAddTest, AStreamThatLeavesFp16OverflowsHere) {
  const Matrix<float> stream(1, 3, std::vector<float>{65504, 65504, 2048});
  const Matrix<float> branch(1, 3, std::vector<float>{16, 8, 0.5F});
  Matrix<float> y(1, 3);
  EventLedger ledger;
  residual_add(stream.view(), branch.view(), conversion_spec("fp16"), y.view(), ledger);
  EXPECT_EQ(y.data(), (std::vector<float>{std::numeric_limits<float>::infinity(), 65504, 2048}));
  EXPECT_EQ(ledger[Stage::kVector][Event::kOverflow], 1u);
  EXPECT_EQ(ledger[Stage::kVector][Event::kSwamped], 2u);
  EXPECT_EQ(ledger[Stage::kVector][Event::kInexact], 3u);
}

TEST(ConvertRowsTest, CountsAtTheGivenStage) {
  const Matrix<float> x = tests::random_carriers(30, 1000, numerics::kFp32, 1e5, 43);
  const ReferenceSteps round{float_spec("fp16", "rup", "saturate", "flush")};
  for (const Stage stage : {Stage::kOperand, Stage::kStorage}) {
    Matrix<float> y(30, 1000);
    EventLedger actual;
    convert_rows(x.view(), round.spec, stage, y.view(), actual, tests::run_backwards);
    EventLedger expected;
    for (std::size_t i = 0; i < y.data().size(); ++i) {
      ASSERT_EQ(y.data()[i], round.convert(x.data()[i], expected[stage]));
    }
    EXPECT_EQ(tests::ledger_difference(actual, expected), "");
    EXPECT_GT(actual[stage][Event::kSaturated], 0u);
  }
}

TEST(RopeTableTest, EntriesAreNearTheExactValues) {
  for (const auto& [head_size, theta] : {std::pair{48, 10000.0}, {128, 500000.0}}) {
    const RopeTable table = make_rope_table(head_size, 4096, theta);
    ASSERT_EQ(table.cos.rows(), 4096u);
    ASSERT_EQ(table.sin.cols(), static_cast<std::size_t>(head_size / 2));
    double worst = 0;
    for (std::size_t position = 0; position < 4096; position += 3) {
      for (std::size_t pair = 0; pair < table.cos.cols(); ++pair) {
        const long double angle =
            static_cast<long double>(position) *
            std::pow(static_cast<long double>(theta), -2.0L * static_cast<long double>(pair) / head_size);
        // Half an ulp of a value up to 1, and the angle's error: position * 16e-16.
        const double bound = 0x1p-25 + 1e-15 * (1 + 16 * static_cast<double>(position));
        const double cos_error = static_cast<double>(std::fabs(table.cos(position, pair) - std::cos(angle)));
        const double sin_error = static_cast<double>(std::fabs(table.sin(position, pair) - std::sin(angle)));
        worst = std::max({worst, cos_error / bound, sin_error / bound});
      }
    }
    EXPECT_LE(worst, 1.0) << head_size;
    EXPECT_GT(worst, 0.9) << head_size;
  }
}

TEST(RopeTableTest, ScalingChangesTheFrequencies) {
  // A wavelength of 2 pi * 100^(2i / 8): 6.3, 19.9, 62.8, 198.7. Of a context of 40: shorter than 10 as it is, longer
  // than 40 divided, between them (1 - s) / 8 + s with s = (40 / 19.9 - 1) / (4 - 1).
  const RopeScaling llama3{RopeScalingKind::kLlama3, 8, 1, 4, 40};
  const double middle = (40 / (2 * M_PI * std::sqrt(10.0)) - 1) / 3;
  const std::vector<double> factors = {1, (1 - middle) / 8 + middle, 1.0 / 8, 1.0 / 8};
  const RopeTable plain = make_rope_table(8, 50, 100);
  const RopeTable linear = make_rope_table(8, 200, 100, RopePairs::kHalves, {RopeScalingKind::kLinear, 4});
  const RopeTable scaled = make_rope_table(8, 50, 100, RopePairs::kHalves, llama3);
  for (std::size_t pair = 0; pair < 4; ++pair) {
    const double frequency = std::pow(100.0, -2.0 * static_cast<double>(pair) / 8);
    EXPECT_NEAR(scaled_frequency(llama3, frequency), frequency * factors[pair], 1e-15) << pair;
    EXPECT_EQ(scaled_frequency({}, frequency), frequency);
    for (std::size_t position = 0; position < 50; ++position) {
      EXPECT_EQ(linear.cos(4 * position, pair), plain.cos(position, pair)) << position;
      EXPECT_NEAR(scaled.sin(position, pair), std::sin(static_cast<double>(position) * frequency * factors[pair]),
                  1e-7);
    }
  }
}

TEST(RopeTest, HalvesAreNeighboursInAnotherOrder) {
  const Matrix<float> halves = tests::random_carriers(20, 24, numerics::kFp16, 300, 45);
  Matrix<float> neighbours(20, 24);
  const auto column = [](std::size_t col) {  // of element col of the halves' layout
    const std::size_t within = col % 8;
    return col - within + (within < 4 ? 2 * within : 2 * (within - 4) + 1);
  };
  for (std::size_t t = 0; t < 20; ++t)
    for (std::size_t col = 0; col < 24; ++col) neighbours(t, column(col)) = halves(t, col);
  const ReferenceSteps storage{conversion_spec("fp16")};
  Matrix<float> a(20, 24);
  Matrix<float> b(20, 24);
  EventLedger events_a;
  EventLedger events_b;
  rope(halves.view(), make_rope_table(8, 50, 10000, RopePairs::kHalves), 30, storage.spec, a.view(), events_a);
  rope(neighbours.view(), make_rope_table(8, 50, 10000), 30, storage.spec, b.view(), events_b);
  for (std::size_t t = 0; t < 20; ++t)
    for (std::size_t col = 0; col < 24; ++col) ASSERT_EQ(a(t, col), b(t, column(col))) << t << " " << col;
  EXPECT_EQ(tests::ledger_difference(events_a, events_b), "");
}

TEST(RopeTest, RotatesInterleavedPairsOfEveryHead) {
  const RopeTable table = make_rope_table(8, 50, 10000);
  const Matrix<float> x = tests::random_carriers(20, 24, numerics::kFp16, 300, 44);  // three heads of 8
  const ReferenceSteps fp32;
  const ReferenceSteps storage{conversion_spec("fp16")};
  Matrix<float> y = x;
  EventLedger actual;
  rope(y.view(), table, 30, storage.spec, y.view(), actual, tests::run_backwards);
  EventLedger expected;
  EventCounts& events = expected[Stage::kVector];
  Matrix<float> reference(20, 24);
  for (std::size_t t = 0; t < 20; ++t) {
    for (std::size_t head = 0; head < 3; ++head) {
      for (std::size_t pair = 0; pair < 4; ++pair) {
        const std::size_t col = head * 8 + pair * 2;
        const float c = table.cos(30 + t, pair);
        const float s = table.sin(30 + t, pair);
        const float x0 = x(t, col);
        const float x1 = x(t, col + 1);
        const float y0 = fp32.multiply_add(x0, c, -fp32.multiply(x1, s, events), events);
        const float y1 = fp32.multiply_add(x0, s, fp32.multiply(x1, c, events), events);
        reference(t, col) = storage.convert(y0, expected[Stage::kStorage]);
        reference(t, col + 1) = storage.convert(y1, expected[Stage::kStorage]);
        // A rotation: the complex product with e^(i angle), within roundings of fp16.
        const double angle = static_cast<double>(30 + t) * std::pow(10000.0, -2.0 * static_cast<double>(pair) / 8);
        const double size = std::hypot(static_cast<double>(x0), static_cast<double>(x1));
        EXPECT_NEAR(y(t, col), x0 * std::cos(angle) - x1 * std::sin(angle), size * 0x1p-10);
        EXPECT_NEAR(y(t, col + 1), x0 * std::sin(angle) + x1 * std::cos(angle), size * 0x1p-10);
      }
    }
  }
  EXPECT_EQ(tests::first_difference(y.data(), reference.data()), "");
  EXPECT_EQ(tests::ledger_difference(actual, expected), "");
}

}  // namespace
}  // namespace guardbit::units
