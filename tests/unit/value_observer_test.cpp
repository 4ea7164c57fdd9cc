// What a replay says of values, on rows made by hand: exponents, row lengths and events of norms, outliers and victims.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "models/units/smooth_unit.h"
#include "sim/replay/exponent_counter.h"
#include "sim/replay/norm_statistics.h"
#include "sim/replay/outlier_counter.h"

namespace guardbit::sim {
namespace {

using numerics::Matrix;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(ExponentCounterTest, EveryValueIsCountedOnceWhereFrexpPutsIt) {
  std::mt19937 random(/*seed=*/11);
  std::vector<float> values = {0.0F, -0.0F, 1.0F, -1.0F, 1.999F, 0x1p-126F, 0x1p-149F, -0x1.8p-140F, 0x1.fffffep127F};
  values.insert(values.end(), {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()});
  for (int i = 0; i < 1001; ++i) values.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
  ExponentHistogram expected;
  for (const float value : values) {
    if (std::isnan(value)) {
      ++expected.num_nans;
    } else if (std::isinf(value)) {
      ++expected.num_infinities;
    } else if (value == 0) {
      ++expected.num_zeros;
    } else {
      int exponent = 0;
      (void)std::frexp(value, &exponent);  // in [0.5, 1)
      ++expected.exponents[exponent - 1];
    }
  }
  ExponentCounter counter;
  counter.add(std::span<const float>(values).first(3));
  counter.add(std::span<const float>(values).subspan(3));
  EXPECT_EQ(counter.histogram(), expected);
  EXPECT_EQ(expected.exponents.at(-149), 1u);
}

TEST(ExponentCounterTest, WideValuesKeepTheirExponents) {
  ExponentCounter counter;
  for (const double value : {0x1p-552, 0x1.8p255, 0.0, std::numeric_limits<double>::infinity()}) counter.add(value);
  EXPECT_EQ(
      counter.histogram(),
      (ExponentHistogram{.exponents = {{-552, 1}, {255, 1}}, .num_zeros = 1, .num_infinities = 1, .num_nans = 0}));
}

/// Runs the unit on rows of one window and tells the statistics.
NormReport run_norm(const transformer::Op& op, const units::NormConfig& config, const Matrix<float>& x,
                    std::size_t rows_per_token = 1) {
  const units::NormUnit unit(config, units::conversion_spec("fp32"));
  Matrix<float> y(x.rows(), x.cols());
  numerics::EventLedger ledger;
  std::vector<units::NormTrace> traces;
  unit.run(x.view(),
           {.layer_norm = op.norm == transformer::NormKind::kLayerNorm,
            .epsilon = 1e-5,
            .input_scale = op.input_scale,
            .dynamic_scale = op.dynamic_input_scale},
           y.view(), ledger, &traces);
  NormStatistics statistics(op, config);
  statistics.add_reference(x.view());
  statistics.add_simulated(x.view(), {3, 5}, rows_per_token, traces);
  return statistics.finish();
}

units::NormConfig half_accumulator() {
  units::NormConfig config;
  config.input = "fp32";
  config.arithmetic = "fp32";
  config.accumulator.format = "fp16";
  config.lanes = 1;
  config.accumulator.interleave = 1;
  return config;
}

/// Rows of constants: lengths, squares and what an fp16 sum does to them are known.
TEST(NormStatisticsTest, LengthsSquaresAndEventsOfConstantRows) {
  constexpr std::size_t kSize = 64;
  Matrix<float> x(4, kSize);
  const std::vector<float> constants = {1, 64, 2, 512};  // 64 * 64^2 = 2^18 and 512^2 = 2^18 exceed fp16
  for (std::size_t row = 0; row < x.rows(); ++row) std::fill_n(x.row(row), kSize, constants[row]);
  transformer::Op op;
  op.kind = transformer::OpKind::kNorm;
  op.norm = transformer::NormKind::kRmsNorm;
  const NormReport plain = run_norm(op, half_accumulator(), x);
  EXPECT_EQ(plain.tokens, 4u);
  EXPECT_EQ(plain.events[0].tokens, 2u);
  EXPECT_EQ(plain.events[0].worst.window, 3u);
  EXPECT_EQ(plain.events[0].worst.position, 5u + 3u) << "every square of the last row overflows";
  EXPECT_EQ(plain.events[0].worst_events, kSize);
  EXPECT_EQ(plain.reference_norm.min, 8);
  EXPECT_EQ(plain.reference_norm.median, 16);
  EXPECT_EQ(plain.reference_norm.max, 4096);
  EXPECT_EQ(plain.squares.exponents, (std::map<int, std::uint64_t>{{0, 64}, {2, 64}, {12, 64}, {18, 64}}));
  EXPECT_EQ(plain.sums.exponents, (std::map<int, std::uint64_t>{{6, 1}, {8, 1}, {18, 1}, {24, 1}}));
  EXPECT_EQ(plain.accumulator.largest, 15);
  EXPECT_EQ(plain.accumulator.least_normal, -14);
  EXPECT_EQ(plain.accumulator.least, -24);
  EXPECT_FALSE(plain.predicted_norm);

  op.input_scale = 512;
  op.predicted_norm = 300;
  units::NormConfig flushing = half_accumulator();
  flushing.accumulator.subnormals = "flush";
  const NormReport scaled = run_norm(op, flushing, x);
  EXPECT_EQ(scaled.events[0].tokens, 0u) << "the largest row has length 8 now";
  EXPECT_EQ(scaled.events[1].tokens, 2u) << "squares 2^-18 and 2^-16 are flushed";
  EXPECT_EQ(scaled.events[1].worst.position, 5u);
  EXPECT_EQ(scaled.scaled_simulated_norm.max, 8);
  EXPECT_EQ(scaled.scaled_reference_norm.min, 8.0 / 512);
  EXPECT_EQ(scaled.accumulator.least, -14);
  EXPECT_EQ(scaled.predicted_norm, 300);

  op.input_scale = 1;
  op.dynamic_input_scale = true;
  const NormReport dynamic = run_norm(op, half_accumulator(), x);
  EXPECT_EQ(dynamic.scaled_simulated_norm.min, 8) << "each row by its own maximum";
  EXPECT_EQ(dynamic.scaled_simulated_norm.max, 8);
  EXPECT_EQ(dynamic.scaled_reference_norm.count, 0u);
}

TEST(NormStatisticsTest, HeadsOfATokenAreOneTokenAndCentringIsSeen) {
  Matrix<float> x(4, 8);
  for (std::size_t row = 0; row < x.rows(); ++row) {
    for (std::size_t j = 0; j < 8; ++j) x(row, j) = 1000 + (j % 2 == 0 ? 1.0F : -1.0F);
  }
  transformer::Op op;
  op.kind = transformer::OpKind::kNorm;
  op.norm = transformer::NormKind::kLayerNorm;
  units::NormConfig config = half_accumulator();
  config.statistics = "one_pass";
  const NormReport one_pass = run_norm(op, config, x, 2);
  EXPECT_EQ(one_pass.tokens, 2u);
  EXPECT_EQ(one_pass.events[0].tokens, 2u);
  EXPECT_EQ(one_pass.squares.exponents.begin()->first, 19) << "of values near 1000";
  config.statistics = "two_pass";
  EXPECT_EQ(run_norm(op, config, x, 2).squares.exponents, (std::map<int, std::uint64_t>{{0, 32}}));
}

/// Tokens of +-1, in which sigma is sqrt(pi/2) unless something sticks out.
Matrix<float> signs(std::size_t tokens, std::size_t channels) {
  Matrix<float> x(tokens, channels);
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t k = 0; k < channels; ++k) x(t, k) = (t + k) % 2 == 0 ? 1.0F : -1.0F;
  }
  return x;
}

