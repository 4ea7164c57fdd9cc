/// From configuration names to arithmetic: every row of make_matrix_mode()'s table.
#include <gtest/gtest.h>

#include "models/numerics/check.h"
#include "models/units/arithmetic.h"

namespace guardbit::units {
namespace {

using numerics::FloatSpec;
using numerics::OverflowPolicy;
using numerics::RoundingMode;

struct Described {
  ArrayConfig array;
  OperandConfig operands;
  AccumulatorConfig accumulator;
  MatrixMode mode(int group = 0) const { return make_matrix_mode(array, operands, accumulator, group); }
};

Described integers() {
  Described described;
  described.operands.activation = "int4";
  described.operands.weight = "int8";
  described.accumulator.format = "int20";
  described.accumulator.int_overflow = "saturate";
  return described;
}

TEST(FloatSpecTest, NamesBecomeFields) {
  EXPECT_EQ(float_spec("bf16", "rtz", "saturate", "flush"), (FloatSpec{.format = numerics::kBf16,
                                                                       .rounding = RoundingMode::kTowardZero,
                                                                       .overflow = OverflowPolicy::kSaturate,
                                                                       .flush_output = true}));
  EXPECT_EQ(conversion_spec("fp16"), (FloatSpec{.format = numerics::kFp16}));
  EXPECT_EQ(conversion_spec("fp8_e4m3"),
            (FloatSpec{.format = numerics::kFp8E4M3, .overflow = OverflowPolicy::kSaturate}));
}

TEST(MatrixModeTest, OutputStationaryWithoutBufferSumsAllOfKInThePe) {
  Described described;
  described.accumulator.format = "fp16";
  described.accumulator.interleave = 3;
  described.accumulator.product = "bf16";
  described.accumulator.rounding = "rup";
  const MatrixMode mode = described.mode();
  EXPECT_FALSE(mode.integer);
  EXPECT_EQ(mode.chunk, 0);
  EXPECT_EQ(mode.activation, numerics::kFp16);
  EXPECT_EQ(mode.float_spec,
            (arith::AccumulationSpec{
                .interleave = 3,
                .product = FloatSpec{.format = numerics::kBf16, .rounding = RoundingMode::kTowardPositive},
                .inner = {.format = numerics::kFp16, .rounding = RoundingMode::kTowardPositive}}));
}

TEST(MatrixModeTest, OutputStationaryWithBufferPromotes) {
  Described described;
  described.accumulator.buffer.format = "bf16";
  EXPECT_EQ(described.mode().float_spec.promote_every, kWholeReduction);
  EXPECT_EQ(described.mode().chunk, kWholeReduction);
  described.accumulator.buffer.promote_every = 96;
  EXPECT_EQ(described.mode().float_spec.promote_every, 96);
  EXPECT_EQ(described.mode().chunk, 96);
  EXPECT_EQ(described.mode().float_spec.outer, (FloatSpec{.format = numerics::kBf16}));
}

TEST(MatrixModeTest, WeightStationaryPromotesAfterEachPassDownAColumn) {
  Described described;
  described.array.dataflow = "ws";
  described.array.rows = 16;
  described.array.dot_width = 4;
  described.accumulator.reduce = "tree";
  described.accumulator.buffer.format = "fp32";
  const MatrixMode mode = described.mode();
  EXPECT_EQ(mode.chunk, 64);
  EXPECT_EQ(mode.float_spec.promote_every, 64);
  EXPECT_EQ(mode.float_spec.reduce, arith::Reduce::kTree);
  EXPECT_EQ(mode.float_spec.width, 4);
  EXPECT_EQ(described.mode(128).chunk, 64) << "two passes share a scale";
  EXPECT_EQ(described.mode(32).chunk, 32) << "a pass ends with its group";
  EXPECT_THROW(described.mode(96), InternalError) << "a pass would need two scales";
  described.array.dataflow = "is";
  EXPECT_EQ(described.mode().float_spec, mode.float_spec) << "rows and columns exchanged: the same sums";
  EXPECT_EQ(described.mode(32).chunk, 32);
}

TEST(MatrixModeTest, AGroupReplacesPromoteEvery) {
  Described described;
  described.accumulator.buffer.promote_every = 64;
  described.accumulator.buffer.format = "fp16";
  const MatrixMode mode = described.mode(128);
  EXPECT_EQ(mode.chunk, 128);
  EXPECT_EQ(mode.group, 128);
  EXPECT_EQ(mode.float_spec.promote_every, 128);
  described.accumulator.buffer = {};
  EXPECT_EQ(described.mode(128).float_spec.outer, (FloatSpec{}))
      << "fp32 applies the scales where no buffer is described";
}

TEST(MatrixModeTest, IntegersAreConvertedByTheOuterAccumulator) {
  Described described = integers();
  const MatrixMode whole = described.mode();
  EXPECT_TRUE(whole.integer);
  EXPECT_EQ(whole.activation_bits, 4);
  EXPECT_EQ(whole.weight_bits, 8);
  EXPECT_EQ(whole.chunk, kWholeReduction);
  EXPECT_EQ(
      whole.int_spec,
      (arith::IntAccumulationSpec{
          .inner = {20}, .overflow = numerics::IntOverflow::kSaturate, .promote_every = kWholeReduction, .outer = {}}));
  described.accumulator.buffer.format = "bf16";
  EXPECT_EQ(described.mode(128).int_spec.promote_every, 128);
  EXPECT_EQ(described.mode(128).int_spec.outer, (FloatSpec{.format = numerics::kBf16}));
  described.array.dataflow = "ws";
  EXPECT_EQ(described.mode(128).int_spec.promote_every, 32);
}

TEST(MatrixModeTest, OperandMaximaDefaultToTheFormats) {
  Described described;
  described.operands.activation = "fp8_e4m3";
  described.operands.weight = "fp8_e5m2";
  EXPECT_FALSE(described.mode().dynamic_scale);
  described.operands.scale = "dynamic";
  EXPECT_TRUE(described.mode().dynamic_scale);
  EXPECT_EQ(described.mode().operand_max_activation, 448.0F);
  EXPECT_EQ(described.mode().operand_max_weight, 57344.0F);
  described.operands.operand_max = 16;
  EXPECT_EQ(described.mode().operand_max_activation, 16.0F);
  EXPECT_EQ(described.mode().operand_max_weight, 16.0F);
}

}  // namespace
}  // namespace guardbit::units
