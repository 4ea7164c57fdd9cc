/// Softmax against its steps in reference operations, against binary64, and on special rows.
#include "models/units/softmax_unit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/units/arithmetic.h"
#include "models/units/function_unit.h"
#include "tests/support/reference_steps.h"

namespace guardbit::units {
namespace {

using numerics::Event;
using numerics::Stage;
using tests::ReferenceSteps;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(SoftmaxTest, EqualsTheStepsInReferenceOperations) {
  const ReferenceSteps fp32;
  for (const double scale : {0.5, 20.0, 300.0}) {
    const Matrix<float> scores = tests::random_carriers(30, 34, numerics::kFp16, scale, 21);
    for (const char* format : {"fp16", "fp8_e4m3"}) {
      for (const std::size_t first_row : {0, 4, 100}) {
        const ReferenceSteps storage{conversion_spec(format)};
        Matrix<float> y(30, 34, 99.0F);
        EventLedger actual;
        softmax_rows(scores.view(), first_row, storage.spec, y.view(), actual, tests::run_backwards);
        EventLedger expected;
        EventCounts& events = expected[Stage::kVector];
        Matrix<float> reference(30, 34);
        for (std::size_t r = 0; r < 30; ++r) {
          const std::size_t length = std::min<std::size_t>(34, first_row + r + 1);
          const float maximum = *std::max_element(scores.row(r), scores.row(r) + length);
          std::vector<float> e(length);
          float sum = 0;
          for (std::size_t j = 0; j < length; ++j) {
            const float difference = fp32.add(scores(r, j), -maximum, events);
            e[j] = exp_fp32(difference);  // pinned by function_unit_test.cpp
            if (difference != 0) ++events[Event::kInexact];
            if (e[j] < 0x1p-126F) ++events[Event::kUnderflow];
            if (e[j] == 0) ++events[Event::kFlushed];
            sum = fp32.accumulate(sum, e[j], events);
          }
          for (std::size_t j = 0; j < length; ++j) {
            reference(r, j) = storage.convert(fp32.divide(e[j], sum, events), expected[Stage::kStorage]);
          }
        }
        EXPECT_EQ(tests::first_difference(y.data(), reference.data()), "")
            << scale << " " << format << " " << first_row;
        EXPECT_EQ(tests::ledger_difference(actual, expected), "") << scale << " " << format << " " << first_row;
      }
    }
  }
}

TEST(SoftmaxTest, IsWithinADerivedBoundOfBinary64) {
  constexpr std::size_t kSize = 64;
  const Matrix<float> scores = tests::random_carriers(kSize, kSize, numerics::kFp16, 5, 22);
  Matrix<float> y(kSize, kSize);
  EventLedger ledger;
  softmax_rows(scores.view(), 0, conversion_spec("fp32"), y.view(), ledger);
  // The differences of fp16 scores are exact. exp: 1 ulp, at most 2^-23, each in numerator and sum; the sum: 63
  // roundings of 2^-24; the quotient: 2^-24.
  const double bound = 2 * 0x1p-23 + 64 * 0x1p-24;
  for (std::size_t r = 0; r < kSize; ++r) {
    double sum = 0;
    for (std::size_t j = 0; j <= r; ++j) sum += std::exp(static_cast<double>(scores(r, j)));
    for (std::size_t j = 0; j <= r; ++j) {
      const double expected = std::exp(static_cast<double>(scores(r, j))) / sum;
      EXPECT_NEAR(y(r, j), expected, expected * bound) << r << ", " << j;
    }
    for (std::size_t j = r + 1; j < kSize; ++j) EXPECT_EQ(std::bit_cast<std::uint32_t>(y(r, j)), 0u);
  }
}

TEST(SoftmaxTest, SpecialRows) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Matrix<float> scores(
      4, 3, std::vector<float>{1, kNan, 2, -kInfinity, 0, 0, 1, kInfinity, 3, -kInfinity, -kInfinity, -kInfinity});
  Matrix<float> y(4, 3);
  EventLedger ledger;
  softmax_rows(scores.view(), 2, conversion_spec("fp16"), y.view(), ledger);
  for (std::size_t j = 0; j < 3; ++j) {
    EXPECT_TRUE(std::isnan(y(0, j)));
    EXPECT_TRUE(std::isnan(y(2, j)));
    EXPECT_TRUE(std::isnan(y(3, j)));
  }
  EXPECT_EQ(std::vector<float>(y.row(1), y.row(1) + 3), (std::vector<float>{0, 0.5F, 0.5F}));
  EXPECT_EQ(ledger[Stage::kVector][Event::kInvalid], 1u + 3u);  // inf - inf once in row 2, in all of row 3
}

}  // namespace
}  // namespace guardbit::units
