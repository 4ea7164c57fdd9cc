/// Smoothing plans on worked examples and properties, and the division against the reference.
#include "models/units/smooth_unit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "models/units/arithmetic.h"
#include "tests/support/reference_steps.h"

namespace guardbit::units {
namespace {

using numerics::Stage;
using Permutation = std::vector<std::uint32_t>;

SmoothConfig smooth_config(int group, bool sort = true, const char* order = "descending", const char* scale = "exact") {
  SmoothConfig config;
  config.group = group;
  config.sort = sort;
  config.order = order;
  config.scale = scale;
  return config;
}

// Column maxima 3, 9, 1e-5 (from 0), 3, 5.5, 0.75, 2
const Matrix<float>& example() {
  static const Matrix<float> x(2, 7, std::vector<float>{-3, 1, 0, 2, 5.5F, 0.5F, 2, 1, 9, 0, 3, -5, -0.75F, -1});
  return x;
}

TEST(SmoothPlanTest, SortsStablyAndTakesEachGroupsLargest) {
  const SmoothPlan plan = smooth_plan(example().view(), smooth_config(2));
  EXPECT_EQ(plan.permutation, (Permutation{1, 4, 0, 3, 6, 5, 2}));
  EXPECT_EQ(plan.group_scales, (std::vector<float>{9, 3, 2, 1e-5F}));
}

TEST(SmoothPlanTest, AscendingReversesTheGroups) {
  Matrix<float> x(1, 6, std::vector<float>{1, 2, 3, 4, 5, 6});
  const SmoothPlan plan = smooth_plan(x.view(), smooth_config(2, true, "ascending"));
  EXPECT_EQ(plan.permutation, (Permutation{1, 0, 3, 2, 5, 4}));
  EXPECT_EQ(plan.group_scales, (std::vector<float>{2, 4, 6}));
  const SmoothPlan partial = smooth_plan(example().view(), smooth_config(2, true, "ascending"));
  EXPECT_EQ(partial.permutation, (Permutation{5, 2, 3, 6, 4, 0, 1}));
  EXPECT_EQ(partial.group_scales, (std::vector<float>{0.75F, 3, 5.5F, 9}));
}

TEST(SmoothPlanTest, WithoutSortChannelsStay) {
  const SmoothPlan plan = smooth_plan(example().view(), smooth_config(3, false));
  EXPECT_EQ(plan.permutation, (Permutation{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(plan.group_scales, (std::vector<float>{9, 5.5F, 2}));
}

TEST(SmoothPlanTest, PowersOfTwoAreRoundedUp) {
  const SmoothPlan plan = smooth_plan(example().view(), smooth_config(1, true, "descending", "pow2"));
  EXPECT_EQ(plan.group_scales, (std::vector<float>{16, 8, 4, 4, 2, 1, 0x1p-16F}));
}

TEST(SmoothPlanTest, NansAreIgnoredAndInfinitiesStayFinite) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Matrix<float> x(2, 3, std::vector<float>{kNan, 1, kNan, 2, -std::numeric_limits<float>::infinity(), kNan});
  const SmoothPlan plan = smooth_plan(x.view(), smooth_config(1));
  EXPECT_EQ(plan.permutation, (Permutation{1, 0, 2}));
  EXPECT_EQ(plan.group_scales, (std::vector<float>{std::numeric_limits<float>::max(), 2, 1e-5F}));
  EXPECT_EQ(smooth_plan(x.view(), smooth_config(3, true, "descending", "pow2")).group_scales[0], 0x1p127F);
}

TEST(SmoothPlanTest, DescendingScalesAreAPermutationsMaxima) {
  const Matrix<float> x = tests::random_carriers(33, 1000, numerics::kFp16, 4, 12);
  const SmoothPlan plan = smooth_plan(x.view(), smooth_config(128));
  Permutation sorted = plan.permutation;
  std::ranges::sort(sorted);
  for (std::uint32_t channel = 0; channel < 1000; ++channel) ASSERT_EQ(sorted[channel], channel);
  ASSERT_EQ(plan.group_scales.size(), 8u);
  EXPECT_TRUE(std::ranges::is_sorted(plan.group_scales, std::greater<>()));
  for (std::size_t p = 0; p < 1000; ++p) {
    for (std::size_t t = 0; t < 33; ++t) EXPECT_LE(std::fabs(x(t, plan.permutation[p])), plan.group_scales[p / 128]);
  }
}

TEST(SmoothTest, DividesOncePermutedAndCountsEvents) {
  const Matrix<float> x = tests::random_carriers(40, 50, numerics::kFp16, 300, 13);
  for (const char* storage : {"fp16", "fp8_e4m3"}) {
    const SmoothPlan plan = smooth_plan(x.view(), smooth_config(16));
    Matrix<float> y(40, 50);
    EventLedger actual;
    smooth(x.view(), plan, 16, conversion_spec(storage), y.view(), actual, tests::run_backwards);
    EventLedger expected;
    Matrix<float> reference(40, 50);
    const tests::ReferenceSteps round{conversion_spec(storage)};
    for (std::size_t t = 0; t < 40; ++t) {
      for (std::size_t p = 0; p < 50; ++p) {
        reference(t, p) = round.divide(x(t, plan.permutation[p]), plan.group_scales[p / 16], expected[Stage::kSmooth]);
      }
    }
    EXPECT_EQ(tests::first_difference(y.data(), reference.data()), "");
    EXPECT_EQ(tests::ledger_difference(actual, expected), "");
  }
}

TEST(SmoothTest, GatheredWeightsMatchGatheredInputs) {
  const Matrix<float> w = tests::random_carriers(3, 7, numerics::kFp16, 1, 14);
  const Permutation permutation = {1, 4, 0, 3, 6, 5, 2};
  const Matrix<float> gathered = gather_columns(w.view(), permutation);
  for (std::size_t r = 0; r < 3; ++r) {
    for (std::size_t p = 0; p < 7; ++p) EXPECT_EQ(gathered(r, p), w(r, permutation[p]));
  }
}

}  // namespace
}  // namespace guardbit::units
