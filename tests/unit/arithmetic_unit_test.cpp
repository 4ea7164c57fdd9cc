/// From configuration names to arithmetic: every row of make_matrix_mode()'s table.
#include <gtest/gtest.h>

#include "models/arith/presets.h"
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

TEST(MatrixModeTest, AlignedTakesItsWidthFromTheArrayAndSubnormalsFromTheOperands) {
  Described described;
  described.array.dot_width = 16;
  described.operands.activation = "fp8_e4m3";
  described.operands.weight = "fp8_e5m2";
  described.accumulator.reduce = "aligned";
  described.accumulator.extra_bits = 13;
  described.accumulator.align_rounding = "rdn";
  described.accumulator.align_accumulator = false;
  EXPECT_EQ(described.mode().float_spec,
            (arith::AccumulationSpec{.reduce = arith::Reduce::kAligned,
                                     .width = 16,
                                     .alignment = {.fraction_bits = 13,
                                                   .rounding = RoundingMode::kTowardNegative,
                                                   .align_accumulator = false,
                                                   .emin_a = -6,
                                                   .emin_b = -14}}));
}

TEST(MatrixModeTest, FixedIsOneProductAStepWhateverTheArrayTakes) {
  Described described;
  described.array.dot_width = 8;
  described.accumulator.reduce = "fixed";
  described.accumulator.format = "bf16";
  described.accumulator.fixed_format = "q40.20";
  described.accumulator.fixed_rounding = "rna";
  described.accumulator.fixed_overflow = "saturate";
  EXPECT_EQ(described.mode().float_spec,
            (arith::AccumulationSpec{.reduce = arith::Reduce::kFixed,
                                     .inner = {.format = numerics::kBf16},
                                     .fixed = {.format = {.integer_bits = 40, .fraction_bits = 20},
                                               .rounding = RoundingMode::kTiesToAway,
                                               .overflow = numerics::IntOverflow::kSaturate}}));
}

TEST(DescribeAccumulatorTest, EveryPresetIsWhatItsKeysMake) {
  for (const arith::Preset& preset : arith::presets()) {
    Described described;
    described.array.dot_width = preset.spec.width;
    described.operands.activation = numerics::name_of(preset.a);
    described.operands.weight = numerics::name_of(preset.b);
    described.accumulator = describe_accumulator(preset.spec);
    EXPECT_EQ(described.mode().float_spec, preset.spec) << preset.name;
  }
}

TEST(DescribeAccumulatorTest, KeysSurviveTheRoundTrip) {
  Described described;
  described.array.dot_width = 8;
  described.accumulator.product = "fp16";
  described.accumulator.rounding = "rup";
  described.accumulator.subnormals = "flush";
  described.accumulator.buffer.format = "bf16";
  described.accumulator.buffer.overflow = "saturate";
  described.accumulator.buffer.promote_every = 24;
  for (const char* reduce : {"sequential", "tree", "aligned", "fixed"}) {
    described.accumulator.reduce = reduce;
    described.accumulator.align_accumulator = described.accumulator.reduce != "aligned";
    described.accumulator.fixed_format = described.accumulator.reduce == "fixed" ? "q9.30" : "q64.64";
    Described again = described;
    again.accumulator = describe_accumulator(described.mode().float_spec);
    EXPECT_EQ(again.mode().float_spec, described.mode().float_spec) << reduce;
    EXPECT_EQ(again.accumulator.reduce, reduce);
  }
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
