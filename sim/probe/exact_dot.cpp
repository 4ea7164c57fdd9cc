#include "sim/probe/exact_dot.h"

#include <bit>
#include <cmath>
#include <limits>

namespace guardbit::sim {
namespace {

/// |value| = significand * 2^exponent, exponent >= -149.
struct Parts {
  std::uint32_t significand;
  int exponent;
};

Parts parts_of(std::uint32_t bits) {
  const std::uint32_t biased = bits >> 23 & 0xFF;
  const std::uint32_t trailing = bits & 0x7FFFFF;
  if (biased == 0) return {trailing, -149};
  return {trailing | 0x800000, static_cast<int>(biased) - 150};
}

}  // namespace

void ExactSum::add_product(float a, float b) {
  const auto a_bits = std::bit_cast<std::uint32_t>(a);
  const auto b_bits = std::bit_cast<std::uint32_t>(b);
  const Parts x = parts_of(a_bits);
  const Parts y = parts_of(b_bits);
  const std::uint64_t product = std::uint64_t{x.significand} * y.significand;  // 48 bits
  const auto position = static_cast<std::size_t>(x.exponent + y.exponent - kLowestExponent);
  const std::size_t limb = position / 32;
  const unsigned shift = position % 32;
  // 48 + 31 bits in three limbs of 32.
  const std::uint64_t low = product << shift;
  const std::uint64_t high = shift == 0 ? 0 : product >> (64 - shift);
  const std::int64_t sign = ((a_bits ^ b_bits) >> 31) != 0 ? -1 : 1;
  limbs_[limb] += sign * static_cast<std::int64_t>(low & 0xFFFFFFFF);
  limbs_[limb + 1] += sign * static_cast<std::int64_t>(low >> 32);
  limbs_[limb + 2] += sign * static_cast<std::int64_t>(high);
}

double ExactSum::value() const {
  // 1. Digits 0 <= d < 2^32 but for the top one, which carries the sign.
  std::array<std::int64_t, kNumLimbs> digits = limbs_;
  for (std::size_t i = 0; i + 1 < kNumLimbs; ++i) {
    digits[i + 1] += digits[i] >> 32;
    digits[i] &= 0xFFFFFFFF;
  }
  const bool negative = digits.back() < 0;
  if (negative) {  // two's complement
    std::int64_t carry = 1;
    for (std::size_t i = 0; i + 1 < kNumLimbs; ++i) {
      const std::int64_t digit = (~digits[i] & 0xFFFFFFFF) + carry;
      digits[i] = digit & 0xFFFFFFFF;
      carry = digit >> 32;
    }
    digits.back() = ~digits.back() + carry;
  }
  // 2. The leading 53 bits, from at most three digits; the rest is cut.
  std::size_t top = kNumLimbs;
  while (top > 0 && digits[top - 1] == 0) --top;
  if (top == 0) return 0;
  --top;
  __extension__ using Uint128 = unsigned __int128;
  Uint128 leading = 0;
  int exponent = kLowestExponent + 32 * static_cast<int>(top);
  for (std::size_t i = 0; i < 3; ++i) {
    leading = leading << 32 | (top >= i ? static_cast<std::uint64_t>(digits[top - i]) : 0);
  }
  exponent -= 64;
  const auto high = static_cast<std::uint64_t>(leading >> 64);
  const auto low = static_cast<std::uint64_t>(leading);
  const int width = high != 0 ? 64 + static_cast<int>(std::bit_width(high)) : static_cast<int>(std::bit_width(low));
  constexpr int kPrecision = std::numeric_limits<double>::digits;
  if (width > kPrecision) {
    leading >>= width - kPrecision;
    exponent += width - kPrecision;
  }
  const double magnitude = std::ldexp(static_cast<double>(static_cast<std::uint64_t>(leading)), exponent);
  return negative ? -magnitude : magnitude;
}

ExactDot exact_dot(std::span<const float> a, std::span<const float> b, float c) {
  ExactSum sum;
  for (std::size_t k = 0; k < a.size(); ++k) sum.add_product(a[k], b[k]);
  ExactDot result;
  result.exact = sum.value();
  sum.add_product(c, -1);
  result.error = -sum.value();
  return result;
}

}  // namespace guardbit::sim
