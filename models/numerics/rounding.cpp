#include "models/numerics/rounding.h"

#include <algorithm>
#include <array>
#include <utility>

#include "models/numerics/check.h"

namespace guardbit::numerics {
namespace {

constexpr int kTopBit = 126;  ///< normalised position of a significand's leading bit; bit 127 stays free for carries
constexpr int kMaxRandomBits = 32;

constexpr std::array kRoundingNames = {
    std::pair{RoundingMode::kTiesToEven, std::string_view("rne")},
    std::pair{RoundingMode::kTowardZero, std::string_view("rtz")},
    std::pair{RoundingMode::kTowardPositive, std::string_view("rup")},
    std::pair{RoundingMode::kTowardNegative, std::string_view("rdn")},
    std::pair{RoundingMode::kTiesToAway, std::string_view("rna")},
    std::pair{RoundingMode::kToOdd, std::string_view("odd")},
    std::pair{RoundingMode::kStochastic, std::string_view("stochastic")},
};
constexpr std::array kOverflowNames = {
    std::pair{OverflowPolicy::kInfinity, std::string_view("infinity")},
    std::pair{OverflowPolicy::kNan, std::string_view("nan")},
    std::pair{OverflowPolicy::kSaturate, std::string_view("saturate")},
};

template <class Value, std::size_t n>
std::optional<Value> find_name(const std::array<std::pair<Value, std::string_view>, n>& names, std::string_view name) {
  for (const auto& [value, text] : names) {
    if (text == name) return value;
  }
  return std::nullopt;
}

template <class Value, std::size_t n>
std::string_view find_value(const std::array<std::pair<Value, std::string_view>, n>& names, Value wanted) {
  for (const auto& [value, text] : names) {
    if (value == wanted) return text;
  }
  fail_check(__FILE__, __LINE__, "value is in the table", "an enumerator has no name");
}

/// floor(tail * 2^random_bits) where tail = the dropped bits as a fraction of the last kept bit.
std::uint64_t tail_fraction(Uint128 significand, int drop_bits, int random_bits) {
  if (drop_bits <= 0) return 0;
  const Uint128 dropped = drop_bits >= 128 ? significand : significand & ((Uint128{1} << drop_bits) - 1);
  const int shift = drop_bits - random_bits;
  if (shift >= 128) return 0;
  return static_cast<std::uint64_t>(shift >= 0 ? dropped >> shift : dropped << -shift);
}

/// True if an overflow is delivered as the largest finite value whatever the policy says.
bool rounds_overflow_to_finite(RoundingMode mode, bool negative) {
  switch (mode) {
    case RoundingMode::kTowardZero:
    case RoundingMode::kToOdd: return true;
    case RoundingMode::kTowardPositive: return negative;
    case RoundingMode::kTowardNegative: return !negative;
    case RoundingMode::kTiesToEven:
    case RoundingMode::kTiesToAway:
    case RoundingMode::kStochastic: return false;
  }
  return false;  // unreachable
}

std::uint32_t with_sign(std::uint32_t magnitude_code, bool negative, const FloatFormat& format) {
  if (!negative || (magnitude_code == 0 && !format.has_negative_zero())) return magnitude_code;
  return magnitude_code | format.sign_code();
}

Rounded deliver_nan(const FloatFormat& format) {
  if (format.has_nan()) return {format.nan_code(), {}};
  return {format.max_finite_code(), {Event::kInvalid, Event::kSaturated}};
}

/// `finite` is false for an infinite operand or result, which only some formats and policies can deliver.
Rounded deliver_overflow(const FloatSpec& spec, bool negative, bool finite) {
  const FloatFormat& format = spec.format;
  const bool to_finite = spec.overflow == OverflowPolicy::kSaturate || !format.has_nan() ||
                         (finite && rounds_overflow_to_finite(spec.rounding, negative));
  if (to_finite) {
    return {with_sign(format.max_finite_code(), negative, format),
            {Event::kOverflow, Event::kInexact, Event::kSaturated}};
  }
  if (spec.overflow == OverflowPolicy::kInfinity && format.has_infinity()) {
    const EventSet events = finite ? EventSet{Event::kOverflow, Event::kInexact} : EventSet{};
    return {with_sign(format.infinity_code(), negative, format), events};
  }
  return {format.nan_code(), {Event::kOverflow, Event::kInexact, Event::kInvalid}};
}

/// Whether a value with leading bit at 2^exponent, below 2^emin, is tiny after rounding: only a value in the binade
/// just below 2^emin can round up to 2^emin when its p bits are taken with unbounded exponent.
bool is_tiny(const Unrounded& value, Uint128 significand, int value_exponent, const FloatSpec& spec) {
  const FloatFormat& format = spec.format;
  if (value_exponent >= format.emin()) return false;
  if (spec.tininess == Tininess::kBeforeRounding || spec.rounding == RoundingMode::kStochastic) return true;
  if (value_exponent < format.emin() - 1) return true;
  const int drop_bits = kTopBit + 1 - format.precision_bits();
  const Uint128 kept = round_significand(significand, drop_bits, value.sticky, value.negative, spec.rounding);
  return kept >> format.precision_bits() == 0;
}

}  // namespace

std::optional<RoundingMode> parse_rounding(std::string_view name) { return find_name(kRoundingNames, name); }
std::string_view name_of(RoundingMode mode) { return find_value(kRoundingNames, mode); }
std::optional<OverflowPolicy> parse_overflow(std::string_view name) { return find_name(kOverflowNames, name); }
std::string_view name_of(OverflowPolicy policy) { return find_value(kOverflowNames, policy); }

Uint128 round_significand(Uint128 significand, int drop_bits, bool sticky, bool negative, RoundingMode mode,
                          int random_bits, std::uint32_t random) {
  GUARDBIT_CHECK(drop_bits >= 0, "rounding never adds bits");
  const Uint128 kept = drop_bits >= 128 ? 0 : significand >> drop_bits;
  const bool is_odd = (kept & 1) != 0;
  const bool round_bit = drop_bits > 0 && drop_bits <= 128 && ((significand >> (drop_bits - 1)) & 1) != 0;
  const int sticky_bits = drop_bits - 1;
  const bool tail_sticky =
      sticky || (sticky_bits >= 128 ? significand != 0
                                    : sticky_bits > 0 && (significand & ((Uint128{1} << sticky_bits) - 1)) != 0);
  const bool inexact = round_bit || tail_sticky;

  bool increment = false;
  switch (mode) {
    case RoundingMode::kTiesToEven: increment = round_bit && (tail_sticky || is_odd); break;
    case RoundingMode::kTiesToAway: increment = round_bit; break;
    case RoundingMode::kTowardZero: break;
    case RoundingMode::kTowardNegative: increment = inexact && negative; break;
    case RoundingMode::kTowardPositive: increment = inexact && !negative; break;
    case RoundingMode::kToOdd: increment = inexact && !is_odd; break;
    case RoundingMode::kStochastic: {
      const std::uint64_t mask = (std::uint64_t{1} << random_bits) - 1;
      increment = tail_fraction(significand, drop_bits, random_bits) + (random & mask) > mask;
      break;
    }
  }
  return kept + (increment ? 1 : 0);
}

Rounded round_to_format(const Unrounded& value, const FloatSpec& spec, std::uint32_t random) {
  const FloatFormat& format = spec.format;
  switch (value.number_class) {
    case NumberClass::kZero: return {with_sign(0, value.negative, format), {}};
    case NumberClass::kNan: return deliver_nan(format);
    case NumberClass::kInfinity: return deliver_overflow(spec, value.negative, /*finite=*/false);
    case NumberClass::kFinite: break;
  }
  GUARDBIT_CHECK(value.significand != 0, "a finite non-zero value has a significand");

  // Normalise to a leading bit at kTopBit; then value = significand * 2^(value_exponent - kTopBit).
  const int shift = kTopBit + 1 - bit_width(value.significand);
  GUARDBIT_CHECK(shift >= 0, "significands have at most 127 bits");
  const Uint128 significand = value.significand << shift;
  const int value_exponent = value.exponent - shift + kTopBit;

  const int quantum = std::max(value_exponent - format.trailing_bits, format.quantum_exponent());
  const int drop_bits = quantum - (value_exponent - kTopBit);
  GUARDBIT_CHECK(!value.sticky || shift + kMaxRandomBits < drop_bits,
                 "a sticky bit lies below every bit rounding reads");
  const Uint128 kept =
      round_significand(significand, drop_bits, value.sticky, value.negative, spec.rounding, spec.random_bits, random);
  const bool tiny = is_tiny(value, significand, value_exponent, spec);
  if (tiny && spec.flush_output) {
    return {with_sign(0, value.negative, format), {Event::kUnderflow, Event::kFlushed, Event::kInexact}};
  }

  // kept * 2^quantum is the result; kept has at most p bits, or is 2^p after a carry, which the code absorbs because
  // the fields of consecutive magnitudes are consecutive integers.
  const int biased_quantum = quantum - format.quantum_exponent();
  const std::uint64_t magnitude_code =
      static_cast<std::uint64_t>(kept) + (static_cast<std::uint64_t>(biased_quantum) << format.trailing_bits);
  if (magnitude_code > format.max_finite_code()) return deliver_overflow(spec, value.negative, /*finite=*/true);

  Rounded result{with_sign(static_cast<std::uint32_t>(magnitude_code), value.negative, format), {}};
  const bool inexact = value.sticky || drop_bits >= 128 || (kept << drop_bits) != significand;
  if (inexact) result.events.add(Event::kInexact);
  if (inexact && tiny) result.events.add(Event::kUnderflow);
  if (kept == 0) result.events.add(Event::kFlushed);
  return result;
}

}  // namespace guardbit::numerics
