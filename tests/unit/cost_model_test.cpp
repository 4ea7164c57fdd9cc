// Prices: published entries come out as they are, other widths by the stated rules.
#include "models/units/cost_model.h"

#include <gtest/gtest.h>

namespace guardbit::units {
namespace {

double energy(Operation operation, const char* a, const char* b = "") {
  return arithmetic_cost(EnergyConfig{}, {operation, a, b});
}

TEST(CostModelTest, PublishedFormatsCostTheirEntries) {
  EXPECT_DOUBLE_EQ(energy(Operation::kMultiply, "int8"), 0.2);
  EXPECT_DOUBLE_EQ(energy(Operation::kMultiply, "int32"), 3.1);
  EXPECT_DOUBLE_EQ(energy(Operation::kMultiply, "fp16"), 1.1);
  EXPECT_DOUBLE_EQ(energy(Operation::kMultiply, "fp32"), 3.7);
  EXPECT_DOUBLE_EQ(energy(Operation::kAdd, "int8"), 0.03);
  EXPECT_DOUBLE_EQ(energy(Operation::kAdd, "int32"), 0.1);
  EXPECT_DOUBLE_EQ(energy(Operation::kAdd, "fp16"), 0.4);
  EXPECT_DOUBLE_EQ(energy(Operation::kAdd, "fp32"), 0.9);
  EXPECT_DOUBLE_EQ(arithmetic_cost(AreaConfig{}, {Operation::kMultiply, "fp32", ""}), 7700);
  EXPECT_DOUBLE_EQ(arithmetic_cost(AreaConfig{}, {Operation::kAdd, "int8", ""}), 36);
}

TEST(CostModelTest, OtherWidthsScaleWithTheirSignificands) {
  EXPECT_DOUBLE_EQ(energy(Operation::kMultiply, "int4"), 0.2 * 16 / 64);
  EXPECT_DOUBLE_EQ(energy(Operation::kMultiply, "int8", "int4"), 0.2 * 32 / 64);
  EXPECT_DOUBLE_EQ(energy(Operation::kMultiply, "int16"), 3.1 * 256 / 1024);
  EXPECT_DOUBLE_EQ(energy(Operation::kMultiply, "fp8_e4m3"), 1.1 * 16 / 121);
  EXPECT_DOUBLE_EQ(energy(Operation::kMultiply, "bf16"), 1.1 * 64 / 121);
  EXPECT_DOUBLE_EQ(energy(Operation::kMultiply, "fp8_e4m3", "fp8_e5m2"), 1.1 * 12 / 121);
  EXPECT_DOUBLE_EQ(energy(Operation::kMultiply, "fp16", "fp32"), 3.7 * 11 * 24 / 576);
  EXPECT_DOUBLE_EQ(energy(Operation::kMultiply, "tf32"), 3.7 * 121 / 576) << "19 bits: wider than 16";
  EXPECT_DOUBLE_EQ(energy(Operation::kAdd, "int16"), 0.1 * 16 / 32);
  EXPECT_DOUBLE_EQ(energy(Operation::kAdd, "fp8_e5m2"), 0.4 * 3 / 11);
  EXPECT_DOUBLE_EQ(energy(Operation::kDivide, "fp32"), 4 * (3.7 + 0.9));
}

TEST(CostModelTest, MemoryGrowsWithTheRootOfABank) {
  const EnergyConfig config;
  EXPECT_DOUBLE_EQ(sram_byte_energy(config, 8192, 1), 1.25);
  EXPECT_DOUBLE_EQ(sram_byte_energy(config, 32768, 1), 2.5) << "Horowitz: 20 pJ for 64 bits of 32 KiB";
  EXPECT_NEAR(8 * sram_byte_energy(config, 1 << 20, 1), 100, 15) << "Horowitz: 100 pJ at 1 MiB";
  EXPECT_DOUBLE_EQ(sram_byte_energy(config, 262144, 8), 2.5);
}

}  // namespace
}  // namespace guardbit::units