TEST(OutlierCounterTest, ChannelsAndSpikesAreToldApart) {
  constexpr std::size_t kTokens = 100;
  Matrix<float> x = signs(kTokens, 512);
  for (std::size_t t = 0; t < 6; ++t) x(t, 40) = -50;   // 6 % of the tokens
  for (std::size_t t = 50; t < 55; ++t) x(t, 41) = 60;  // 5 %
  x(77, 13) = 200;
  OutlierCounter counter(512);
  counter.add(x.view().rows_range(0, 52), {1, 0});  // in two blocks, as a schedule cuts them
  counter.add(x.view().rows_range(52, kTokens), {1, 52});
  const OutlierReport report = counter.finish();
  EXPECT_EQ(report.tokens, kTokens);
  EXPECT_EQ(report.outlier_values, 12u);
  EXPECT_EQ(report.outlier_tokens, 12u);
  EXPECT_EQ(report.channel_outliers, 1u);
  ASSERT_EQ(report.largest.size(), 1u);
  EXPECT_EQ(report.largest[0].channel, 40u);
  EXPECT_EQ(report.largest[0].tokens, 6u);
  EXPECT_EQ(report.spike_values, 6u);
  EXPECT_EQ(report.worst.window, 1u);
  EXPECT_EQ(report.worst.position, 77u);
  EXPECT_EQ(report.worst_channel, 13u);
  const double sigma = std::sqrt(std::acos(-1.0) / 2) * (511 + 200) / 512;
  EXPECT_NEAR(report.ratio.max, 200 / sigma, 1e-4);
  EXPECT_NEAR(report.ratio.median, 1 / std::sqrt(std::acos(-1.0) / 2), 1e-6);
  EXPECT_FALSE(report.victims);
}

