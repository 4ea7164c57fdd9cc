#include "models/numerics/fixed_format.h"

#include <charconv>

#include "models/numerics/check.h"

namespace guardbit::numerics {
namespace {

/// A decimal number without sign or leading zeros at the start of `text`, which advances past it.
std::optional<int> take_number(std::string_view& text) {
  int value = 0;
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || (text.front() == '0' && end != text.data() + 1)) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

}  // namespace

std::optional<FixedFormat> parse_fixed_format(std::string_view name) {
  if (!name.starts_with('q')) return std::nullopt;
  name.remove_prefix(1);
  const std::optional<int> integer_bits = take_number(name);
  if (!integer_bits || !name.starts_with('.')) return std::nullopt;
  name.remove_prefix(1);
  const std::optional<int> fraction_bits = take_number(name);
  if (!fraction_bits || !name.empty()) return std::nullopt;
  const FixedFormat format{*integer_bits, *fraction_bits};
  const bool in_range = format.integer_bits >= 1 && format.integer_bits <= FixedFormat::kMaxBits &&
                        format.fraction_bits <= FixedFormat::kMaxBits && format.bits() >= 2;
  return in_range ? std::optional(format) : std::nullopt;
}

std::string name_of(const FixedFormat& format) {
  return "q" + std::to_string(format.integer_bits) + "." + std::to_string(format.fraction_bits);
}

WideInteger round_to_fraction(const Unrounded& value, int fraction_bits, RoundingMode rounding, bool* inexact,
                              int random_bits, std::uint32_t random) {
  if (value.number_class == NumberClass::kZero) return {};
  GUARDBIT_CHECK(value.number_class == NumberClass::kFinite, "infinities and NaNs are not fixed-point numbers");
  const int shift = value.exponent + fraction_bits;
  GUARDBIT_CHECK(!value.sticky || shift < 0, "a sticky bit lies below every bit that is kept");
  if (shift >= 0) return {value.significand, shift, value.negative};
  const Uint128 kept =
      round_significand(value.significand, -shift, value.sticky, value.negative, rounding, random_bits, random);
  const bool exact = !value.sticky && -shift < 128 && (kept << -shift) == value.significand;
  if (!exact) *inexact = true;
  return {kept, 0, value.negative};
}

FixedResult round_to_fixed(const Unrounded& value, const FixedSpec& spec, std::uint32_t random) {
  const FixedFormat& format = spec.format;
  const auto bound = [&](bool negative) {
    return negative ? WideInteger::min_of(format.bits()) : WideInteger::max_of(format.bits());
  };
  if (value.number_class == NumberClass::kNan) return {{}, {Event::kInvalid}};
  if (value.number_class == NumberClass::kInfinity) {
    return {bound(value.negative), {Event::kSaturated, Event::kInexact}};
  }
  bool inexact = false;
  FixedResult result;
  result.code = round_to_fraction(value, format.fraction_bits, spec.rounding, &inexact, spec.random_bits, random);
  if (inexact) result.events.add(Event::kInexact);
  const int leading_bit = value.exponent + format.fraction_bits + bit_width(value.significand);
  const bool huge = value.number_class == NumberClass::kFinite && leading_bit > WideInteger::kBits - 2;
  if (value.number_class == NumberClass::kFinite && !huge && result.code.is_zero()) {
    result.events.add(Event::kFlushed);
  }
  if (!huge && result.code.fits(format.bits())) return result;
  result.events.add(Event::kInexact);
  if (spec.overflow == IntOverflow::kWrap) {
    result.events.add(Event::kWrapped);
    result.code = result.code.wrapped(format.bits());
  } else {
    result.events.add(Event::kSaturated);
    result.code = bound(value.negative);
  }
  return result;
}

}  // namespace guardbit::numerics
