/// Softmax in both methods against its steps in reference operations, against binary64, and on special rows; its
/// exponential against long double.
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
        SoftmaxUnit({}, storage.spec).run(scores.view(), first_row, y.view(), actual, tests::run_backwards);
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
  SoftmaxUnit({}, conversion_spec("fp32")).run(scores.view(), 0, y.view(), ledger);
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

SoftmaxConfig softmax_config(const std::string& method, std::int64_t block, const std::string& exponential,
                             std::int64_t table_bits, const std::string& format) {
  SoftmaxConfig config;
  config.method = method;
  config.block = block;
  config.exponential = exponential;
  config.table_bits = table_bits;
  config.format = format;
  return config;
}

TEST(SoftmaxTest, OnlineEqualsTheStepsInReferenceOperations) {
  std::mt19937_64 generator(20261207);
  for (const std::int64_t block : {1, 3, 16, 100}) {
    for (const char* exponential : {"polynomial", "table"}) {
      for (const char* format : {"fp32", "fp16", "bf16", "fp8_e5m2"}) {
        const SoftmaxConfig config = softmax_config("online", block, exponential, 6, format);
        const ExpUnit exp(config);  // pinned below
        const ReferenceSteps round{conversion_spec(format)};
        const ReferenceSteps storage{conversion_spec("fp16")};
        Matrix<float> scores = tests::random_carriers(20, 34, numerics::kFp16, 8, generator());
        scores(3, 0) = scores(3, 1) = -kInfinity;
        Matrix<float> y(20, 34);
        EventLedger actual;
        SoftmaxUnit(config, storage.spec).run(scores.view(), 5, y.view(), actual, tests::run_backwards);
        EventLedger expected;
        EventCounts& events = expected[Stage::kVector];
        Matrix<float> reference(20, 34);
        for (std::size_t r = 0; r < 20; ++r) {
          const std::size_t length = std::min<std::size_t>(34, 5 + r + 1);
          const auto weight = [&](float score, float maximum) {
            const bool both = std::isinf(score) && std::isinf(maximum);
            return both ? 0.0F : exp(round.add(score, -maximum, events), events);
          };
          float sum = 0;
          float maximum = -kInfinity;
          for (std::size_t j = 0; j < length; ++j) {
            if (j % static_cast<std::size_t>(block) == 0) {
              const float before = maximum;
              for (std::size_t i = j; i < std::min(length, j + static_cast<std::size_t>(block)); ++i) {
                maximum = std::max(maximum, scores(r, i));
              }
              if (j > 0) sum = round.multiply(sum, weight(before, maximum), events);
            }
            sum = round.accumulate(sum, weight(scores(r, j), maximum), events);
          }
          for (std::size_t j = 0; j < length; ++j) {
            const float e = weight(scores(r, j), maximum);
            const float quotient = round.divide(e, sum, events);
            reference(r, j) = storage.convert(quotient, expected[Stage::kStorage]);
          }
        }
        EXPECT_EQ(tests::first_difference(y.data(), reference.data()), "") << block << exponential << format;
        EXPECT_EQ(tests::ledger_difference(actual, expected), "") << block << exponential << format;
      }
    }
  }
}

TEST(SoftmaxTest, OnlineIsWithinADerivedBoundOfBinary64) {
  constexpr std::size_t kSize = 96;
  // Rising scores: the maximum rises in almost every block, which is the worst case for the rescaled sum.
  Matrix<float> scores = tests::random_carriers(kSize, kSize, numerics::kFp16, 1, 23);
  for (std::size_t r = 0; r < kSize; ++r) {
    for (std::size_t j = 0; j < kSize; ++j)
      scores(r, j) = std::round(64 * (scores(r, j) + 0.25F * static_cast<float>(j))) / 64;
  }
  double worst = 0;
  for (const std::int64_t block : {1, 8}) {
    Matrix<float> y(kSize, kSize);
    EventLedger ledger;
    SoftmaxUnit(softmax_config("online", block, "polynomial", 8, "fp32"), conversion_spec("fp32"))
        .run(scores.view(), 0, y.view(), ledger);
    // The differences of these scores are exact. Every term of the sum passes at most kSize additions (2^-24 each) and
    // kSize / block factors, each with an exponential (2^-23) and a product (2^-24), beside its own exponential; the
    // numerator's exponential 2^-23 and the quotient 2^-24. All to first order; squares are below 1 % of it.
    const double factors = static_cast<double>(kSize) / static_cast<double>(block);
    const double bound = 1.01 * (kSize * 0x1p-24 + factors * (0x1p-23 + 0x1p-24) + 2 * 0x1p-23 + 0x1p-24);
    for (std::size_t r = 0; r < kSize; ++r) {
      double sum = 0;
      for (std::size_t j = 0; j <= r; ++j) sum += std::exp(static_cast<double>(scores(r, j)) - scores(r, r));
      for (std::size_t j = 0; j <= r; ++j) {
        const double expected = std::exp(static_cast<double>(scores(r, j)) - scores(r, r)) / sum;
        ASSERT_NEAR(y(r, j), expected, expected * bound) << block << ": " << r << ", " << j;
        worst = std::max(worst, std::fabs(y(r, j) / expected - 1) / bound);
      }
    }
  }
  EXPECT_GT(worst, 0.01) << "the bound is of the error's size";
}

