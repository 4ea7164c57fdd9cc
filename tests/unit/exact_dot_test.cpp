// Exact dot products against Boost's rational numbers.
#include "sim/probe/exact_dot.h"

#include <gtest/gtest.h>

#include <bit>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <limits>
#include <random>

namespace guardbit::tests {
namespace {

using Rational = boost::multiprecision::cpp_rational;

/// Any finite binary32 bit pattern, subnormals and extremes included.
float random_float(std::mt19937_64& random) {
  while (true) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (std::isfinite(value)) return value;
  }
}

/// |got - exact| <= 2^-52 |exact|; the sign and zero are exact.
testing::AssertionResult near(double got, const Rational& exact) {
  if (exact == 0 || got == 0) {
    if (exact == 0 && got == 0) return testing::AssertionSuccess();
    return testing::AssertionFailure() << got << " for " << exact;
  }
  const Rational error = abs(Rational(got) - exact);
  if (error * Rational(0x1p52) <= abs(exact)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << std::hexfloat << got << " for " << exact;
}

TEST(ExactDotTest, AnyBinary32OperandsMatchRationals) {
  constexpr std::uint64_t kSeed = 5;
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 300; ++i) {
    const std::size_t size = 1 + random() % 40;
    std::vector<float> a(size);
    std::vector<float> b(size);
    Rational sum = 0;
    for (std::size_t k = 0; k < size; ++k) {
      a[k] = random_float(random);
      b[k] = random_float(random);
      if (k > 0 && random() % 4 == 0) {  // cancels what was added before
        a[k] = -a[k - 1];
        b[k] = b[k - 1];
      }
      sum += Rational(a[k]) * Rational(b[k]);
    }
    const float c = random() % 2 == 0 ? random_float(random) : 0;
    const sim::ExactDot dot = sim::exact_dot(a, b, c);
    EXPECT_TRUE(near(dot.exact, sum)) << "seed " << kSeed << ", case " << i;
    EXPECT_TRUE(near(dot.error, Rational(c) - sum)) << "seed " << kSeed << ", case " << i;
  }
}

TEST(ExactDotTest, LongSumsOfExtremesDoNotWrap) {
  constexpr float kMax = std::numeric_limits<float>::max();
  const std::vector<float> a(1 << 20, kMax);
  const std::vector<float> minus(1 << 20, -kMax);
  const Rational sum = Rational(kMax) * Rational(kMax) * (1 << 20);
  EXPECT_TRUE(near(sim::exact_dot(a, a, 0).exact, sum));
  EXPECT_TRUE(near(sim::exact_dot(a, minus, 0).exact, -sum));
  const std::vector<float> least(3, 0x1p-149F);
  EXPECT_EQ(sim::exact_dot(least, least, 0).exact, 0x1.8p-297);
}

}  // namespace
}  // namespace guardbit::tests
