/// The norm unit, bit for bit and event for event against norm_unit.h's steps in reference operations, and against the
/// mathematical norm in binary64.
#include "models/units/norm_unit.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tests/support/reference_steps.h"

namespace guardbit::units {
namespace {

using numerics::Event;
using tests::ReferenceSteps;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// A straightforward re-implementation of one row.
struct ReferenceNorm {
  NormConfig config;
  ReferenceSteps input{conversion_spec(config.input)};
  ReferenceSteps acc{float_spec(config.accumulator.format, config.accumulator.rounding, config.accumulator.overflow,
                                config.accumulator.subnormals)};
  ReferenceSteps arithmetic{conversion_spec(config.arithmetic)};
  ReferenceSteps storage;

  float tree(const std::vector<float>& values, std::size_t begin, std::size_t width, EventCounts& events) const {
    if (width == 1) return begin < values.size() ? values[begin] : 0.0F;
    // Children first, left to right; the order of events does not matter, the pairing does.
    const float left = tree(values, begin, width / 2, events);
    const float right = tree(values, begin + width / 2, width / 2, events);
    return acc.add(left, right, events);
  }

  float total(const std::vector<float>& values, EventCounts& events) const {
    const auto lanes = static_cast<std::size_t>(config.lanes);
    std::vector<float> sums(static_cast<std::size_t>(config.accumulator.interleave), 0.0F);
    for (std::size_t step = 0; step * lanes < values.size(); ++step) {
      float& sum = sums[step % sums.size()];
      sum = acc.accumulate(sum, tree(values, step * lanes, lanes, events), events);
    }
    for (std::size_t k = 1; k < sums.size(); ++k) sums[0] = acc.accumulate(sums[0], sums[k], events);
    return sums[0];
  }