TEST(SoftmaxTest, OneBlockOnlineIsTwoPass) {
  const Matrix<float> scores = tests::random_carriers(30, 34, numerics::kFp16, 20, 24);
  for (const char* format : {"fp32", "fp16"}) {
    Matrix<float> online(30, 34);
    Matrix<float> two_pass(30, 34);
    EventLedger ledger;
    SoftmaxUnit(softmax_config("online", 34, "polynomial", 8, format), conversion_spec("fp16"))
        .run(scores.view(), 0, online.view(), ledger);
    SoftmaxUnit(softmax_config("two_pass", 34, "polynomial", 8, format), conversion_spec("fp16"))
        .run(scores.view(), 0, two_pass.view(), ledger);
    EXPECT_EQ(tests::first_difference(online.data(), two_pass.data()), "");
  }
}

TEST(SoftmaxTest, SpecialRowsOnline) {
  const Matrix<float> scores(4, 3,
                             std::vector<float>{1, std::numeric_limits<float>::quiet_NaN(), 2, -kInfinity, 0, 0, 1,
                                                kInfinity, 3, -kInfinity, -kInfinity, -kInfinity});
  Matrix<float> y(4, 3);
  EventLedger ledger;
  SoftmaxUnit(softmax_config("online", 1, "polynomial", 8, "fp32"), conversion_spec("fp16"))
      .run(scores.view(), 2, y.view(), ledger);
  for (std::size_t j = 0; j < 3; ++j) {
    EXPECT_TRUE(std::isnan(y(0, j)));
    EXPECT_TRUE(std::isnan(y(2, j)));
    EXPECT_TRUE(std::isnan(y(3, j)));
  }
  EXPECT_EQ(std::vector<float>(y.row(1), y.row(1) + 3), (std::vector<float>{0, 0.5F, 0.5F}));
}

TEST(ExpUnitTest, TableIsWithinItsStatedBound) {
  for (const std::int64_t table_bits : {2, 6, 8, 12}) {
    const ExpUnit exp(softmax_config("two_pass", 32, "table", table_bits, "fp32"));
    long double worst = 0;
    for (std::uint32_t code = 0; code <= std::bit_cast<std::uint32_t>(103.9F); code += 1499) {
      const float x = -std::bit_cast<float>(code);
      EventCounts events;
      const long double expected = std::exp(static_cast<long double>(x));
      const long double relative = 0.0602L * std::ldexp(1.0L, static_cast<int>(-2 * table_bits)) +
                                   0x1p-24L * (std::fabs(static_cast<long double>(x)) / 4 + 3);
      const long double bound = relative * expected + (expected < 0x1p-125L ? 0x1p-149L : 0);
      const long double error = std::fabs(exp(x, events) - expected);
      ASSERT_LE(error, bound) << table_bits << std::hexfloat << " at " << x;
      if (expected > 0x1p-125L) worst = std::max(worst, error / bound);
    }
    EXPECT_GT(worst, 0.3) << "the bound is of the error's size";
  }
}

TEST(ExpUnitTest, ResultsAreRoundedToTheFormatAsOneOperator) {
  for (const char* exponential : {"polynomial", "table"}) {
    const ExpUnit wide(softmax_config("two_pass", 32, exponential, 8, "fp32"));
    for (const char* format : {"fp16", "fp8_e5m2"}) {
      const ExpUnit narrow(softmax_config("two_pass", 32, exponential, 8, format));
      const ReferenceSteps round{conversion_spec(format)};
      for (float x = 0; x > -110; x -= 0.0078125F) {
        EventCounts ignored;
        EventCounts events;
        const float expected = round.convert(wide(x, ignored), ignored);
        ASSERT_EQ(narrow(x, events), expected) << format << " at " << x;
        ASSERT_EQ(events[Event::kInexact], x != 0 ? 1u : 0u);
        ASSERT_EQ(events[Event::kUnderflow], expected < 0x1p-14F ? 1u : 0u);  // both formats' smallest normal
        ASSERT_EQ(events[Event::kFlushed], expected == 0 ? 1u : 0u);
      }
      EventCounts events;
      EXPECT_TRUE(std::isnan(narrow(std::numeric_limits<float>::quiet_NaN(), events)));
      EXPECT_EQ(narrow(-kInfinity, events), 0.0F);
      EXPECT_FALSE(events.any());
    }
  }
}

TEST(SoftmaxTest, SpecialRows) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Matrix<float> scores(
      4, 3, std::vector<float>{1, kNan, 2, -kInfinity, 0, 0, 1, kInfinity, 3, -kInfinity, -kInfinity, -kInfinity});
  Matrix<float> y(4, 3);
  EventLedger ledger;
  SoftmaxUnit({}, conversion_spec("fp16")).run(scores.view(), 2, y.view(), ledger);
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
