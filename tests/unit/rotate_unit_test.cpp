/// The rotate unit against rotate_unit.h's steps in reference operations and against the exact product with the matrix.
#include "models/units/rotate_unit.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "models/units/arithmetic.h"
#include "tests/support/reference_steps.h"

namespace guardbit::units {
namespace {

using numerics::Stage;
using tests::ReferenceSteps;

RotateConfig rotate_config(const char* format) {
  RotateConfig config;
  config.format = format;
  return config;
}

/// One transform, in place.
void reference_transform(std::vector<float>& t, const ReferenceSteps& round, EventCounts& events) {
  const int size = static_cast<int>(t.size());
  const std::size_t odd = t.size() >> std::countr_zero(t.size());
  const std::size_t m = odd == 1 ? 1 : 4 * odd;
  const std::size_t run = t.size() / m;
  for (float& value : t) value = round.convert(value, events);
  for (std::size_t h = 1; h < run; h *= 2) {
    for (std::size_t i = 0; i < t.size(); ++i) {
      if ((i % run & h) != 0) continue;
      const float a = t[i];
      const float b = t[i + h];
      t[i] = round.add(a, b, events);
      t[i + h] = round.add(a, -b, events);
    }
  }
  if (m > 1) {
    const Matrix<float> factor = hadamard_matrix(static_cast<int>(m));
    const std::vector<float> input = t;
    for (std::size_t i = 0; i < t.size(); ++i) {
      float acc = 0;
      for (std::size_t k = 0; k < m; ++k)
        acc = round.accumulate(acc, factor(i / run, k) * input[k * run + i % run], events);
      t[i] = acc;
    }
  }
  const auto scale = static_cast<float>(1 / std::sqrt(static_cast<double>(size)));
  for (float& value : t) value = round.multiply(value, scale, events);
}

TEST(RotateUnitTest, EqualsTheStepsInReferenceOperations) {
  for (const char* format : {"fp16", "bf16", "fp32", "fp8_e4m3"}) {
    for (const auto& [size, stride, blocks] : {std::tuple{1, 1, 5},
                                               {2, 1, 3},
                                               {64, 1, 1},
                                               {8, 12, 1},
                                               {4, 3, 2},
                                               {12, 1, 1},
                                               {20, 2, 2},
                                               {40, 1, 1},
                                               {48, 4, 1},
                                               {172, 1, 1}}) {
      const auto n = static_cast<std::size_t>(size);
      const auto s = static_cast<std::size_t>(stride);
      const std::size_t width = static_cast<std::size_t>(blocks) * n * s;
      const Matrix<float> x = tests::random_carriers(3, width, numerics::kFp16, 20, width);
      Matrix<float> y(3, width);
      EventLedger actual;
      rotate(x.view(), size, stride, rotate_config(format), y.view(), actual);
      EventLedger expected;
      Matrix<float> reference(3, width);
      for (std::size_t row = 0; row < 3; ++row) {
        for (std::size_t first = 0; first < width; ++first) {
          if (first / s % n != 0) continue;  // the element with i = 0 of its transform
          std::vector<float> t(n);
          for (std::size_t i = 0; i < n; ++i) t[i] = x(row, first + i * s);
          reference_transform(t, {conversion_spec(format)}, expected[Stage::kRotate]);
          for (std::size_t i = 0; i < n; ++i) reference(row, first + i * s) = t[i];
        }
      }
      EXPECT_EQ(tests::first_difference(y.data(), reference.data()), "") << format << " " << size << "/" << stride;
      EXPECT_EQ(tests::ledger_difference(actual, expected), "") << format << " " << size << "/" << stride;
    }
  }
}

TEST(RotateUnitTest, IsTheOrthonormalHadamardMatrix) {
  for (const int size : {32, 60, 156}) {
    const auto n = static_cast<std::size_t>(size);
    const Matrix<float> x = tests::random_carriers(2, n, numerics::kFp16, 1, 3);
    const Matrix<float> h = hadamard_matrix(size);
    Matrix<float> y(2, n);
    EventLedger ledger;
    rotate(x.view(), size, 1, rotate_config("fp32"), y.view(), ledger);
    // At most log2(n) + m + 1 < 170 roundings of partial sums below sum |x| < 5 n, scaled by n^-1/2.
    const double bound = 170 * 0x1p-24 * 5 * std::sqrt(size);
    for (std::size_t row = 0; row < 2; ++row) {
      for (std::size_t i = 0; i < n; ++i) {
        double expected = 0;
        for (std::size_t k = 0; k < n; ++k) expected += static_cast<double>(h(i, k)) * x(row, k);
        EXPECT_NEAR(y(row, i), expected / std::sqrt(size), bound) << size << ", " << i;
      }
    }
  }
}

TEST(RotateUnitTest, WorksInPlaceAndOnThreads) {
  const Matrix<float> x = tests::random_carriers(500, 96, numerics::kFp16, 1, 4);
  Matrix<float> y(500, 96);
  EventLedger plain;
  rotate(x.view(), 24, 2, rotate_config("fp16"), y.view(), plain);
  Matrix<float> in_place = x;
  EventLedger threaded;
  rotate(in_place.view(), 24, 2, rotate_config("fp16"), in_place.view(), threaded, tests::run_backwards);
  EXPECT_EQ(tests::first_difference(in_place.data(), y.data()), "");
  EXPECT_EQ(tests::ledger_difference(threaded, plain), "");
}

}  // namespace
}  // namespace guardbit::units
