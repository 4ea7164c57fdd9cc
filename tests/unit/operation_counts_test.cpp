// Operations of single commands, counted by hand.
#include "sim/schedule/operation_counts.h"

#include <gtest/gtest.h>

#include "tests/support/command_program.h"

namespace guardbit::sim {
namespace {

using transformer::Op;
using transformer::OpKind;
using units::Operation;
using units::OperationKey;

Op op_of(OpKind kind, const std::string& name, std::vector<std::string> inputs) {
  Op op;
  op.kind = kind;
  op.name = op.output = name;
  op.inputs = std::move(inputs);
  return op;
}

/// x is stored in fp16 (residual), everything else in fp8_e4m3.
class OperationCountsTest : public testing::Test {
 protected:
  OperationCountsTest() {
    config_.array.rows = 4;
    config_.array.cols = 8;
    config_.linear.activation = "int8";
    config_.linear.weight = "int4";
    config_.accumulator.format = "int32";
    config_.accumulator.buffer.format = "fp16";
    config_.storage.activation = "fp8_e4m3";
    model_.ops = {op_of(OpKind::kEmbed, "x", {}), op_of(OpKind::kNorm, "norm", {"x"}),
                  op_of(OpKind::kLinear, "linear", {"norm"}), op_of(OpKind::kActivation, "act", {"linear"})};
    model_.ops[2].bias = "linear.bias";
  }
  /// Of one command of op `op`.
  OperationCounts count(std::uint32_t op, UnitKind unit, Work work, Purpose purpose) {
    Command command = tests::command(unit, work, 0);
    command.op_index = op;
    command.purpose = purpose;
    return count_operations(model_, config_, {command})[op][static_cast<std::size_t>(unit)];
  }

