#pragma once
/// An independent answer to "what should this rounding deliver": exact values in Boost.Multiprecision rationals or, for
/// speed, in 128-bit integers of a fixed unit; neighbours by division or by enumeration of the format. Of the subject
/// it knows only the descriptors (FloatFormat, FloatSpec, the event names).
#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <optional>
#include <vector>

#include "models/numerics/events.h"
#include "models/numerics/float_format.h"
#include "models/numerics/rounding.h"

namespace guardbit::tests {

using numerics::Event;
using numerics::EventSet;
using numerics::FloatFormat;
using numerics::FloatSpec;
using numerics::OverflowPolicy;
using numerics::RoundingMode;
using numerics::SpecialCodes;
using Rational = boost::multiprecision::cpp_rational;
__extension__ using Int128 = __int128;

enum class Kind { kNumber, kInfinity, kNan };

/// A real number or special. `negative` is also the sign of a zero.
template <class Real>
struct Exact {
  Kind kind = Kind::kNumber;
  bool negative = false;
  Real magnitude = 0;

  bool is_zero() const { return kind == Kind::kNumber && magnitude == 0; }
  Real value() const { return negative ? Real(-magnitude) : magnitude; }
  friend bool operator==(const Exact&, const Exact&) = default;
};

/// What a rounding should deliver. The sign of a NaN is clear.
template <class Real>
struct Expected {
  Exact<Real> result;
  EventSet events;
};

/// significand * 2^exponent. For integers `unit_exponent` says what 1 stands for.
inline Rational scaled(std::uint64_t significand, int exponent, Rational /*type*/, int /*unit_exponent*/ = 0) {
  const boost::multiprecision::cpp_int power = boost::multiprecision::cpp_int(1) << std::abs(exponent);
  return exponent >= 0 ? Rational(power * significand) : Rational(significand, power);
}
inline Int128 scaled(std::uint64_t significand, int exponent, Int128 /*type*/, int unit_exponent) {
  return Int128{static_cast<std::int64_t>(significand)} << (exponent - unit_exponent);  // exponent >= unit_exponent
}

/// Value of a code by the formula of IEEE 754-2019 section 3.4 and the prose of the SpecialCodes.
template <class Real>
Exact<Real> value_of(std::uint32_t code, const FloatFormat& format, int unit_exponent = 0) {
  const std::uint32_t field = code % (1u << format.trailing_bits);
  const std::uint32_t biased = code / (1u << format.trailing_bits) % (1u << format.exponent_bits);
  const bool negative = code >= (1u << (format.trailing_bits + format.exponent_bits));
  const bool top_exponent = biased == (1u << format.exponent_bits) - 1;
  const bool top_field = field == (1u << format.trailing_bits) - 1;
  const Exact<Real> nan{Kind::kNan, false, 0};
  if (format.specials == SpecialCodes::kIeee && top_exponent && field != 0) return nan;
  if (format.specials == SpecialCodes::kIeee && top_exponent) return {Kind::kInfinity, negative, 0};
  if (format.specials == SpecialCodes::kNanAllOnes && top_exponent && top_field) return nan;
  if (format.specials == SpecialCodes::kNanNegZero && negative && biased == 0 && field == 0) return nan;
  const bool normal = biased != 0;
  const std::uint64_t significand = field + (normal ? std::uint64_t{1} << format.trailing_bits : 0);
  const int exponent = (normal ? static_cast<int>(biased) : 1) - format.bias - format.trailing_bits;
  return {Kind::kNumber, negative, scaled(significand, exponent, Real{0}, unit_exponent)};
}

/// The format's values on both sides of a magnitude, as if its exponent had no upper bound.
template <class Real>
struct Neighbours {
  Real below = 0;  ///< largest value <= magnitude
  Real above = 0;  ///< next value after `below`
  bool below_is_odd = false;
};

/// Neighbours in a list of all non-negative values of a format, ascending; the position is the code, hence parity.
class EnumeratedGrid {
 public:
  /// `format` and up to eight binades above it; emin is lower by `lower_emin`.
  EnumeratedGrid(const FloatFormat& format, int unit_exponent, int lower_emin = 0) {
    const FloatFormat wide{format.exponent_bits + 1, format.trailing_bits, format.bias + lower_emin,
                           SpecialCodes::kNone};
    constexpr std::uint32_t kBinadesAbove = 8;
    const std::uint32_t end = wide.sign_code() / 2 + (kBinadesAbove << wide.trailing_bits);
    for (std::uint32_t code = 0; code < std::min(end, wide.sign_code()); ++code) {
      values_.push_back(value_of<Int128>(code, wide, unit_exponent).magnitude);
    }
  }
  /// Magnitudes beyond the list are beyond the largest finite value of the format too, and so are their neighbours.
  Neighbours<Int128> operator()(Int128 magnitude) const {
    auto above = std::upper_bound(values_.begin(), values_.end(), magnitude);
    if (above == values_.end()) --above;
    const auto below = above - 1;
    return {*below, *above, (below - values_.begin()) % 2 == 1};
  }

