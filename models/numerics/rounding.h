#pragma once
/// The one place where a significand is rounded and a range is enforced.
/// Everything that a simulated unit holds passes through round_to_format() or through a kernel proven equal to it.
#ifdef __FAST_MATH__
#error "Guardbit must not be compiled with -ffast-math: it changes results"
#endif
#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

#include "models/numerics/events.h"
#include "models/numerics/float_format.h"

namespace guardbit::numerics {

__extension__ using Uint128 = unsigned __int128;

/// Number of bits up to and including the leading one; 0 for 0.
constexpr int bit_width(Uint128 value) {
  const auto high = static_cast<std::uint64_t>(value >> 64);
  const auto low = static_cast<std::uint64_t>(value);
  return high != 0 ? 64 + static_cast<int>(std::bit_width(high)) : static_cast<int>(std::bit_width(low));
}

/// Rounding-direction attributes of IEEE 754-2019 section 4.3, plus round-to-odd and stochastic rounding.
enum class RoundingMode {
  kTiesToEven,      ///< "rne"
  kTowardZero,      ///< "rtz"
  kTowardPositive,  ///< "rup"
  kTowardNegative,  ///< "rdn"
  kTiesToAway,      ///< "rna"
  kToOdd,           ///< "odd", also called jamming; safe before a second rounding
  kStochastic,      ///< "stochastic": magnitude up iff floor(tail * 2^n) + r >= 2^n, r = n random bits
};
std::optional<RoundingMode> parse_rounding(std::string_view name);
std::string_view name_of(RoundingMode mode);

/// What becomes of a finite or infinite exact result beyond the largest finite value.
enum class OverflowPolicy {
  kInfinity,  ///< "infinity"; a format without infinities delivers NaN (OCP OFP8 E4M3 non-saturating), without both
              ///< saturates
  kNan,       ///< "nan"; a format without NaN saturates
  kSaturate,  ///< "saturate": largest finite of the same sign, for infinite operands and results too
};
std::optional<OverflowPolicy> parse_overflow(std::string_view name);
std::string_view name_of(OverflowPolicy policy);

/// When a non-zero result counts as tiny (IEEE 754-2019 section 7.5).
enum class Tininess {
  kAfterRounding,   ///< magnitude below 2^emin after rounding to p bits with unbounded exponent
  kBeforeRounding,  ///< exact magnitude below 2^emin
};

/// A destination: the format and everything that decides which of its values a result becomes.
struct FloatSpec {
  FloatFormat format = kFp32;
  RoundingMode rounding = RoundingMode::kTiesToEven;
  OverflowPolicy overflow = OverflowPolicy::kInfinity;
  bool flush_input = false;   ///< DAZ: operations treat subnormal operands of this format as zero of the same sign
  bool flush_output = false;  ///< FTZ: a tiny result (by `tininess`) becomes zero of the same sign
  Tininess tininess = Tininess::kAfterRounding;  ///< kStochastic always detects before rounding
  int random_bits = 16;                          ///< kStochastic: n, 1..32

  friend constexpr bool operator==(const FloatSpec&, const FloatSpec&) = default;
};

enum class NumberClass { kZero, kFinite, kInfinity, kNan };

/// A real number or special before rounding: (-1)^negative * (significand + tail) * 2^exponent, where tail = 0
/// unless `sticky`, then 0 < tail < 1. Significand is not 0 for kFinite and ignored for the other classes.
struct Unrounded {
  NumberClass number_class = NumberClass::kZero;
  bool negative = false;
  Uint128 significand = 0;
  int exponent = 0;
  bool sticky = false;
};

/// A delivered result.
struct Rounded {
  std::uint32_t code = 0;
  EventSet events;
};

/// Drops the low bits of a significand and rounds what is left.
///
///   significand = K...K L R S...S      K, L kept; L = last kept bit ("is odd")
///                         ^--^---      R, S dropped; R = round bit, S = sticky bits
///
/// What kTiesToEven adds to K...KL (x = any):
///   L R S   tail      add
///   x 0 x   < half     0
///   0 1 0   = half     0     tie, already even
///   1 1 0   = half    +1     tie, make it even
///   x 1 1   > half    +1
///
/// @param significand  magnitude as an unsigned integer
/// @param drop_bits    number of low bits to drop, >= 0; 128 and more drop everything
/// @param sticky       true if non-zero bits below bit 0 were dropped earlier
/// @param negative     sign of the value; only the two directed modes look at it
/// @param random       kStochastic: the low `random_bits` bits are used
/// @return the kept bits, possibly one larger. A carry out of the top kept bit is returned as is; the caller owns
///         the exponent and renormalises.
/// Source: IEEE 754-2019 section 4.3. Test: tests/unit/rounding_test.cpp.
Uint128 round_significand(Uint128 significand, int drop_bits, bool sticky, bool negative, RoundingMode mode,
                          int random_bits = 0, std::uint32_t random = 0);

/// Rounds an exact value once into the destination format and reports every event of that rounding except swamped,
/// wrapped, clipped and zeroed, which only the caller can know, and invalid for a NaN operand (a NaN passes quietly).
///
/// NaN delivers format.nan_code(); a format without NaN delivers its largest finite value with events saturated and
/// invalid. An infinity that is delivered as anything else raises overflow. Exact zeros keep their sign where the
/// format has a negative zero.
/// Deviations from IEEE 754-2019: RTZ, and the directed modes on the side they round toward zero, deliver the largest
/// finite value on a finite overflow under every policy (section 7.4 for formats with infinities, gfloat for OFP8).
/// Test: tests/exhaustive/rounding_exhaustive_test.cpp.
Rounded round_to_format(const Unrounded& value, const FloatSpec& spec, std::uint32_t random = 0);

}  // namespace guardbit::numerics
