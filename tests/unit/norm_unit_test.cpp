/// The norm unit, bit for bit and event for event against norm_unit.h's steps in reference operations, and against the
/// mathematical norm in binary64.
#include "models/units/norm_unit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "models/units/norm_epsilon.h"
#include "tests/support/reference_norm.h"

namespace guardbit::units {
namespace {

using numerics::Event;
using tests::ReferenceNorm;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

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
    config.statistics = pick("one_pass", "two_pass", "welford");
    config.scale = pick("exact", "pow2");
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
    parameters.dynamic_scale = generator() % 3 == 0;
    if (parameters.dynamic_scale) parameters.input_scale = 1;
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
  for (const char* statistics : {"one_pass", "two_pass", "welford"}) {
    for (const auto& [layer_norm, dynamic] :
         {std::pair{true, false}, std::pair{false, false}, std::pair{true, true}, std::pair{false, true}}) {
      for (const char* format : {"fp32", "fp16"}) {
        NormConfig config;
        config.lanes = 4;
        config.statistics = statistics;
        config.accumulator.format = config.arithmetic = config.rsqrt.format = format;
        for (std::size_t i = 0; i < rows.size(); ++i) {
          for (const char* scale : {"exact", "pow2"}) {
            config.scale = scale;
            expect_reference(config, "fp16", rows[i], {.layer_norm = layer_norm, .dynamic_scale = dynamic},
                             "row " + std::to_string(i));
          }
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
    // Welford (u = 2^-24, 19 updates a lane, 4 merges): the k-th update changes the mean by delta / k with 2 u of that,
    // and rounds it: at most sum 2 u 12 / k + 19 u < 100 u, 33 u of the deviation. M2 grows by non-negative terms with
    // 2 u each, 19 + 2 * 4 additions, and feels the lanes' mean errors twice, as 2 * 100 u of the deviation's square 9:
    // below 60 u, halved by the root. With the last 8 roundings and |y| <= 4: 33 + 4 * 38 < 200 u = the bound.
    for (const auto& [statistics, dynamic] : {std::pair{"one_pass", false},
                                              {"two_pass", false},
                                              {"welford", false},
                                              {"welford", true},
                                              {"two_pass", true}}) {
      NormConfig config = fp32_config();
      config.statistics = statistics;
      Matrix<float> y(4, kSize);
      EventLedger ledger;
      NormUnit(config, conversion_spec("fp32"))
          .run(x.view(), {.layer_norm = layer_norm, .dynamic_scale = dynamic}, y.view(), ledger);
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

TEST(NormUnitTest, WelfordSurvivesALargeMeanThatOnePassDoesNot) {
  // Deviations of 1 around 4096 in fp32: mean^2 = 2^24 leaves one pass an absolute error near 2^24 * 2^-24 * lanes;
  // Welford subtracts before it squares.
  constexpr std::size_t kSize = 256;
  Matrix<float> x(1, kSize);
  for (std::size_t j = 0; j < kSize; ++j) x(0, j) = 4096.0F + (j % 2 == 0 ? 1.0F : -1.0F) + (j % 3 == 0 ? 0.5F : 0.0F);
  double mean = 0;
  for (const float value : x.data()) mean += value / static_cast<double>(kSize);
  double variance = 0;
  for (const float value : x.data()) variance += (value - mean) * (value - mean) / static_cast<double>(kSize);
  const auto error = [&](const char* statistics) {
    NormConfig config = fp32_config();
    config.statistics = statistics;
    config.accumulator.interleave = 3;
    Matrix<float> y(1, kSize);
    EventLedger ledger;
    std::vector<NormTrace> traces;
    NormUnit(config, conversion_spec("fp32")).run(x.view(), {}, y.view(), ledger, &traces);
    return std::fabs(traces[0].variance - variance);
  };
  // Every mean a state holds is within 2^-24 * 4096 * (updates 6 + merges 6) of its elements' mean; M2's error per
  // element is at most twice that times a deviation below 1.6.
  EXPECT_LT(error("welford"), 2 * 1.6 * 12 * 4096 * 0x1p-24);
  EXPECT_GT(error("one_pass"), 0.05);
}

TEST(NormUnitTest, RmsNormHasNoMeanAndTakesOnePassWhateverTheStatistics) {
  const Matrix<float> x = tests::random_carriers(3, 130, numerics::kFp16, 9, 11);
  Matrix<float> one_pass(3, 130);
  EventLedger one_pass_ledger;
  NormConfig config;
  config.accumulator.format = "fp16";
  config.accumulator.interleave = 3;
  NormUnit(config, conversion_spec("fp16")).run(x.view(), {.layer_norm = false}, one_pass.view(), one_pass_ledger);
  config.statistics = "welford";
  Matrix<float> welford(3, 130);
  EventLedger welford_ledger;
  NormUnit(config, conversion_spec("fp16")).run(x.view(), {.layer_norm = false}, welford.view(), welford_ledger);
  EXPECT_EQ(tests::first_difference(welford.data(), one_pass.data()), "");
  EXPECT_EQ(tests::ledger_difference(welford_ledger, one_pass_ledger), "");
}

TEST(NormUnitTest, ADynamicPowerOfTwoScaleChangesNothingInWideFormatsAndSavesNarrowOnes) {
  const Matrix<float> x = tests::random_carriers(8, 256, numerics::kFp16, 1e4, 5);
  for (const bool layer_norm : {true, false}) {
    Matrix<float> unscaled(8, 256);
    Matrix<float> scaled(8, 256);
    EventLedger ledger;
    const NormUnit wide(fp32_config(), conversion_spec("fp16"));
    wide.run(x.view(), {.layer_norm = layer_norm}, unscaled.view(), ledger);
    std::vector<NormTrace> traces;
    wide.run(x.view(), {.layer_norm = layer_norm, .dynamic_scale = true}, scaled.view(), ledger, &traces);
    EXPECT_EQ(tests::first_difference(scaled.data(), unscaled.data()), "");
    for (std::size_t row = 0; row < 8; ++row) {
      const float largest = std::fabs(*std::max_element(x.row(row), x.row(row) + 256,
                                                        [](float a, float b) { return std::fabs(a) < std::fabs(b); }));
      EXPECT_LE(largest * traces[row].reciprocal_scale, 1.0F);
      EXPECT_GT(largest * traces[row].reciprocal_scale, 0.5F);
    }
    NormConfig narrow = fp32_config();
    narrow.accumulator.format = "fp16";
    EventLedger overflowing;
    NormUnit(narrow, conversion_spec("fp16")).run(x.view(), {.layer_norm = layer_norm}, scaled.view(), overflowing);
    EXPECT_GT(overflowing.total()[Event::kOverflow], 0u);
    EventLedger saved;
    NormUnit(narrow, conversion_spec("fp16"))
        .run(x.view(), {.layer_norm = layer_norm, .dynamic_scale = true}, scaled.view(), saved);
    EXPECT_EQ(saved.total()[Event::kOverflow], 0u);
  }
}

TEST(NormUnitTest, DynamicScalesAreTheNextPowerOfTwoOrTheMaximumItself) {
  NormConfig config = fp32_config();
  for (const auto& [largest, pow2, exact] : {std::tuple{4.0F, 0.25F, 0.25F},
                                             {4.5F, 0.125F, 1 / 4.5F},
                                             {0.0F, 1.0F, 1.0F},
                                             {0x1p-140F, 0x1p126F, 0x1p126F},
                                             {kInfinity, 0x1p-127F, 0x1p-128F}}) {
    const Matrix<float> x(1, 3, std::vector<float>{largest / 2, -largest, kNan});
    Matrix<float> y(1, 3);
    std::vector<NormTrace> traces;
    for (const auto& [scale, reciprocal] : {std::pair{"pow2", pow2}, {"exact", exact}}) {
      config.scale = scale;
      EventLedger ledger;
      NormUnit(config, conversion_spec("fp16")).run(x.view(), {.dynamic_scale = true}, y.view(), ledger, &traces);
      EXPECT_EQ(traces[0].reciprocal_scale, reciprocal) << scale << " of " << largest;
    }
  }
}

TEST(NormUnitTest, EpsilonVanishesBelowHalfTheSmallestSubnormal) {
  NormConfig config;
  config.arithmetic = "fp8_e4m3";  // smallest subnormal 2^-9; the tie at 2^-10 goes to the even zero
  EXPECT_TRUE(epsilon_vanishes(config, 0x1p-10));
  EXPECT_FALSE(epsilon_vanishes(config, 0x1.1p-10));
  EXPECT_FALSE(epsilon_vanishes(config, 0));
  config.arithmetic = "fp32";
  EXPECT_FALSE(epsilon_vanishes(config, 1e-12));
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
