#pragma once
/// A two's-complement integer wide enough for every exact sum of products of carriers: binary32 products lie between
/// 2^-298 and 2^256, so that 768 bits leave room for more terms than a 64-bit counter counts.
/// Formats and events of fixed-point numbers are fixed_format.h's.
#include <array>
#include <cstdint>

#include "models/numerics/rounding.h"

namespace guardbit::numerics {

/// Arithmetic is modulo 2^768; callers keep values within +-2^766 where they compare or negate.
/// Test: tests/unit/fixed_format_test.cpp, against Boost.Multiprecision.
class WideInteger {
 public:
  static constexpr int kBits = 768;

  WideInteger() = default;
  /// (-1)^negative * magnitude * 2^shift, shift >= 0.
  WideInteger(Uint128 magnitude, int shift, bool negative);

  /// 2^(bits - 1) - 1 and -2^(bits - 1): the bounds of a `bits`-bit two's-complement number, 2 <= bits < kBits.
  static WideInteger max_of(int bits);
  static WideInteger min_of(int bits);

  WideInteger& operator+=(const WideInteger& other);
  WideInteger negated() const;
  bool is_negative() const { return limbs_.back() >> 63 != 0; }
  bool is_zero() const { return *this == WideInteger{}; }
  /// The value is one of a `bits`-bit two's-complement number.
  bool fits(int bits) const { return wrapped(bits) == *this; }
  /// The low `bits` bits, read as a two's-complement number.
  WideInteger wrapped(int bits) const;
  /// The low 64 bits as a two's-complement number.
  std::int64_t low_bits() const { return static_cast<std::int64_t>(limbs_[0]); }
  /// Bit `index` of the two's-complement representation.
  bool bit(int index) const;
  /// The value times 2^exponent, exact up to 110 significant bits, then with the rest in the sticky bit. Zero is +0.
  Unrounded times_power_of_two(int exponent) const;

  friend bool operator==(const WideInteger&, const WideInteger&) = default;

 private:
  static constexpr std::size_t kLimbs = kBits / 64;
  int magnitude_bits() const;  ///< position of the leading one plus 1, for values that are not negative

  std::array<std::uint64_t, kLimbs> limbs_{};  // least significant first
};

}  // namespace guardbit::numerics
