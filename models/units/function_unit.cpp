#include "models/units/function_unit.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "models/numerics/check.h"

namespace guardbit::units {
namespace {

/// Values of a polynomial by Horner's rule, highest coefficient first, one rounding a step.
template <std::size_t n>
float horner_fused(float x, const std::array<float, n>& coefficients) {
  float value = coefficients[0];
  for (std::size_t i = 1; i < n; ++i) value = std::fma(value, x, coefficients[i]);
  return value;
}

/// 2^exponent for exponents of normal binary32 and binary64.
float power_of_two_fp32(int exponent) { return std::bit_cast<float>(static_cast<std::uint32_t>(exponent + 127) << 23); }
double power_of_two_fp64(int exponent) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

/// The integer nearest to x for |x| < 2^51, ties to even: adding 1.5 * 2^52 leaves no fraction bits.
double nearest_integer(double x) {
  constexpr double kShift = 0x1.8p52;
  return (x + kShift) - kShift;
}

/// sum over i of (-x^2)^i * first_term / product: Taylor series of sine and cosine on |x| <= pi / 4, where 10 terms
/// leave less than 1e-19.
double alternating_series(double x, double first_term, int first_factor) {
  constexpr int kTerms = 10;
  double term = first_term;
  std::array<double, kTerms> terms{};
  int factor = first_factor;
  for (double& slot : terms) {
    slot = term;
    term = -term * x * x / (static_cast<double>(factor) * (factor + 1));
    factor += 2;
  }
  double sum = 0;  // small terms first
  for (std::size_t i = kTerms; i-- > 0;) sum += terms[i];
  return sum;
}

}  // namespace

float exp_fp32(float x) {
  constexpr float kLargestArgument = 89.0F;     // e^x > largest finite
  constexpr float kSmallestArgument = -104.0F;  // e^x < half the smallest subnormal
  constexpr float kShift = 0x1.8p23F;           // adding it leaves no fraction bits
  constexpr float kInverseLn2 = 0x1.715476p+0F;
  constexpr float kLn2High = 0x1.62e430p-1F;
  constexpr float kLn2Low = -0x1.05c610p-29F;
  // Minimax on |r| <= ln(2) / 2, relative error 3e-9 before rounding.
  constexpr std::array kCoefficients = {
      0x1.694000p-10F, 0x1.125edcp-7F, 0x1.555b5ap-5F, 0x1.555450p-3F, 0x1.fffff6p-2F, 1.0F, 1.0F};
  if (std::isnan(x)) return x;
  if (x >= kLargestArgument) return std::numeric_limits<float>::infinity();
  if (x <= kSmallestArgument) return 0;
  const float n = std::fma(x, kInverseLn2, kShift) - kShift;
  const float r = std::fma(-n, kLn2Low, std::fma(-n, kLn2High, x));
  // Two exact-or-last factors: 2^n alone leaves the range, and only the second product may round.
  const int exponent = static_cast<int>(n);
  const int half = exponent / 2;
  return horner_fused(r, kCoefficients) * power_of_two_fp32(half) * power_of_two_fp32(exponent - half);
}

float normal_tail_fp32(float x) {
  constexpr float kLargestArgument = 15.0F;
  constexpr float kInverseSqrt8 = 0x1.6a09e6p-2F;
  constexpr std::array kCoefficients = {0.17087277F,  -0.82215223F, 1.48851587F, -1.13520398F, 0.27886807F,
                                        -0.18628806F, 0.09678418F,  0.37409196F, 1.00002368F,  -1.26551223F};
  if (x >= kLargestArgument) return 0;
  const float t = 1.0F / std::fma(x, kInverseSqrt8, 1.0F);
  const float half_x = 0.5F * x;
  const float high = half_x * x;
  const float low = std::fma(half_x, x, -high);
  return 0.5F * t * exp_fp32(horner_fused(t, kCoefficients) - low) * exp_fp32(-high);
}

double exp_fp64(double x) {
  constexpr double kLargestArgument = 700;
  constexpr double kInverseLn2 = 0x1.71547652b82fep+0;
  constexpr double kLn2High = 0x1.62e42fee00000p-1;  // 32 bits: n * kLn2High is exact
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  constexpr int kTerms = 16;  // 0.35^16 / 16! < 1e-20
  GUARDBIT_CHECK(std::abs(x) <= kLargestArgument, "argument of exp_fp64 is in range");
  const double n = nearest_integer(x * kInverseLn2);
  const double r = (x - n * kLn2High) - n * kLn2Low;
  double sum = 1;
  for (int i = kTerms; i > 0; --i) sum = 1 + sum * r / i;
  return sum * power_of_two_fp64(static_cast<int>(n));
}

double log_fp64(double x) {
  constexpr double kLn2High = 0x1.62e42fee00000p-1;
  constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
  constexpr double kSqrt2 = 0x1.6a09e667f3bcdp+0;
  constexpr int kLastPower = 25;  // 0.172^27 / 27 < 1e-22
  GUARDBIT_CHECK(x >= std::numeric_limits<double>::min() && std::isfinite(x), "argument of log_fp64 is normal");
  const auto bits = std::bit_cast<std::uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double significand =
      std::bit_cast<double>((bits & ((std::uint64_t{1} << 52) - 1)) | std::bit_cast<std::uint64_t>(1.0));
  if (significand > kSqrt2) {
    significand /= 2;
    ++exponent;
  }
  // log m = 2 artanh((m - 1) / (m + 1)) = 2 sum s^k / k, k odd
  const double s = (significand - 1) / (significand + 1);
  double sum = 0;
  for (int k = kLastPower; k > 0; k -= 2) sum = 1.0 / k + sum * s * s;
  return exponent * kLn2High + (2 * s * sum + exponent * kLn2Low);
}

SinCos sin_cos_fp64(double x) {
  constexpr double kLargestArgument = 0x1p20;
  constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
  // pi / 2 in three parts, the first two of 33 bits: products with an integer below 2^20 are exact.
  constexpr double kHalfPi1 = 0x1.921fb544p+0;
  constexpr double kHalfPi2 = 0x1.0b4611a6p-34;
  constexpr double kHalfPi3 = 0x1.3198a2e037073p-69;
  GUARDBIT_CHECK(std::abs(x) <= kLargestArgument, "argument of sin_cos_fp64 is in range");
  const double n = nearest_integer(x * kTwoOverPi);
  const double r = ((x - n * kHalfPi1) - n * kHalfPi2) - n * kHalfPi3;
  const double sin = alternating_series(r, r, 2);
  const double cos = alternating_series(r, 1, 1);
  switch (static_cast<std::int64_t>(n) & 3) {
    case 0: return {sin, cos};
    case 1: return {cos, -sin};
    case 2: return {-sin, -cos};
    default: return {-cos, sin};
  }
}

}  // namespace guardbit::units
