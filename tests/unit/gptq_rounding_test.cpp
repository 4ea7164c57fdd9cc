// GPTQ's arithmetic: by hand, against a second implementation in NumPy, against round to nearest; its factorisation
// against the textbook's.
#include "models/calibration/gptq_rounding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <random>

#include "models/calibration/cholesky.h"
#include "models/calibration/output_error.h"
#include "tests/support/npy_writer.h"
#include "tests/support/reference_steps.h"
#include "tests/support/temporary_directory.h"

namespace guardbit::calibration {
namespace {

using units::QuantizedWeight;

Matrix<double> normal_matrix(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  Matrix<double> m(rows, cols);
  for (double& value : m.data()) value = static_cast<float>(normal(engine));  // as weights are
  return m;
}

/// Of `num_tokens` inputs with correlated channels whose sizes differ by a factor of about 20.
Matrix<double> correlated_moment(std::size_t num_channels, std::size_t num_tokens, std::uint64_t seed) {
  Matrix<double> moment(num_channels, num_channels);
  const Matrix<double> noise = normal_matrix(num_tokens, num_channels, seed);
  const Matrix<double> common = normal_matrix(num_tokens, 3, seed + 1);
  const Matrix<double> mix = normal_matrix(3, num_channels, seed + 2);
  std::vector<double> x(num_channels);
  for (std::size_t t = 0; t < num_tokens; ++t) {
    for (std::size_t c = 0; c < num_channels; ++c) {
      x[c] = noise(t, c);
      for (std::size_t i = 0; i < 3; ++i) x[c] += 2 * common(t, i) * mix(i, c);
      x[c] *= c % 7 == 3 ? 5 : c % 5 == 0 ? 0.25 : 1;
    }
    for (std::size_t i = 0; i < num_channels; ++i)
      for (std::size_t j = 0; j < num_channels; ++j) moment(i, j) += x[i] * x[j];
  }
  return moment;
}

QuantizedWeight gptq(const Matrix<double>& weights, const Matrix<double>& moment, const GptqOptions& options,
                     const numerics::ParallelFor& parallel_for = {}) {
  return round_by_gptq(weights, factor_second_moment(moment, options, parallel_for), options, parallel_for);
}

/// tr(d H d^T) in binary64.
double error_of(const Matrix<double>& weights, const QuantizedWeight& rounded, const Matrix<double>& moment) {
  const Matrix<double> values = dequantize(rounded);
  double sum = 0;
  for (std::size_t n = 0; n < weights.rows(); ++n)
    for (std::size_t i = 0; i < weights.cols(); ++i)
      for (std::size_t j = 0; j < weights.cols(); ++j)
        sum += (values(n, i) - weights(n, i)) * moment(i, j) * (values(n, j) - weights(n, j));
  return sum;
}

TEST(GptqRoundingTest, CholeskyIsTheTextbooksBitForBit) {
  for (const std::size_t size : {1, 2, 7, 8, 63, 64, 65, 150}) {
    const Matrix<double> moment = correlated_moment(size, 2 * size + 3, size);
    Matrix<double> expected(size, size);
    for (std::size_t i = 0; i < size; ++i)
      for (std::size_t j = 0; j <= i; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k < j; ++k) sum += expected(j, k) * expected(i, k);
        const double rest = moment(i, j) - sum;
        expected(i, j) = i == j ? std::sqrt(rest) : rest / expected(j, j);
      }
    Matrix<double> factor = moment;
    ASSERT_TRUE(factor_cholesky(factor)) << size;
    EXPECT_EQ(factor, expected) << size;
    Matrix<double> backwards = moment;
    ASSERT_TRUE(factor_cholesky(backwards, tests::run_backwards)) << size;
    EXPECT_EQ(backwards, expected) << size;
  }
}

TEST(GptqRoundingTest, CholeskyRefusesWhatIsNotPositiveDefinite) {
  Matrix<double> indefinite(2, 2, {1, 2, 2, 1});
  EXPECT_FALSE(factor_cholesky(indefinite));
  Matrix<double> not_a_number(2, 2, {1, 0, 0, NAN});
  EXPECT_FALSE(factor_cholesky(not_a_number));
}

// H = R R^T with R = (1 1 0; 0 1 0; 0 0 1); the third weight makes the scale 7 / 7 = 1.
// k = 0: q = round(0.4) = 0, error 0.4. k = 1: u = 2.3 + 0.4 * 1 / 1 = 2.7, q = 3. Round to nearest gives 0, 2.
TEST(GptqRoundingTest, ThreeChannelsByHand) {
  const Matrix<double> weights(1, 3, {0.4, 2.3, 7});
  const Matrix<double> moment(3, 3, {2, 1, 0, 1, 1, 0, 0, 0, 1});
  const QuantizedWeight rounded = gptq(weights, moment, {.damp = 0});
  EXPECT_EQ(rounded.codes, Matrix<std::int8_t>(1, 3, {0, 3, 7}));
  EXPECT_EQ(rounded.scales, Matrix<float>(1, 1, {1.0F}));
  EXPECT_NEAR(error_of(weights, rounded, moment), 0.25, 1e-12);  // 2 * 0.16 - 2 * 0.4 * 0.7 + 0.49; to nearest: 0.65
}

// H = (1 1 0; 1 2 0; 0 0 1). Ascending: R_22 = sqrt 2, R_12 / R_22 = 1 / 2, so u = 2.2 + 0.4 / 2 = 2.4, q = 2.
// By falling diagonal the second channel is first: q = round(2.2) = 2, error 0.2; then the first with R of the case
// above: u = 0.4 + 0.2 = 0.6, q = 1.
TEST(GptqRoundingTest, ActOrderByHand) {
  const Matrix<double> weights(1, 3, {0.4, 2.2, 7});
  const Matrix<double> moment(3, 3, {1, 1, 0, 1, 2, 0, 0, 0, 1});
  EXPECT_EQ(gptq(weights, moment, {.damp = 0}).codes, Matrix<std::int8_t>(1, 3, {0, 2, 7}));
  EXPECT_EQ(gptq(weights, moment, {.act_order = true, .damp = 0}).codes, Matrix<std::int8_t>(1, 3, {1, 2, 7}));
}

struct Case {
  std::size_t rows, channels;
  GptqOptions options;
};

std::vector<Case> cases() {
  return {
      {13, 40, {}},
      {16, 96, {.act_order = true, .damp = 0.1}},
      {9, 96, {.quantizer = {.bits = 3, .group = 32}}},
      {9, 100, {.quantizer = {.bits = 8, .group = 32}, .damp = 0.001}},
      {9, 100, {.quantizer = {.bits = 4, .group = 16}, .act_order = true}},
      {3, 300, {.quantizer = {.bits = 2}}},
  };
}

TEST(GptqRoundingTest, EqualsNumPy) {
  for (const Case& c : cases()) {
    const Matrix<double> weights = normal_matrix(c.rows, c.channels, 5);
    const Matrix<double> moment = correlated_moment(c.channels, c.channels + 20, 6);
    const tests::TemporaryDirectory directory;
    const auto shape = [](const auto& m) {
      return "(" + std::to_string(m.rows()) + ", " + std::to_string(m.cols()) + ")";
    };
    directory.write("weights.npy",
                    tests::npy_file(tests::npy_header("<f8", shape(weights)), tests::raw_bytes(weights.data())));
    directory.write("moment.npy",
                    tests::npy_file(tests::npy_header("<f8", shape(moment)), tests::raw_bytes(moment.data())));
    const std::string command = "/usr/bin/python3 " GUARDBIT_SOURCE_DIR "/tests/support/gptq_reference.py " +
                                directory.path().string() + " " + std::to_string(c.options.quantizer.bits) + " " +
                                std::to_string(c.options.quantizer.group) + (c.options.act_order ? " 1 " : " 0 ") +
                                std::to_string(c.options.damp);
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    const auto codes = tests::npy_elements<std::int8_t>(tests::content_of(directory / "codes.npy"));
    const auto scales = tests::npy_elements<float>(tests::content_of(directory / "scales.npy"));
    const QuantizedWeight rounded = gptq(weights, moment, c.options);
    EXPECT_EQ(rounded.codes.data(), codes) << command;
    ASSERT_EQ(rounded.scales.data().size(), scales.size()) << command;
    for (std::size_t i = 0; i < scales.size(); ++i)
      EXPECT_NEAR(rounded.scales.data()[i], scales[i], 1e-6 * static_cast<double>(scales[i])) << command;
  }
}

TEST(GptqRoundingTest, NeverWorseThanRoundToNearestHere) {
  for (const Case& c : cases())
    for (const bool asymmetric : {false, true})
      for (const bool clip : {false, true}) {
        GptqOptions options = c.options;
        options.quantizer.asymmetric = asymmetric;
        options.quantizer.clip = clip;
        const Matrix<double> weights = normal_matrix(c.rows, c.channels, 7);
        const Matrix<double> moment = correlated_moment(c.channels, 2 * c.channels, 8);
        const double error = error_of(weights, gptq(weights, moment, options), moment);
        const double nearest = error_of(weights, round_to_nearest(weights, options.quantizer), moment);
        EXPECT_LT(error, 0.9 * nearest) << c.channels << " channels, " << options.quantizer.bits << " bits, group "
                                        << options.quantizer.group << (asymmetric ? ", asymmetric" : "")
                                        << (clip ? ", clip" : "");
      }
}

TEST(GptqRoundingTest, UncorrelatedChannelsAreRoundedToNearest) {
  const Matrix<double> weights = normal_matrix(5, 30, 9);
  Matrix<double> moment(30, 30);
  for (std::size_t k = 0; k < 30; ++k) moment(k, k) = static_cast<double>(k % 4);  // every fourth is always zero
  for (const std::size_t group : {0, 10}) {
    const GptqOptions options{.quantizer = {.bits = 4, .group = group}};
    EXPECT_EQ(gptq(weights, moment, options), round_to_nearest(weights, options.quantizer)) << group;
    EXPECT_EQ(gptq(weights, Matrix<double>(30, 30), options), round_to_nearest(weights, options.quantizer)) << group;
  }
}

TEST(GptqRoundingTest, BlocksAndThreadsChangeNoBit) {
  for (const Case& c : cases()) {
    const Matrix<double> weights = normal_matrix(c.rows * 9, c.channels, 10);
    const Matrix<double> moment = correlated_moment(c.channels, c.channels + 5, 11);
    const QuantizedWeight expected = gptq(weights, moment, c.options);
    for (const int block : {1, 7, 1000}) {
      GptqOptions options = c.options;
      options.block = block;
      EXPECT_EQ(gptq(weights, moment, options, tests::run_backwards), expected) << c.channels << " block " << block;
    }
  }
}

TEST(GptqRoundingTest, UnusableMomentsAreRefused) {
  Matrix<double> moment(2, 2, {1, 1, 1, 1});
  EXPECT_THROW((void)factor_second_moment(moment, {.damp = 0}), std::invalid_argument);
  EXPECT_NO_THROW((void)factor_second_moment(moment, {}));
  moment(0, 0) = INFINITY;
  EXPECT_THROW((void)factor_second_moment(moment, {}), std::invalid_argument);
}

TEST(GptqRoundingTest, OutputErrorIsTheTrace) {
  const Matrix<double> weights = normal_matrix(4, 25, 12);
  const Matrix<double> moment = correlated_moment(25, 60, 13);
  const QuantizedWeight rounded = round_to_nearest(weights, {});
  const Matrix<double> values = dequantize(rounded);
  Matrix<float> change(4, 25);
  for (std::size_t i = 0; i < change.data().size(); ++i)
    change.data()[i] = static_cast<float>(values.data()[i] - weights.data()[i]);
  const Matrix<float> narrow(25, 25, std::vector<float>(moment.data().begin(), moment.data().end()));
  const double expected = error_of(weights, rounded, moment);
  EXPECT_NEAR(output_error(change.view(), narrow.view()), expected, 1e-5 * expected);
}

}  // namespace
}  // namespace guardbit::calibration