  const std::vector<Int128>& values() const { return values_; }

 private:
  std::vector<Int128> values_;
};

/// floor(log2(x)) for x > 0.
inline int floor_log2(const Rational& x) {
  const auto numerator_log2 = static_cast<int>(boost::multiprecision::msb(boost::multiprecision::numerator(x)));
  const auto denominator_log2 = static_cast<int>(boost::multiprecision::msb(boost::multiprecision::denominator(x)));
  const int guess = numerator_log2 - denominator_log2;
  return scaled(1, guess, Rational(0)) <= x ? guess : guess - 1;
}

/// Neighbours by division through the spacing at a magnitude, for formats too wide to enumerate.
class DividedGrid {
 public:
  explicit DividedGrid(const FloatFormat& format, int lower_emin = 0)
      : precision_minus_1_(format.trailing_bits), emin_(1 - format.bias - lower_emin) {}
  Neighbours<Rational> operator()(const Rational& magnitude) const {
    const int exponent = magnitude == 0 ? emin_ : std::max(floor_log2(magnitude), emin_);
    const Rational spacing = scaled(1, exponent - precision_minus_1_, Rational(0));
    const Rational steps = magnitude / spacing;
    const boost::multiprecision::cpp_int whole =
        boost::multiprecision::numerator(steps) / boost::multiprecision::denominator(steps);
    return {whole * spacing, (whole + 1) * spacing, (whole & 1) == 1};
  }

 private:
  int precision_minus_1_;
  int emin_;
};

/// The neighbour that a rounding mode chooses.
template <class Real>
Real choose(const Neighbours<Real>& grid, const Real& magnitude, bool negative, const FloatSpec& spec,
            std::uint32_t random) {
  if (magnitude == grid.below) return grid.below;
  const Real twice_tail = (magnitude - grid.below) * 2;
  const Real spacing = grid.above - grid.below;
  const bool above_half = twice_tail > spacing;
  const bool half = twice_tail == spacing;
  switch (spec.rounding) {
    case RoundingMode::kTiesToEven: return above_half || (half && grid.below_is_odd) ? grid.above : grid.below;
    case RoundingMode::kTiesToAway: return above_half || half ? grid.above : grid.below;
    case RoundingMode::kTowardZero: return grid.below;
    case RoundingMode::kTowardPositive: return negative ? grid.below : grid.above;
    case RoundingMode::kTowardNegative: return negative ? grid.above : grid.below;
    case RoundingMode::kToOdd: return grid.below_is_odd ? grid.below : grid.above;
    case RoundingMode::kStochastic: {
      // floor(tail * 2^n) + r >= 2^n  <=>  tail * 2^n >= 2^n - r, the right side being an integer
      const std::uint64_t steps = std::uint64_t{1} << spec.random_bits;
      const Real needed = scaled(steps - random % steps, 0, Real{0}, 0);
      return (magnitude - grid.below) * scaled(steps, 0, Real{0}, 0) >= spacing * needed ? grid.above : grid.below;
    }
  }
  return grid.below;
}

/// Rounding by definition, one format. Grid: EnumeratedGrid with Int128, DividedGrid with Rational.
template <class Real, class Grid>
class RoundingOracle {
 public:
  RoundingOracle(const FloatFormat& format, Grid grid, Grid unbounded_grid, int unit_exponent)
      : format_(format), grid_(std::move(grid)), unbounded_grid_(std::move(unbounded_grid)) {
    for (std::uint32_t code = format.sign_code(); code-- > 0;) {
      max_finite_ = value_of<Real>(code, format, unit_exponent);
      if (max_finite_.kind == Kind::kNumber) break;
      if (format.specials == SpecialCodes::kIeee) code &= ~((1u << format.trailing_bits) - 1);  // skip the NaNs
    }
    min_normal_ = scaled(1, 1 - format.bias, Real{0}, unit_exponent);
  }

  Expected<Real> operator()(const Exact<Real>& exact, const FloatSpec& spec, std::uint32_t random = 0) const {
    if (exact.kind == Kind::kNan) return nan(EventSet{});
    if (exact.kind == Kind::kInfinity) return overflow(exact.negative, spec, /*infinite=*/true);
    if (exact.magnitude == 0) return {number(exact.negative, 0), {}};

    const Real rounded = choose(grid_(exact.magnitude), exact.magnitude, exact.negative, spec, random);
    if (rounded > max_finite_.magnitude) return overflow(exact.negative, spec, /*infinite=*/false);
    const bool tiny = is_tiny(exact, spec, random);
    if (tiny && spec.flush_output) {
      return {number(exact.negative, 0), {Event::kUnderflow, Event::kFlushed, Event::kInexact}};
    }
    Expected<Real> expected{number(exact.negative, rounded), {}};
    if (rounded != exact.magnitude) expected.events.add(Event::kInexact);
    if (rounded != exact.magnitude && tiny) expected.events.add(Event::kUnderflow);
    if (rounded == 0) expected.events.add(Event::kFlushed);
    return expected;
  }