  std::vector<float> run(const std::vector<float>& x, const NormParameters& p, EventLedger& ledger) const {
    const std::size_t d = x.size();
    const float r = static_cast<float>(1 / p.input_scale);
    const float inverse_d = arithmetic.constant(1.0 / static_cast<double>(d));
    const double epsilon = config.epsilon == "rescaled" ? p.epsilon / (p.input_scale * p.input_scale) : p.epsilon;
    std::vector<float> u(d);
    for (std::size_t j = 0; j < d; ++j) u[j] = input.multiply(x[j], r, ledger[Stage::kScaledInput]);
    float mean = 0;
    EventCounts& statistics = ledger[Stage::kStatistics];
    if (p.layer_norm) mean = arithmetic.multiply(total(u, ledger[Stage::kSum]), inverse_d, statistics);
    std::vector<float> squares(d);
    for (std::size_t j = 0; j < d; ++j) {
      EventCounts& square = ledger[Stage::kSquare];
      const bool centred = p.layer_norm && config.statistics == "two_pass";
      const float value = centred ? input.add(u[j], -mean, square) : u[j];
      squares[j] = acc.multiply(value, value, square);
    }
    float variance = arithmetic.multiply(total(squares, ledger[Stage::kSumOfSquares]), inverse_d, statistics);
    if (p.layer_norm && config.statistics == "one_pass") {
      variance = arithmetic.add(variance, -arithmetic.multiply(mean, mean, statistics), statistics);
      if (variance < 0) variance = 0;
    }
    const float v = arithmetic.add(variance, arithmetic.constant(epsilon), statistics);
    const float inv_std = RsqrtUnit(config.rsqrt)(v, ledger[Stage::kRsqrt]);  // pinned by rsqrt_unit_test.cpp
    std::vector<float> y(d);
    for (std::size_t j = 0; j < d; ++j) {
      EventCounts& normalize = ledger[Stage::kNormalize];
      float value =
          arithmetic.multiply(p.layer_norm ? arithmetic.add(u[j], -mean, normalize) : u[j], inv_std, normalize);
      const float gamma = p.gamma.empty() ? 1.0F : arithmetic.constant(p.gamma[j]);
      if (!p.beta.empty()) {
        value = arithmetic.multiply_add(value, gamma, arithmetic.constant(p.beta[j]), normalize);
      } else if (!p.gamma.empty()) {
        value = arithmetic.multiply(value, gamma, normalize);
      }
      y[j] = storage.convert(value, ledger[Stage::kStorage]);
    }
    return y;
  }
  using Stage = numerics::Stage;
};

NormConfig fp32_config() {
  NormConfig config;
  config.input = config.arithmetic = config.accumulator.format = "fp32";
  return config;
}

/// Runs the unit on one row and compares with the reference, bits and ledger.
void expect_reference(const NormConfig& config, const std::string& storage_name, const std::vector<float>& x,
                      const NormParameters& parameters, const std::string& what) {
  const numerics::FloatSpec storage = conversion_spec(storage_name);
  Matrix<float> input(1, x.size(), x);
  Matrix<float> y(1, x.size());
  EventLedger actual;
  NormUnit(config, storage).run(input.view(), parameters, y.view(), actual);
  EventLedger expected;
  const std::vector<float> reference =
      ReferenceNorm{.config = config, .storage = {storage}}.run(x, parameters, expected);
  EXPECT_EQ(tests::first_difference(y.data(), reference), "") << what;
  EXPECT_EQ(tests::ledger_difference(actual, expected), "") << what;
}

TEST(NormUnitTest, EqualsTheStepsInReferenceOperations) {
  std::mt19937_64 generator(20260101);
  const auto pick = [&](auto... choices) {
    const std::vector<std::string> list{choices...};
    return list[generator() % list.size()];
  };
  const auto pick_int = [&](auto... choices) {
    const std::vector<std::int64_t> list{choices...};
    return list[generator() % list.size()];
  };
  for (int round = 0; round < 2000; ++round) {
    NormConfig config;
    config.lanes = pick_int(2, 4, 8, 16, 64);
    config.input = pick("fp16", "bf16", "fp32", "fp8_e4m3");
    config.statistics = pick("one_pass", "two_pass");
    config.arithmetic = pick("fp32", "fp16", "bf16", "fp8_e5m2");
    config.epsilon = pick("raw", "rescaled");
    config.accumulator.format = pick("fp32", "fp16", "bf16", "fp8_e5m2", "e6m9");
    config.accumulator.rounding = pick("rne", "rtz", "rup", "rdn", "rna", "odd");
    config.accumulator.overflow = pick("infinity", "saturate", "nan");
    config.accumulator.subnormals = pick("keep", "flush");
    config.accumulator.interleave = pick_int(1, 2, 5);
    config.rsqrt.format = pick("fp32", "fp16");
    const auto d = static_cast<std::size_t>(pick_int(1, 3, 16, 37, 64, 130));
    const double scale = std::ldexp(1.0, static_cast<int>(pick_int(-12, -4, 0, 4, 9)));
    const Matrix<float> x = tests::random_carriers(1, d, numerics::kFp16, scale, generator());
    const Matrix<float> gamma = tests::random_carriers(1, d, numerics::kFp32, 1, generator());
    const Matrix<float> beta = tests::random_carriers(1, d, numerics::kFp32, 1, generator());
    NormParameters parameters{.layer_norm = generator() % 2 == 0};
    parameters.input_scale = std::vector<double>{1, 0.25, 16, 3.7, 1000}[generator() % 5];
    if (generator() % 4 != 0) parameters.gamma = gamma.data();
    if (generator() % 2 != 0) parameters.beta = beta.data();
    expect_reference(config, pick("fp16", "bf16", "fp8_e4m3"), x.data(), parameters, "round " + std::to_string(round));
  }
}

TEST(NormUnitTest, SpecialRowsEqualTheReference) {
  const std::vector<std::vector<float>> rows = {{0, 0, 0, 0, 0},
                                                {-0.0F, -0.0F, -0.0F},
                                                {1, kNan, 2, 3, 4},
                                                {1, kInfinity, 2, 3, 4},
                                                {kInfinity, -kInfinity, 1},
                                                {65504, 65504, 65504},
                                                {0x1p-24F, 0, 0, 0x1p-24F},
                                                {7, 7, 7, 7, 7, 7, 7}};
  for (const char* statistics : {"one_pass", "two_pass"}) {
    for (const bool layer_norm : {true, false}) {
      for (const char* format : {"fp32", "fp16"}) {
        NormConfig config;
        config.lanes = 4;
        config.statistics = statistics;
        config.accumulator.format = config.arithmetic = config.rsqrt.format = format;
        for (std::size_t i = 0; i < rows.size(); ++i) {
          expect_reference(config, "fp16", rows[i], {.layer_norm = layer_norm}, "row " + std::to_string(i));
        }
      }
    }
  }
}

TEST(NormUnitTest, ARowOfZerosIsZeroAndANanRowStaysInItsRow) {
  const Matrix<float> x(3, 4, std::vector<float>{0, 0, 0, 0, 1, kNan, 2, 3, 1, -1, 1, -1});
  Matrix<float> y(3, 4);
  EventLedger ledger;
  NormUnit(fp32_config(), conversion_spec("fp16"))
      .run(x.view(), {.layer_norm = false, .epsilon = 0x1p-20}, y.view(), ledger);
  for (std::size_t j = 0; j < 4; ++j) {
    EXPECT_EQ(y(0, j), 0.0F);
    EXPECT_TRUE(std::isnan(y(1, j)));
    EXPECT_EQ(y(2, j), x(2, j));
  }
  EXPECT_EQ(ledger.total()[Event::kInvalid], 0u) << "a NaN that came in is no invalid operation";
}

TEST(NormUnitTest, Fp16AccumulatorsFailInTwoDifferentWays) {
  // 4096 squares of 4.0 add up to 65536, beyond fp16: that is flagged.
  const Matrix<float> x(1, 4096, 4.0F);
  NormConfig config = fp32_config();
  config.accumulator.format = "fp16";
  Matrix<float> y(1, 4096);
  std::vector<NormTrace> traces;

  config.lanes = 16;
  EventLedger tree;
  NormUnit(config, conversion_spec("fp16")).run(x.view(), {.layer_norm = false}, y.view(), tree, &traces);
  EXPECT_EQ(traces[0].sum_of_squares, kInfinity);
  EXPECT_EQ(tree[numerics::Stage::kSumOfSquares][Event::kOverflow], 1u);
  EXPECT_EQ(tree[numerics::Stage::kSumOfSquares][Event::kSwamped], 0u);
  EXPECT_EQ(y(0, 0), 0.0F);

  config.lanes = 2;  // sums of pairs, 32 each: exact up to 65504, which truncation then keeps
  config.accumulator.rounding = "rtz";
  EventLedger narrow;
  NormUnit(config, conversion_spec("fp16")).run(x.view(), {.layer_norm = false}, y.view(), narrow, &traces);
  EXPECT_EQ(traces[0].sum_of_squares, 65504.0F);
  EXPECT_GT(narrow[numerics::Stage::kSumOfSquares][Event::kOverflow], 0u);

  // Small squares behind a large one stall without any overflow: pairs add 1/2 to 2048, whose ulp is 2.
  Matrix<float> uneven(1, 64, 0.5F);
  uneven(0, 0) = 45.25F;  // square 2047.5625, rounds to 2048
  config.accumulator.rounding = "rne";
  EventLedger swamped;
  NormUnit(config, conversion_spec("fp16"))
      .run(uneven.view(), {.layer_norm = false}, MatrixView<float>{y.data().data(), 1, 64, 64, 1}, swamped, &traces);
  EXPECT_EQ(traces[0].sum_of_squares, 2048.0F);
  EXPECT_EQ(swamped[numerics::Stage::kSumOfSquares][Event::kOverflow], 0u);
  EXPECT_EQ(swamped[numerics::Stage::kSumOfSquares][Event::kSwamped], 31u);
}

TEST(NormUnitTest, APowerOfTwoScaleWithRescaledEpsilonChangesNothingInWideFormats) {
  const Matrix<float> x = tests::random_carriers(8, 256, numerics::kFp16, 1e4, 5);
  const Matrix<float> gamma = tests::random_carriers(1, 256, numerics::kFp32, 1, 6);
  const Matrix<float> beta = tests::random_carriers(1, 256, numerics::kFp32, 1, 7);
  for (const bool layer_norm : {true, false}) {
    const NormUnit unit(fp32_config(), conversion_spec("fp16"));
    NormParameters parameters{.layer_norm = layer_norm, .gamma = gamma.data(), .beta = beta.data()};
    Matrix<float> unscaled(8, 256);
    Matrix<float> scaled(8, 256);
    EventLedger ledger;
    unit.run(x.view(), parameters, unscaled.view(), ledger);
    parameters.input_scale = 0x1p18;
    unit.run(x.view(), parameters, scaled.view(), ledger);
    EXPECT_EQ(tests::first_difference(scaled.data(), unscaled.data()), "");

    NormConfig raw = fp32_config();
    raw.epsilon = "raw";
    NormUnit(raw, conversion_spec("fp16")).run(x.view(), parameters, scaled.view(), ledger);
    EXPECT_NE(tests::first_difference(scaled.data(), unscaled.data()), "") << "a raw epsilon does change the result";
  }
}

TEST(NormUnitTest, ScaleLetsFp16StatisticsHoldLargeInputs) {
  const Matrix<float> x = tests::random_carriers(1, 256, numerics::kFp16, 1e3, 8);
  NormConfig config = fp32_config();
  config.accumulator.format = "fp16";
  const NormUnit unit(config, conversion_spec("fp16"));
  Matrix<float> y(1, 256);
  EventLedger unscaled;
  unit.run(x.view(), {.layer_norm = false}, y.view(), unscaled);
  EXPECT_GT(unscaled[numerics::Stage::kSquare][Event::kOverflow], 0u);
  EventLedger scaled;
  unit.run(x.view(), {.layer_norm = false, .input_scale = 1024}, y.view(), scaled);
  EXPECT_EQ(scaled.total()[Event::kOverflow], 0u);
}

TEST(NormUnitTest, WideFormatsApproachTheMathematicalNorm) {
  constexpr std::size_t kSize = 300;
  const Matrix<float> x = tests::random_carriers(4, kSize, numerics::kFp16, 3, 9);
  for (const bool layer_norm : {true, false}) {
    for (const char* statistics : {"one_pass", "two_pass"}) {
      NormConfig config = fp32_config();
      config.statistics = statistics;
      Matrix<float> y(4, kSize);
      EventLedger ledger;
      NormUnit(config, conversion_spec("fp32")).run(x.view(), {.layer_norm = layer_norm}, y.view(), ledger);
      for (std::size_t row = 0; row < 4; ++row) {
        double mean = 0;
        for (std::size_t j = 0; j < kSize; ++j) mean += x(row, j) / kSize;
        if (!layer_norm) mean = 0;
        double variance = 0;
        for (std::size_t j = 0; j < kSize; ++j) variance += (x(row, j) - mean) * (x(row, j) - mean) / kSize;
        // Relative: each sum at most log2(lanes) + d/lanes + 1 = 24 roundings of 2^-24 on non-negative squares, halved
        // by the root; rsqrt 1.3e-8 + 4 roundings; 4 more after it. LayerNorm: the mean's error, at most 24 roundings
        // of mean |x| < 3, divided by the deviation 3. 40 * 2^-24 covers both for |y| <= 4 with the absolute part.
        const double bound = 40 * 0x1p-24 * 5;
        for (std::size_t j = 0; j < kSize; ++j) {
          EXPECT_NEAR(y(row, j), (x(row, j) - mean) / std::sqrt(variance + 1e-5), bound) << row << ", " << j;
        }
      }
    }
  }
}

TEST(NormUnitTest, ThreadsAndTilesChangeNothing) {
  const Matrix<float> x = tests::random_carriers(300, 128, numerics::kFp16, 100, 10);
  NormConfig config;
  config.accumulator.format = "fp16";
  const NormUnit unit(config, conversion_spec("fp16"));
  Matrix<float> whole(300, 128);
  EventLedger whole_ledger;
  unit.run(x.view(), {}, whole.view(), whole_ledger);
  Matrix<float> tiled(300, 128);
  EventLedger tiled_ledger;
  for (const auto& [begin, end] : {std::pair<std::size_t, std::size_t>{0, 77}, {77, 78}, {78, 300}}) {
    unit.run(x.view().rows_range(begin, end), {}, tiled.view().rows_range(begin, end), tiled_ledger, nullptr,
             tests::run_backwards);
  }
  EXPECT_EQ(tests::first_difference(tiled.data(), whole.data()), "");
  EXPECT_EQ(tests::ledger_difference(tiled_ledger, whole_ledger), "");
}

}  // namespace
}  // namespace guardbit::units
