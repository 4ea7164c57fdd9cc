// Weights kept in 16 bits are those of quantize_operand(), bit for bit, scales and events included.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "models/units/arithmetic.h"
#include "models/units/narrow_operand.h"

namespace guardbit::units {
namespace {

TEST(NarrowOperandTest, WidensToWhatWasQuantized) {
  std::mt19937 random(1);
  numerics::Matrix<float> x(1500, 7);  // more rows than are narrowed together
  for (float& value : x.data()) {
    value = std::ldexp(static_cast<float>(random()) * 0x1p-31F - 1, static_cast<int>(random() % 40) - 24);
    if (random() % 64 == 0) value = random() % 2 == 0 ? -0.0F : HUGE_VALF;
  }
  for (const char* format : {"fp16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp8_e4m3fnuz", "e6m9", "fp4_e2m1"}) {
    for (const bool scaled : {false, true}) {
      ArrayConfig array;
      OperandConfig operands;
      operands.activation = operands.weight = format;
      if (scaled) operands.scale = "dynamic";
      MatrixMode mode = make_matrix_mode(array, operands, AccumulatorConfig{}, 0);
      ASSERT_TRUE(NarrowOperand::fits(mode)) << format;
      EventLedger events, expected_events;
      const NarrowOperand narrow(x.view(), mode, events);
      const Operand expected = quantize_operand(x.view(), mode, /*is_weight=*/true, expected_events);
      EXPECT_TRUE(events.stages == expected_events.stages) << format;
      EXPECT_EQ(narrow.scales(), expected.scales) << format;
      for (const IndexRange rows : {IndexRange{0, 1500}, IndexRange{1020, 1031}, IndexRange{1499, 1500}}) {
        const Operand part = narrow.widen(rows);
        ASSERT_EQ(part.rows(), rows.size());
        EXPECT_EQ(std::memcmp(part.values.row(0), expected.values.row(rows.begin), rows.size() * 7 * sizeof(float)), 0)
            << format << " rows " << rows.begin;
      }
    }
  }
}

TEST(NarrowOperandTest, WiderFloatsAndIntegersAreKeptAsTheyAre) {
  MatrixMode mode;
  mode.weight = numerics::kFp32;
  EXPECT_FALSE(NarrowOperand::fits(mode));
  mode.weight = numerics::kFp16;
  EXPECT_TRUE(NarrowOperand::fits(mode));
  mode.integer = true;
  EXPECT_FALSE(NarrowOperand::fits(mode));
}

}  // namespace
}  // namespace guardbit::units
