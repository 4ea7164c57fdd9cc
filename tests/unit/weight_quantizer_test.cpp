// Integer grids for weights: scales and codes by hand, against the definition in rationals, and the clip search.
#include "models/calibration/weight_quantizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace guardbit::calibration {
namespace {

using numerics::Matrix;
using testing::ElementsAre;
using units::QuantizedWeight;

Matrix<double> random_weights(std::size_t rows, std::size_t cols, double mean, unsigned seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal(mean, 1);
  Matrix<double> w(rows, cols);
  for (double& value : w.data()) value = static_cast<double>(static_cast<float>(normal(engine)));
  return w;
}

double squared_error(const Matrix<double>& w, const QuantizedWeight& quantized) {
  const Matrix<double> values = dequantize(quantized);
  double sum = 0;
  for (std::size_t i = 0; i < w.data().size(); ++i) sum += std::pow(w.data()[i] - values.data()[i], 2);
  return sum;
}

TEST(WeightQuantizerTest, SymmetricByHand) {
  const QuantizedWeight q = round_to_nearest(Matrix<double>(2, 4, {7, -7, 1.5, 2.5, 0, 0, 0, 0}), {.bits = 4});
  EXPECT_THAT(q.codes.data(), ElementsAre(7, -7, 2, 2, 0, 0, 0, 0));
  EXPECT_THAT(q.scales.data(), ElementsAre(1, 1));
  EXPECT_TRUE(q.is_symmetric());
}

TEST(WeightQuantizerTest, AsymmetricByHand) {
  // 0 .. 15 at scale 1: codes are the values minus 8, the zero point -8.
  const QuantizedWeight positive =
      round_to_nearest(Matrix<double>(1, 3, {1, 15, 2.5}), {.bits = 4, .asymmetric = true});
  EXPECT_THAT(positive.codes.data(), ElementsAre(-7, 7, -6));
  EXPECT_THAT(positive.zero_points.data(), ElementsAre(-8));
  EXPECT_EQ(positive.scales(0, 0), 1);
  // -5 .. 10: zero point 5 - 8.
  const QuantizedWeight both = round_to_nearest(Matrix<double>(1, 3, {-5, 10, 0}), {.bits = 4, .asymmetric = true});
  EXPECT_THAT(both.codes.data(), ElementsAre(-8, 7, -3));
  EXPECT_THAT(both.zero_points.data(), ElementsAre(-3));
  // All negative: 0 is the largest code.
  const QuantizedWeight negative = round_to_nearest(Matrix<double>(1, 2, {-3, -1}), {.bits = 2, .asymmetric = true});
  EXPECT_THAT(negative.codes.data(), ElementsAre(-2, 0));
  EXPECT_THAT(negative.zero_points.data(), ElementsAre(1));
}

TEST(WeightQuantizerTest, GroupsTensorsAndRaggedGroups) {
  const Matrix<double> w(2, 5, {1, 2, 30, 40, 500, 6, 7, 8, 9, 10});
  const QuantizedWeight grouped = round_to_nearest(w, {.bits = 8, .group = 2});
  EXPECT_EQ(grouped.scales.cols(), 3U);
  EXPECT_THAT(grouped.codes.data(), ElementsAre(64, 127, 95, 127, 127, 109, 127, 113, 127, 127));
  const QuantizedWeight whole = round_to_nearest(w, {.bits = 8, .per_tensor = true});
  EXPECT_THAT(whole.scales.data(), ElementsAre(500.0F / 127, 500.0F / 127));
  EXPECT_EQ(whole.codes(1, 4), 3);  // 2.54
}

TEST(WeightQuantizerTest, CodesAreNearestAndErrorsAreAtMostHalfAStepPlusTheZeroPoints) {
  for (int bits = 2; bits <= 8; ++bits)
    for (const bool asymmetric : {false, true})
      for (const std::size_t group : {std::size_t{0}, std::size_t{16}, std::size_t{7}}) {
        const Matrix<double> w = random_weights(8, 48, asymmetric ? 0.7 : 0, static_cast<unsigned>(bits));
        const QuantizedWeight q = round_to_nearest(w, {.bits = bits, .group = group, .asymmetric = asymmetric});
        const Matrix<double> values = dequantize(q);
        for (std::size_t n = 0; n < w.rows(); ++n)
          for (std::size_t k = 0; k < w.cols(); ++k) {
            // Both ends may be cut: by the rounding of the zero point, at most half a step, and by that of the scale.
            const double scale = static_cast<double>(q.scales(n, q.group_of(k)));
            EXPECT_LE(std::abs(w(n, k) - values(n, k)), (asymmetric ? 1.0001 : 0.50001) * scale) << bits << " " << n;
          }
      }
}

TEST(WeightQuantizerTest, FinerGridsAndClippingDoNotRaiseTheError) {
  const Matrix<double> w = random_weights(16, 256, 0.3, 7);
  for (const int bits : {2, 3, 4, 8}) {
    const double tensor = squared_error(w, round_to_nearest(w, {.bits = bits, .per_tensor = true}));
    const double channel = squared_error(w, round_to_nearest(w, {.bits = bits}));
    const double group = squared_error(w, round_to_nearest(w, {.bits = bits, .group = 32}));
    EXPECT_LT(channel, tensor) << bits;
    EXPECT_LT(group, channel) << bits;
    for (const bool asymmetric : {false, true}) {
      const double plain = squared_error(w, round_to_nearest(w, {.bits = bits, .asymmetric = asymmetric}));
      const double clipped =
          squared_error(w, round_to_nearest(w, {.bits = bits, .asymmetric = asymmetric, .clip = true}));
      EXPECT_LE(clipped, plain) << bits;
      EXPECT_LT(clipped, (bits <= 4 ? 0.97 : 1.0001) * plain) << bits << ": normal weights gain from clipping";
    }
  }
}

TEST(WeightQuantizerTest, ClippingTakesTheBestRatioOfTheGrid) {
  const Matrix<double> w = random_weights(1, 64, 0, 3);
  const CodeGrid best = fit_grid(w.data(), {.bits = 3, .clip = true});
  double largest = 0;
  for (const double x : w.data()) largest = std::max(largest, std::abs(x));
  double least = 1e300;
  float scale = 0;
  for (int step = 40; step >= 16; --step) {
    CodeGrid grid{.scale = static_cast<float>(step / 40.0 * largest / 3), .zero_point = 0, .least = -4, .largest = 3};
    double error = 0;
    for (const double x : w.data()) error += std::pow(x - grid.value(grid.code(x)), 2);
    if (error >= least) continue;
    least = error;
    scale = grid.scale;
  }
  EXPECT_EQ(best.scale, scale);
}

TEST(WeightQuantizerTest, ExtremesKeepScalesPositiveAndFinite) {
  for (const double value : {1e-45, 3e38, 1.0}) {
    for (const bool asymmetric : {false, true}) {
      const CodeGrid grid = fit_grid(std::vector<double>{value, -value}, {.bits = 2, .asymmetric = asymmetric});
      EXPECT_GT(grid.scale, 0) << value;
      EXPECT_TRUE(std::isfinite(grid.scale)) << value;
    }
  }
  EXPECT_EQ(CodeGrid{.least = -8}.code(std::nan("")), 0);
}

}  // namespace
}  // namespace guardbit::calibration