 private:
  Exact<Real> number(bool negative, const Real& magnitude) const {
    const bool lost_sign = magnitude == 0 && format_.specials == SpecialCodes::kNanNegZero;
    return {Kind::kNumber, negative && !lost_sign, magnitude};
  }
  Expected<Real> nan(EventSet events) const {
    if (format_.specials != SpecialCodes::kNone) return {{Kind::kNan, false, 0}, events};
    return {max_finite_, {Event::kInvalid, Event::kSaturated}};
  }
  Expected<Real> overflow(bool negative, const FloatSpec& spec, bool infinite) const {
    const bool toward_zero = spec.rounding == RoundingMode::kTowardZero || spec.rounding == RoundingMode::kToOdd ||
                             (spec.rounding == RoundingMode::kTowardPositive && negative) ||
                             (spec.rounding == RoundingMode::kTowardNegative && !negative);
    const bool has_infinity = format_.specials == SpecialCodes::kIeee;
    const bool has_nan = format_.specials != SpecialCodes::kNone;
    if (spec.overflow == OverflowPolicy::kSaturate || !has_nan || (toward_zero && !infinite)) {
      return {{Kind::kNumber, negative, max_finite_.magnitude}, {Event::kOverflow, Event::kInexact, Event::kSaturated}};
    }
    if (spec.overflow == OverflowPolicy::kNan || !has_infinity) {
      return nan({Event::kOverflow, Event::kInexact, Event::kInvalid});
    }
    return {{Kind::kInfinity, negative, 0}, infinite ? EventSet{} : EventSet{Event::kOverflow, Event::kInexact}};
  }
  bool is_tiny(const Exact<Real>& exact, const FloatSpec& spec, std::uint32_t random) const {
    if (exact.magnitude >= min_normal_) return false;
    if (spec.tininess == numerics::Tininess::kBeforeRounding || spec.rounding == RoundingMode::kStochastic) return true;
    return choose(unbounded_grid_(exact.magnitude), exact.magnitude, exact.negative, spec, random) < min_normal_;
  }

  FloatFormat format_;
  Grid grid_;
  Grid unbounded_grid_;
  Exact<Real> max_finite_;
  Real min_normal_ = 0;
};

/// How far below emin the grid without subnormals is needed: one binade decides (values below it are tiny anyway).
inline constexpr int kLowerEmin = 2;

inline auto enumerating_oracle(const FloatFormat& format, int unit_exponent) {
  return RoundingOracle<Int128, EnumeratedGrid>(format, EnumeratedGrid(format, unit_exponent),
                                                EnumeratedGrid(format, unit_exponent, kLowerEmin), unit_exponent);
}
inline auto rational_oracle(const FloatFormat& format) {
  return RoundingOracle<Rational, DividedGrid>(format, DividedGrid(format), DividedGrid(format, kLowerEmin), 0);
}

// ---- exact arithmetic by the rules of IEEE 754-2019 section 6 ----

template <class Real>
struct ExactResult {
  Exact<Real> value;
  bool invalid = false;
};

template <class Real>
ExactResult<Real> oracle_sum(const Exact<Real>& a, const Exact<Real>& b, RoundingMode mode) {
  const Exact<Real> nan{Kind::kNan, false, 0};
  if (a.kind == Kind::kNan || b.kind == Kind::kNan) return {nan, false};
  if (a.kind == Kind::kInfinity && b.kind == Kind::kInfinity && a.negative != b.negative) return {nan, true};
  if (a.kind == Kind::kInfinity) return {a, false};
  if (b.kind == Kind::kInfinity) return {b, false};
  const Real sum = a.value() + b.value();
  if (sum == 0) {
    const bool negative = a.negative == b.negative ? a.negative : mode == RoundingMode::kTowardNegative;
    return {{Kind::kNumber, negative, 0}, false};
  }
  return {{Kind::kNumber, sum < 0, sum < 0 ? Real(-sum) : sum}, false};
}

/// For Int128 the product's unit is the product of the operands' units.
template <class Real>
ExactResult<Real> oracle_product(const Exact<Real>& a, const Exact<Real>& b) {
  const bool negative = a.negative != b.negative;
  const Exact<Real> nan{Kind::kNan, false, 0};
  if (a.kind == Kind::kNan || b.kind == Kind::kNan) return {nan, false};
  if (a.kind == Kind::kInfinity || b.kind == Kind::kInfinity) {
    return a.is_zero() || b.is_zero() ? ExactResult<Real>{nan, true}
                                      : ExactResult<Real>{{Kind::kInfinity, negative, 0}, false};
  }
  return {{Kind::kNumber, negative, a.magnitude * b.magnitude}, false};
}

}  // namespace guardbit::tests