TEST(OutlierCounterTest, TokensThatAreNotFiniteAreLeftOutAndZerosAreNoOutliers) {
  Matrix<float> x = signs(3, 64);
  x(0, 5) = kInfinity;
  std::fill_n(x.row(1), 64, 0.0F);
  OutlierCounter counter(64);
  counter.add(x.view(), {0, 0});
  const OutlierReport report = counter.finish();
  EXPECT_EQ(report.left_out, 1u);
  EXPECT_EQ(report.tokens, 2u);
  EXPECT_EQ(report.ratio.min, 0);
  EXPECT_EQ(report.outlier_values, 0u);
}

units::MatrixMode integer_mode(int bits) {
  units::MatrixMode mode;
  mode.integer = true;
  mode.activation_bits = bits;
  return mode;
}

/// Under INT4 a value of 1 is zeroed if the token's largest value is above 14 = 7 / 0.5.
TEST(OutlierCounterTest, VictimsAreWhatAnOutlierZeroed) {
  constexpr std::size_t kChannels = 256;
  Matrix<float> x = signs(3, kChannels);
  x(0, 9) = 20;                                               // an outlier: the 255 others become zero
  x(1, 9) = 13;                                               // an outlier that zeroes nothing
  for (std::size_t k = 0; k < 16; ++k) x(0, 16 + k) = 0.01F;  // zeroed with or without it
  x(0, 32) = 0;
  const units::MatrixMode mode = integer_mode(4);
  numerics::EventLedger ledger;
  const units::Operand operand = units::quantize_operand(x.view(), mode, /*is_weight=*/false, ledger);
  OutlierCounter counter(kChannels);
  counter.add(x.view(), {0, 0}, {}, quantized_rows(operand, mode));
  const OutlierReport report = counter.finish();
  EXPECT_EQ(report.outlier_tokens, 2u);
  EXPECT_EQ(report.victims, kChannels - 1 - 16 - 1);
  EXPECT_EQ(ledger[numerics::Stage::kQuantizer][numerics::Event::kZeroed], kChannels - 1 - 1);
  EXPECT_FALSE(report.smoothing_victims);
}

/// RRS's figure 1 (c): a spike of one token makes its channel's scale large, and the channel's values in the other
/// tokens are pruned.
TEST(OutlierCounterTest, SmoothingVictimsAreTheSpikesChannelInOtherTokens) {
  constexpr std::size_t kTokens = 32;
  constexpr std::size_t kChannels = 128;
  Matrix<float> x = signs(kTokens, kChannels);
  x(4, 77) = 100;
  for (std::size_t t = 0; t < kTokens; ++t) x(t, 0) *= 0.01F;  // last in the order: columns are not channels
  units::SmoothConfig smooth;
  smooth.group = 1;
  const units::SmoothPlan plan = units::smooth_plan(x.view(), smooth);
  Matrix<float> smoothed(kTokens, kChannels);
  numerics::EventLedger ledger;
  units::smooth(x.view(), plan, 1, units::conversion_spec("fp32"), smoothed.view(), ledger);
  const units::MatrixMode mode = integer_mode(4);
  const units::Operand operand = units::quantize_operand(smoothed.view(), mode, /*is_weight=*/false, ledger);
  OutlierCounter counter(kChannels);
  auto quantized = quantized_rows(operand, mode);
  ASSERT_TRUE(quantized);
  quantized->unsmoothed = x.view();
  counter.add(smoothed.view(), {0, 0}, plan.permutation, quantized);
  const OutlierReport report = counter.finish();
  EXPECT_EQ(report.smoothing_victims, kTokens - 1) << "channel 77 of every other token: 1 / 100";
  EXPECT_EQ(report.outlier_values, 0u) << "what reaches the array is flat";
  EXPECT_EQ(report.victims, 0u);
}

TEST(OutlierCounterTest, OnlyScaledOperandsHaveVictims) {
  units::MatrixMode mode;
  const units::Operand operand;
  EXPECT_FALSE(quantized_rows(operand, mode));
  mode.dynamic_scale = true;
  mode.operand_max_activation = 448;
  mode.activation = *numerics::parse_float_format("fp8_e4m3");
  const auto rows = quantized_rows(operand, mode);
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->largest, 448);
  EXPECT_EQ(rows->zero_below, 0x1p-10) << "half of the least subnormal, 2^-9";
}

}  // namespace
}  // namespace guardbit::sim
