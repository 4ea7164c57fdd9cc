/// Elementary functions against 80-bit long double libm (64-bit significands), bounds as in function_unit.h.
#include "models/units/function_unit.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace guardbit::units {
namespace {

static_assert(std::numeric_limits<long double>::digits >= 64, "the oracle needs more digits than its subjects");

/// |actual - expected| in ulps of binary32 at expected, quanta in the subnormal range.
double ulp_error(float actual, long double expected) {
  if (std::isinf(actual)) return expected > 0x1.ffffffp127L ? 0 : 1e9;
  const int exponent = std::max(std::ilogb(expected), -126);
  return static_cast<double>(std::fabs(static_cast<long double>(actual) - expected) / std::ldexp(1.0L, exponent - 23));
}

/// FNV-1a over result bits: one number for "the same on every host".
void absorb(std::uint64_t& hash, float value) {
  constexpr std::uint64_t kPrime = 0x100000001b3;
  hash = (hash ^ std::bit_cast<std::uint32_t>(value)) * kPrime;
}
constexpr std::uint64_t kHashSeed = 0xcbf29ce484222325;

/// Calls body for every kStride-th binary32 of magnitude at most `largest`, of both signs where `negative`.
template <class Body>
void for_dense_sample(float largest, bool negative, const Body& body) {
  constexpr std::uint32_t kStride = 1499;
  for (std::uint32_t code = 0; code <= std::bit_cast<std::uint32_t>(largest); code += kStride) {
    body(std::bit_cast<float>(code));
    if (negative) body(-std::bit_cast<float>(code));
  }
}

TEST(ExpFp32Test, IsWithinOneUlpOnADenseSample) {
  double worst = 0;
  float worst_at = 0;
  for_dense_sample(103.9F, true, [&](float x) {
    const float actual = exp_fp32(x);
    const double error = ulp_error(actual, std::exp(static_cast<long double>(x)));
    if (error > worst) worst = error, worst_at = x;
  });
  EXPECT_LE(worst, 1.0) << std::hexfloat << "at " << worst_at;
  EXPECT_GT(worst, 0.5) << "a correctly rounded result here means that the oracle is the subject";
}

TEST(ExpFp32Test, BitsAreTheSameEverywhere) {
  std::uint64_t hash = kHashSeed;
  constexpr int kSteps = 1 << 15;  // per unit, from -104 to 89
  for (int i = -104 * kSteps; i < 89 * kSteps; ++i) absorb(hash, exp_fp32(static_cast<float>(i) / kSteps));
  EXPECT_EQ(hash, 1864812659950741910ULL) << "the bits of exp_fp32 differ from the ones this project is built on";
}

TEST(ExpFp32Test, EdgesOfTheRange) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(exp_fp32(0.0F), 1.0F);
  EXPECT_EQ(exp_fp32(-0.0F), 1.0F);
  EXPECT_EQ(exp_fp32(kInfinity), kInfinity);
  EXPECT_EQ(exp_fp32(-kInfinity), 0.0F);
  EXPECT_EQ(exp_fp32(88.73F), kInfinity);
  EXPECT_TRUE(std::isfinite(exp_fp32(88.722F)));
  EXPECT_EQ(exp_fp32(-104.5F), 0.0F);
  EXPECT_EQ(exp_fp32(-103.5F), std::numeric_limits<float>::denorm_min());
  EXPECT_TRUE(std::isnan(exp_fp32(std::numeric_limits<float>::quiet_NaN())));
}

TEST(NormalTailFp32Test, RelativeErrorIsWithinTheStatedBound) {
  double worst = 0;
  std::uint64_t hash = kHashSeed;
  for_dense_sample(14.9F, false, [&](float x) {
    const float actual = normal_tail_fp32(x);
    absorb(hash, actual);
    const long double expected = std::erfc(static_cast<long double>(x) / std::sqrt(2.0L)) / 2;
    if (expected < std::numeric_limits<float>::min()) return;
    worst = std::max(worst, static_cast<double>(std::fabs(actual / expected - 1)));
  });
  EXPECT_LE(worst, 1e-6);
  EXPECT_GT(worst, 1e-8);
  EXPECT_EQ(hash, 4144944330447617246ULL)
      << "the bits of normal_tail_fp32 differ from the ones this project is built on";
  EXPECT_EQ(normal_tail_fp32(15.0F), 0.0F);
}

TEST(ExpFp64Test, RelativeErrorIsWithinTheStatedBound) {
  double worst_small = 0;
  double worst_large = 0;
  for (double x = -700; x <= 700; x += 0.0037) {
    const double error = static_cast<double>(std::fabs(exp_fp64(x) / std::exp(static_cast<long double>(x)) - 1));
    (std::fabs(x) <= 50 ? worst_small : worst_large) = std::max(std::fabs(x) <= 50 ? worst_small : worst_large, error);
  }
  EXPECT_LE(worst_small, 1e-15);
  EXPECT_LE(worst_large, 2e-14);
}

TEST(LogFp64Test, AbsoluteErrorIsWithinTheStatedBound) {
  double worst = 0;
  for (double x = 1e-300; x < 1e300; x *= 1.0037) {
    const long double expected = std::log(static_cast<long double>(x));
    const double bound = 2e-16 * (4 + static_cast<double>(std::fabs(expected)));
    worst = std::max(worst, static_cast<double>(std::fabs(log_fp64(x) - expected)) / bound);
  }
  EXPECT_LE(worst, 1.0);
  EXPECT_EQ(log_fp64(1.0), 0.0);
}

TEST(SinCosFp64Test, AbsoluteErrorIsWithinTheStatedBound) {
  double worst = 0;
  const auto compare = [&](double x) {
    const SinCos actual = sin_cos_fp64(x);
    worst = std::max(worst, static_cast<double>(std::fabs(actual.sin - std::sin(static_cast<long double>(x)))));
    worst = std::max(worst, static_cast<double>(std::fabs(actual.cos - std::cos(static_cast<long double>(x)))));
  };
  for (double x = -20; x <= 20; x += 0.00037) compare(x);
  for (double x = 1; x <= 0x1p20; x *= 1.000037) compare(x);
  for (int k = 0; k < 667544; k += 61) compare(k * 1.5707963267948966);  // next to the zeros
  EXPECT_LE(worst, 4e-16);
}

}  // namespace
}  // namespace guardbit::units
