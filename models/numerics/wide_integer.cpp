#include "models/numerics/wide_integer.h"

#include <algorithm>

#include "models/numerics/check.h"

namespace guardbit::numerics {

WideInteger::WideInteger(Uint128 magnitude, int shift, bool negative) {
  GUARDBIT_CHECK(shift >= 0, "integers have no bits below bit 0");
  const std::array<std::uint64_t, 2> halves = {static_cast<std::uint64_t>(magnitude),
                                               static_cast<std::uint64_t>(magnitude >> 64)};
  const auto first = static_cast<std::size_t>(shift / 64);
  const int offset = shift % 64;
  for (std::size_t i = 0; i < halves.size(); ++i) {
    if (first + i < kLimbs) limbs_[first + i] |= halves[i] << offset;
    if (offset != 0 && first + i + 1 < kLimbs) limbs_[first + i + 1] |= halves[i] >> (64 - offset);
  }
  if (negative) *this = negated();
}

WideInteger WideInteger::max_of(int bits) {
  WideInteger bound(1, bits - 1, false);
  return bound += WideInteger(1, 0, true);
}

WideInteger WideInteger::min_of(int bits) { return WideInteger(1, bits - 1, true); }

WideInteger& WideInteger::operator+=(const WideInteger& other) {
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < kLimbs; ++i) {
    const Uint128 sum = Uint128{limbs_[i]} + other.limbs_[i] + carry;
    limbs_[i] = static_cast<std::uint64_t>(sum);
    carry = static_cast<std::uint64_t>(sum >> 64);
  }
  return *this;
}

WideInteger WideInteger::negated() const {
  WideInteger result;
  for (std::size_t i = 0; i < kLimbs; ++i) result.limbs_[i] = ~limbs_[i];
  return result += WideInteger(1, 0, false);
}

bool WideInteger::bit(int index) const {
  return (limbs_[static_cast<std::size_t>(index / 64)] >> (index % 64) & 1) != 0;
}

WideInteger WideInteger::wrapped(int bits) const {
  GUARDBIT_CHECK(bits >= 1 && bits < kBits, "a number of bits that this integer has");
  const auto top = static_cast<std::size_t>(bits / 64);  // limb of bit `bits`, the first to be replaced
  const std::uint64_t low_mask = (std::uint64_t{1} << (bits % 64)) - 1;
  const bool negative = bit(bits - 1);
  WideInteger result = *this;
  result.limbs_[top] = negative ? limbs_[top] | ~low_mask : limbs_[top] & low_mask;
  for (std::size_t i = top + 1; i < kLimbs; ++i) result.limbs_[i] = negative ? ~std::uint64_t{0} : 0;
  return result;
}

int WideInteger::magnitude_bits() const {
  for (std::size_t i = kLimbs; i-- > 0;) {
    if (limbs_[i] != 0) return static_cast<int>(i) * 64 + bit_width(limbs_[i]);
  }
  return 0;
}

Unrounded WideInteger::times_power_of_two(int exponent) const {
  constexpr int kKeptBits = 110;
  if (is_zero()) return {};
  const WideInteger magnitude = is_negative() ? negated() : *this;
  const int drop_bits = std::max(0, magnitude.magnitude_bits() - kKeptBits);
  Unrounded value{.number_class = NumberClass::kFinite, .negative = is_negative(), .exponent = exponent + drop_bits};
  for (int i = std::min(kBits, drop_bits + kKeptBits); i-- > drop_bits;) {
    value.significand = value.significand << 1 | (magnitude.bit(i) ? 1U : 0U);
  }
  for (int i = 0; i < drop_bits; ++i) value.sticky = value.sticky || magnitude.bit(i);
  return value;
}

}  // namespace guardbit::numerics