  units::AcceleratorConfig config_;
  transformer::Model<float> model_;
};

OperationKey scratchpad_byte() { return {Operation::kScratchpadByte, "", ""}; }
OperationKey accumulator_byte() { return {Operation::kAccumulatorByte, "", ""}; }

TEST_F(OperationCountsTest, TransferMovesEachByteInBothMemories) {
  EXPECT_EQ(count(2, UnitKind::kLoad, DmaWork{0, 77}, Purpose::kWeights),
            (OperationCounts{{{Operation::kDramByte, "", ""}, 77}, {scratchpad_byte(), 77}}));
}

TEST_F(OperationCountsTest, ProductOnAnOutputStationaryArray) {
  // 6 x 10 x 20 on 4 x 8: two row folds read the weights, two column folds the activations.
  const MatrixWork work{.m = 6, .n = 10, .k = 20, .chunk = 7};
  const OperationCounts expected = {{{Operation::kMultiply, "int8", "int4"}, 1200},
                                    {{Operation::kAdd, "int32", ""}, 1200},
                                    {{Operation::kAdd, "fp16", ""}, 180},
                                    {scratchpad_byte(), 2 * 6 * 20 + 2 * 10 * 20 / 2},
                                    {accumulator_byte(), 60 * 2 * 5}};  // three writes, two reads of fp16
  EXPECT_EQ(count(2, UnitKind::kMatrix, work, Purpose::kProduct), expected);
  model_.ops[2].smooth = true;
  EXPECT_EQ(count(2, UnitKind::kMatrix, work, Purpose::kProduct).at({Operation::kMultiply, "fp16", ""}), 180u)
      << "each chunk times its group's scale";
}

TEST_F(OperationCountsTest, ZeroPointsAndGroupsAddTheirTermsToEveryPromotion) {
  const MatrixWork work{.m = 6, .n = 10, .k = 20, .chunk = 7};  // 60 results, three promotions each
  const OperationCounts plain = count(2, UnitKind::kMatrix, work, Purpose::kProduct);
  model_.ops[2].codes = {.bits = 4, .group = 7, .zero_points = true};
  config_.activations.zero_point = true;
  OperationCounts expected = plain;
  expected[{Operation::kMultiply, "int32", ""}] += 2 * 180;  // z_w R and z_x C
  expected[{Operation::kAdd, "int32", ""}] += 2 * 180;
  expected[{Operation::kMultiply, "fp16", ""}] += 180;  // the group's scale
  EXPECT_EQ(count(2, UnitKind::kMatrix, work, Purpose::kProduct), expected);
  config_.activations.group = 7;
  expected[{Operation::kMultiply, "fp32", ""}] += 180;  // times the weights' scale
  EXPECT_EQ(count(2, UnitKind::kMatrix, work, Purpose::kProduct), expected);

  EXPECT_EQ(count(2, UnitKind::kVector, VectorWork{.elements = 120}, Purpose::kRowSums),
            (OperationCounts{{{Operation::kAdd, "int32", ""}, 120}, {scratchpad_byte(), 120}}));
}

TEST_F(OperationCountsTest, LayersWithZeroPointsAndCodesAddToTheArea) {
  config_.array.dot_width = 2;
  EXPECT_TRUE(operand_area_of(model_, config_).empty());
  model_.ops[2].codes = {.bits = 4, .zero_points = true};
  EXPECT_DOUBLE_EQ(operand_area_of(model_, config_).at("corrections"), 8 * (3495 + 137)) << "behind each column";
  config_.activations.zero_point = true;
  config_.activations.group = model_.ops[2].codes.group = 7;
  EXPECT_DOUBLE_EQ(operand_area_of(model_, config_).at("corrections"), 8 * (2 * (3495 + 137) + 7700))
      << "both kinds of zero points, and the product of two scales";
  config_.activations = {};
  config_.linear.activation = config_.linear.weight = "fp16";
  config_.accumulator.format = "fp32";
  model_.ops[2].codes.group = 0;
  EXPECT_FALSE(operand_area_of(model_, config_).contains("corrections"));
  EXPECT_DOUBLE_EQ(operand_area_of(model_, config_).at("dequantizers"), 8 * 2 * (1640 + 36)) << "weights of a cycle";
  config_.array.dataflow = "is";
  EXPECT_DOUBLE_EQ(operand_area_of(model_, config_).at("dequantizers"), 4 * 2 * (1640 + 36)) << "they enter the rows";
}

TEST_F(OperationCountsTest, DequantizedWeightsCostAProductForEachThatEntersTheArray) {
  config_.linear.activation = config_.linear.weight = "fp16";
  config_.accumulator.format = "fp32";
  const MatrixWork work{.m = 6, .n = 10, .k = 20};
  const OperationCounts plain = count(2, UnitKind::kMatrix, work, Purpose::kProduct);
  model_.ops[2].codes = {.bits = 4, .zero_points = true};
  OperationCounts expected = plain;
  expected[{Operation::kMultiply, "fp16", ""}] += 2 * 200;  // two row folds read the weights
  expected[{Operation::kAdd, "int8", ""}] += 2 * 200;
  expected[scratchpad_byte()] -= 2 * 200 * 2 - 2 * 200 / 2;  // 4 bits for 16
  EXPECT_EQ(count(2, UnitKind::kMatrix, work, Purpose::kProduct), expected);
  model_.ops[2].codes.scaled_sums = true;
  expected[{Operation::kMultiply, "fp16", ""}] -= 2 * 200;
  EXPECT_EQ(count(2, UnitKind::kMatrix, work, Purpose::kProduct), expected);
}

TEST_F(OperationCountsTest, ProductOnAWeightStationaryArrayReadsWeightsOnce) {
  config_.array.dataflow = "ws";
  const OperationCounts counts =
      count(2, UnitKind::kMatrix, MatrixWork{.m = 6, .n = 10, .k = 20, .chunk = 4}, Purpose::kProduct);
  EXPECT_EQ(counts.at(scratchpad_byte()), 2u * 6 * 20 + 10 * 20 / 2);
}

TEST_F(OperationCountsTest, InputStationaryArraysReadActivationsOnce) {
  config_.array.dataflow = "is";
  // 20 x 10 x 20: 20 tokens lie across 8 columns, in three folds.
  const OperationCounts counts =
      count(2, UnitKind::kMatrix, MatrixWork{.m = 20, .n = 10, .k = 20, .chunk = 4}, Purpose::kProduct);
  EXPECT_EQ(counts.at(scratchpad_byte()), 20u * 20 + 3 * 10 * 20 / 2);
}

TEST_F(OperationCountsTest, AlignedSumsAreFixedPointAndRoundedOnceAStep) {
  config_.array.dot_width = 4;
  config_.linear.activation = config_.linear.weight = "fp16";
  config_.accumulator.format = "fp32";
  config_.accumulator.reduce = "aligned";
  config_.accumulator.extra_bits = 20;
  const MatrixWork work{.m = 6, .n = 10, .k = 22, .chunk = 10};
  const OperationCounts counts = count(2, UnitKind::kMatrix, work, Purpose::kProduct);
  const units::MatrixMode mode = units::make_matrix_mode(config_.array, config_.linear, config_.accumulator);
  const int fraction_bits = mode.float_spec.alignment.fraction_bits;
  // Five terms: three carries behind the sign and the two integer bits of a product.
  const std::string adder = "q6." + std::to_string(fraction_bits);
  EXPECT_EQ(counts.at({Operation::kAdd, adder, ""}), 60u * 22);
  EXPECT_EQ(counts.at({Operation::kAdd, "int8", ""}), 60u * 22) << "exponents";
  EXPECT_EQ(counts.at({Operation::kAdd, "fp32", ""}), 60u * (3 + 3 + 1)) << "chunks of 10, 10 and 2 products";
  EXPECT_DOUBLE_EQ(energy_of({Operation::kAdd, adder, ""}, config_), 0.1 * (6 + fraction_bits) / 32);
}

TEST_F(OperationCountsTest, FixedPointSumsAreRoundedOnceAChunk) {
  config_.linear.activation = config_.linear.weight = "fp16";
  config_.accumulator.format = "fp32";
  config_.accumulator.reduce = "fixed";
  config_.accumulator.fixed_format = "q20.50";
  const MatrixWork work{.m = 6, .n = 10, .k = 22, .chunk = 10};
  const OperationCounts counts = count(2, UnitKind::kMatrix, work, Purpose::kProduct);
  EXPECT_EQ(counts.at({Operation::kAdd, "q20.50", ""}), 60u * 22);
  EXPECT_EQ(counts.at({Operation::kAdd, "fp32", ""}), 60u * 3);
}

TEST_F(OperationCountsTest, RowMaximaCompareAndAnExactScaleDivides) {
  config_.norm.input = "bf16";
  config_.norm.accumulator.format = "fp16";
  NormWork work{.rows = 3, .hidden_size = 50, .layer_norm = false};
  const OperationCounts plain = count(1, UnitKind::kNorm, work, Purpose::kNorm);
  work.dynamic_scale = true;
  config_.norm.scale = "pow2";
  OperationCounts expected = plain;
  expected[{Operation::kAdd, "bf16", ""}] = 150;
  EXPECT_EQ(count(1, UnitKind::kNorm, work, Purpose::kNorm), expected);
  config_.norm.scale = "exact";
  expected[{Operation::kMultiply, "bf16", ""}] = 150;
  expected[{Operation::kDivide, "fp32", ""}] = 3;
  EXPECT_EQ(count(1, UnitKind::kNorm, work, Purpose::kNorm), expected);
}

TEST_F(OperationCountsTest, WelfordUpdatesAndMerges) {
  config_.norm.statistics = "welford";
  config_.norm.accumulator.format = "fp16";
  config_.norm.accumulator.interleave = 2;
  config_.norm.lanes = 4;
  const OperationCounts counts = count(1, UnitKind::kNorm, NormWork{.rows = 3, .hidden_size = 50}, Purpose::kNorm);
  EXPECT_EQ(counts.at({Operation::kMultiply, "fp16", ""}), 3u * (2 * 50 + 3 * 7)) << "eight states, seven merges";
  EXPECT_EQ(counts.at({Operation::kAdd, "fp16", ""}), 3u * (4 * 50 + 4 * 7));
}

TEST_F(OperationCountsTest, OnlineSoftmaxEvaluatesTwiceAndRescalesItsSum) {
  config_.softmax.method = "online";
  const VectorWork work{.elements = 100, .passes = 2, .exp_passes = 2, .exponentials = 7};
  const OperationCounts counts = count(3, UnitKind::kVector, work, Purpose::kSoftmax);
  EXPECT_EQ(counts.at({Operation::kAdd, "fp32", ""}), 100u * 2 + 207 * 11);
  EXPECT_EQ(counts.at({Operation::kMultiply, "fp32", ""}), 207u * 9 + 7);
  EXPECT_EQ(counts.at(scratchpad_byte()), 300u);
  config_.softmax.exponential = "table";
  EXPECT_EQ(count(3, UnitKind::kVector, work, Purpose::kSoftmax).at({Operation::kMultiply, "fp32", ""}), 207u * 2 + 7);
}

TEST_F(OperationCountsTest, IntegerCachesAreQuantizedAndDequantized) {
  config_.storage.kv_cache = "int4";
  config_.storage.kv_cache_zero_point = true;
  model_.ops.push_back(op_of(OpKind::kScores, "scores", {"act", "linear"}));
  const OperationCounts written = count(2, UnitKind::kVector, VectorWork{.elements = 100}, Purpose::kEpilogue);
  EXPECT_EQ(written.at({Operation::kDivide, "fp32", ""}), 100u);
  EXPECT_EQ(written.at({Operation::kAdd, "fp32", ""}), 100u + 300);
  EXPECT_EQ(written.at(scratchpad_byte()), 100u + 200 + 50);
  const VectorWork read{.elements = 100, .passes = 1, .cache_passes = 1};
  const OperationCounts keys = count(4, UnitKind::kVector, read, Purpose::kQuantization);
  EXPECT_EQ(keys.at({Operation::kMultiply, "fp32", ""}), 100u);
  EXPECT_FALSE(keys.contains({Operation::kDivide, "fp32", ""}));
}

TEST_F(OperationCountsTest, LayerNormOfOnePass) {
  config_.norm.accumulator.format = "fp16";
  config_.norm.rsqrt.format = "bf16";
  const NormWork work{.rows = 3, .hidden_size = 50, .scale_multiply = true, .rsqrt_newton_steps = 2};
  config_.norm.input = "fp8_e5m2";
  const OperationCounts expected = {
      {{Operation::kMultiply, "fp8_e5m2", ""}, 150}, {{Operation::kMultiply, "fp16", ""}, 150},
      {{Operation::kAdd, "fp16", ""}, 300},          {{Operation::kMultiply, "fp32", ""}, 300 + 3 * 3},
      {{Operation::kAdd, "fp32", ""}, 300 + 3 * 2},  {{Operation::kMultiply, "bf16", ""}, 3 * 6},
      {{Operation::kAdd, "bf16", ""}, 3 * 2},        {scratchpad_byte(), 150 * 2 + 150}};
  EXPECT_EQ(count(1, UnitKind::kNorm, work, Purpose::kNorm), expected);
}

TEST_F(OperationCountsTest, RmsNormHasNoMean) {
  const NormWork work{.rows = 3, .hidden_size = 50, .layer_norm = false};
  const OperationCounts expected = {{{Operation::kMultiply, "fp32", ""}, 150 + 300 + 3},
                                    {{Operation::kAdd, "fp32", ""}, 150 + 3},
                                    {scratchpad_byte(), 150 * 2 + 150}};
  EXPECT_EQ(count(1, UnitKind::kNorm, work, Purpose::kNorm), expected);
}

TEST_F(OperationCountsTest, ButterfliesAndDenseFactor) {
  const auto adds = [&](std::uint64_t width, std::uint64_t size) {
    const OperationCounts counts = count(2, UnitKind::kRotate, RotateWork{5, width, size}, Purpose::kRotation);
    EXPECT_EQ(counts.at({Operation::kMultiply, "fp16", ""}), 5 * width);
    return counts.at({Operation::kAdd, "fp16", ""});
  };
  EXPECT_EQ(adds(64, 64), 5u * 6 * 32 * 2) << "six stages of 32 butterflies of two additions";
  EXPECT_EQ(adds(128, 64), 5u * 6 * 64 * 2);
  EXPECT_EQ(adds(24, 24), 5u * (24 * 11 + 1 * 12 * 2)) << "a dense factor of 12 and one stage";
}

TEST_F(OperationCountsTest, QuantizingAndEpilogue) {
  const OperationCounts quantize = {
      {{Operation::kAdd, "fp32", ""}, 100}, {{Operation::kDivide, "fp32", ""}, 100}, {scratchpad_byte(), 200 + 100}};
  EXPECT_EQ(count(2, UnitKind::kVector, VectorWork{.elements = 100, .passes = 2}, Purpose::kQuantization), quantize);
  const OperationCounts epilogue = {{{Operation::kMultiply, "fp32", ""}, 200},
                                    {{Operation::kAdd, "fp32", ""}, 100},
                                    {accumulator_byte(), 200},
                                    {scratchpad_byte(), 100}};
  EXPECT_EQ(count(2, UnitKind::kVector, VectorWork{.elements = 100}, Purpose::kEpilogue), epilogue);
}

TEST_F(OperationCountsTest, SmoothingSortsWithABitonicNetwork) {
  const OperationCounts maxima =
      count(2, UnitKind::kVector, VectorWork{.elements = 40, .sort_elements = 8}, Purpose::kChannelMaxima);
  EXPECT_EQ(maxima.at({Operation::kAdd, "fp32", ""}), 40u + 6 * 4);
  const OperationCounts divide = count(2, UnitKind::kVector, VectorWork{.elements = 40}, Purpose::kSmoothDivide);
  EXPECT_EQ(divide.at({Operation::kDivide, "fp32", ""}), 40u);
}

TEST_F(OperationCountsTest, AnExponentialIsNineMultiplicationsAndTenAdditions) {
  model_.ops[3].activation = transformer::ActivationKind::kSilu;
  const OperationCounts expected = {{{Operation::kMultiply, "fp32", ""}, 10 * (9 + 1)},
                                    {{Operation::kAdd, "fp32", ""}, 10 * (10 + 1)},
                                    {{Operation::kDivide, "fp32", ""}, 10},
                                    {scratchpad_byte(), 20}};
  EXPECT_EQ(count(3, UnitKind::kVector, VectorWork{.elements = 10, .exp_passes = 1}, Purpose::kElementwise), expected);
}

TEST(HardwareCostTest, AreaOfOperatorsAndCells) {
  units::AcceleratorConfig config;  // fp16 operands into fp32
  config.array.rows = 2;
  config.array.cols = 3;
  config.array.dot_width = 4;
  config.scratchpad.bytes = 1000;
  auto area = area_of(config);
  EXPECT_DOUBLE_EQ(area.at("matrix"), 24 * (1640 + 4184));
  EXPECT_DOUBLE_EQ(area.at("scratchpad"), 1000 * 8 * 0.346);
  EXPECT_DOUBLE_EQ(area.at("accumulator_buffer"), 0);
  config.linear.cycles_per_mac = config.attention.cycles_per_mac = config.head.cycles_per_mac = 4;
  config.accumulator.buffer.format = "fp16";
  area = area_of(config);
  EXPECT_DOUBLE_EQ(area.at("matrix"), 24 * (1640.0 / 4 + 4184) + 3 * (1640 + 1360));
}

}  // namespace
}  // namespace guardbit::sim
