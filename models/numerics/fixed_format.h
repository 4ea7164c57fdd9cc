#pragma once
/// Two's-complement fixed-point formats q<I>.<F> and conversion into them. Integers without a fraction are
/// int_format.h's.
#include <optional>
#include <string>
#include <string_view>

#include "models/numerics/int_format.h"
#include "models/numerics/rounding.h"
#include "models/numerics/wide_integer.h"

namespace guardbit::numerics {

/// I integer bits, the sign bit among them, and F fraction bits: the multiples of 2^-F in [-2^(I-1), 2^(I-1) - 2^-F].
/// (The convention of ARM's Q notation; TI's does not count the sign bit.)
struct FixedFormat {
  static constexpr int kMaxBits = 320;  ///< of each part; binary32 products summed exactly need q<257 + log2 K>.298

  int integer_bits = 32;   ///< I, 1..320
  int fraction_bits = 32;  ///< F, 0..320; I + F >= 2
  constexpr int bits() const { return integer_bits + fraction_bits; }
  friend constexpr bool operator==(const FixedFormat&, const FixedFormat&) = default;
};

/// "q<I>.<F>" in decimal without leading zeros, else nothing.
std::optional<FixedFormat> parse_fixed_format(std::string_view name);
std::string name_of(const FixedFormat& format);

/// A fixed-point destination.
struct FixedSpec {
  FixedFormat format;
  RoundingMode rounding = RoundingMode::kTowardZero;
  IntOverflow overflow = IntOverflow::kSaturate;
  int random_bits = 16;  ///< kStochastic: n, 1..32
};

/// value * 2^F as an integer, rounded once; *inexact is set if bits were lost. Zero or finite values only, below
/// 2^(WideInteger::kBits - 2 - F).
WideInteger round_to_fraction(const Unrounded& value, int fraction_bits, RoundingMode rounding, bool* inexact,
                              int random_bits = 0, std::uint32_t random = 0);

struct FixedResult {
  WideInteger code;  ///< value * 2^F
  EventSet events;
};

/// Rounds an exact value once into the format: first to a multiple of 2^-F, then into the range.
/// Events: inexact (the delivered value differs from the exact one), flushed (a non-zero value was rounded to zero),
/// saturated or wrapped (the rounded value lies outside the range). An infinity is clamped under both policies
/// (saturated, inexact); NaN gives 0 and invalid: fixed point has neither.
/// Test: tests/unit/fixed_format_test.cpp.
FixedResult round_to_fixed(const Unrounded& value, const FixedSpec& spec, std::uint32_t random = 0);

}  // namespace guardbit::numerics
