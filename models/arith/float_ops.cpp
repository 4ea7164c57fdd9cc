#include "models/arith/float_ops.h"

#include <algorithm>

#include "models/numerics/check.h"

namespace guardbit::arith {
namespace {

using numerics::Event;
using numerics::NumberClass;
using numerics::Uint128;

constexpr Unrounded kNan{.number_class = NumberClass::kNan};

Unrounded zero(bool negative) { return {.number_class = NumberClass::kZero, .negative = negative}; }
Unrounded infinity(bool negative) { return {.number_class = NumberClass::kInfinity, .negative = negative}; }

bool is_nan(const Unrounded& value) { return value.number_class == NumberClass::kNan; }
bool is_infinity(const Unrounded& value) { return value.number_class == NumberClass::kInfinity; }
bool is_zero(const Unrounded& value) { return value.number_class == NumberClass::kZero; }

Unrounded invalid_operation(bool* invalid) {
  *invalid = true;
  return kNan;
}

/// Largest exponent e with 2^e <= |value|.
int leading_exponent(const Unrounded& value) { return value.exponent + numerics::bit_width(value.significand) - 1; }

/// The value as a significand at a given exponent; bits below it become the sticky bit.
Unrounded align(Unrounded value, int exponent) {
  const int right_shift = exponent - value.exponent;
  value.exponent = exponent;
  if (right_shift <= 0) {
    value.significand <<= -right_shift;
  } else if (right_shift >= 128) {
    value.sticky = true;
    value.significand = 0;
  } else {
    value.sticky = (value.significand & ((Uint128{1} << right_shift) - 1)) != 0;
    value.significand >>= right_shift;
  }
  return value;
}

/// big - small for the same exponent and big > small; only small may have a sticky bit:
///   B - (S + tail) = (B - S - 1) + (1 - tail)
Unrounded subtract_magnitudes(const Unrounded& big, const Unrounded& small) {
  Unrounded difference = big;
  difference.significand -= small.significand + (small.sticky ? 1 : 0);
  difference.sticky = small.sticky;
  return difference;
}

/// Sum of two finite non-zero values.
///   1. Put the larger value's leading bit at kTopBit or, if everything fits, the smaller exponent at bit 0. Bit 126 is
///      left for the carry.
///   2. At most the smaller value loses bits, and then it lies entirely below bit kMaxOperandBits: the difference keeps
///      its leading bit at kTopBit - 1 or above, far above the sticky bit.
Unrounded finite_sum(const Unrounded& a, const Unrounded& b, numerics::RoundingMode rounding) {
  constexpr int kTopBit = 125;
  constexpr int kMaxOperandBits = 110;
  GUARDBIT_CHECK(!a.sticky && !b.sticky, "operands of a sum are exact");
  GUARDBIT_CHECK(
      numerics::bit_width(a.significand) <= kMaxOperandBits && numerics::bit_width(b.significand) <= kMaxOperandBits,
      "operands of a sum have at most 110 bits");
  const int top = std::max(leading_exponent(a), leading_exponent(b));
  const int exponent = std::max(std::min(a.exponent, b.exponent), top - kTopBit);
  const Unrounded x = align(a, exponent);
  const Unrounded y = align(b, exponent);

  if (a.negative == b.negative) {
    Unrounded sum = x;
    sum.significand += y.significand;
    sum.sticky = x.sticky || y.sticky;
    return sum;
  }
  if (x.significand == y.significand && !x.sticky && !y.sticky) {
    return zero(rounding == numerics::RoundingMode::kTowardNegative);
  }
  return x.significand > y.significand ? subtract_magnitudes(x, y) : subtract_magnitudes(y, x);
}

/// The exact value of an operand, or zero of its sign if it is subnormal and the destination flushes inputs.
Unrounded decode_operand(std::uint32_t code, const FloatFormat& format, const FloatSpec& to, Rounded& flags) {
  const Unrounded value = numerics::decode(code, format);
  const std::uint32_t magnitude = code & (format.sign_code() - 1);
  const bool subnormal = value.number_class == NumberClass::kFinite && magnitude >> format.trailing_bits == 0;
  if (!to.flush_input || !subnormal) return value;
  flags.events.add(Event::kFlushed);
  return zero(value.negative);
}

/// The one rounding of an operation, with the events of its operands.
Rounded deliver(const Unrounded& exact, const FloatSpec& to, std::uint32_t random, bool invalid, const Rounded& flags) {
  Rounded result = numerics::round_to_format(exact, to, random);
  result.events |= flags.events;
  if (invalid) result.events.add(Event::kInvalid);
  return result;
}

}  // namespace

Unrounded exact_product(const Unrounded& a, const Unrounded& b, bool* invalid) {
  const bool negative = a.negative != b.negative;
  if (is_nan(a) || is_nan(b)) return kNan;
  if (is_infinity(a) || is_infinity(b)) {
    return is_zero(a) || is_zero(b) ? invalid_operation(invalid) : infinity(negative);
  }
  if (is_zero(a) || is_zero(b)) return zero(negative);
  GUARDBIT_CHECK(!a.sticky && !b.sticky, "operands of a product are exact");
  GUARDBIT_CHECK(numerics::bit_width(a.significand) + numerics::bit_width(b.significand) <= 127,
                 "a product has at most 127 bits");
  return {.number_class = NumberClass::kFinite,
          .negative = negative,
          .significand = a.significand * b.significand,
          .exponent = a.exponent + b.exponent};
}

Unrounded exact_sum(const Unrounded& a, const Unrounded& b, numerics::RoundingMode rounding, bool* invalid) {
  if (is_nan(a) || is_nan(b)) return kNan;
  if (is_infinity(a) && is_infinity(b) && a.negative != b.negative) return invalid_operation(invalid);
  if (is_infinity(a)) return a;
  if (is_infinity(b)) return b;
  if (is_zero(a) && is_zero(b)) {
    return a.negative == b.negative ? a : zero(rounding == numerics::RoundingMode::kTowardNegative);
  }
  if (is_zero(a)) return b;
  if (is_zero(b)) return a;
  return finite_sum(a, b, rounding);
}

Rounded convert(std::uint32_t x, const FloatFormat& from, const FloatSpec& to, std::uint32_t random) {
  Rounded flags;
  const Unrounded value = decode_operand(x, from, to, flags);
  return deliver(value, to, random, /*invalid=*/false, flags);
}

Rounded add(std::uint32_t a, std::uint32_t b, const FloatFormat& from, const FloatSpec& to, std::uint32_t random) {
  Rounded flags;
  bool invalid = false;
  const Unrounded x = decode_operand(a, from, to, flags);
  const Unrounded y = decode_operand(b, from, to, flags);
  const Unrounded sum = exact_sum(x, y, to.rounding, &invalid);
  return deliver(sum, to, random, invalid, flags);
}

Rounded multiply(std::uint32_t a, std::uint32_t b, const FloatFormat& from, const FloatSpec& to, std::uint32_t random) {
  Rounded flags;
  bool invalid = false;
  const Unrounded x = decode_operand(a, from, to, flags);
  const Unrounded y = decode_operand(b, from, to, flags);
  const Unrounded product = exact_product(x, y, &invalid);
  return deliver(product, to, random, invalid, flags);
}

Rounded multiply_add(std::uint32_t a, std::uint32_t b, const FloatFormat& from_ab, std::uint32_t c,
                     const FloatFormat& from_c, const FloatSpec& to, std::uint32_t random) {
  Rounded flags;
  bool invalid = false;
  const Unrounded x = decode_operand(a, from_ab, to, flags);
  const Unrounded y = decode_operand(b, from_ab, to, flags);
  const Unrounded z = decode_operand(c, from_c, to, flags);
  // A NaN addend makes the result a NaN of an operand, so 0 * inf + NaN is not invalid (events.h; RISC-V says it is).
  if (is_nan(z)) return deliver(z, to, random, /*invalid=*/false, flags);
  const Unrounded product = exact_product(x, y, &invalid);
  const Unrounded sum = exact_sum(product, z, to.rounding, &invalid);
  return deliver(sum, to, random, invalid, flags);
}

}  // namespace guardbit::arith
