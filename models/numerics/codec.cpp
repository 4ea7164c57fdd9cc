#include "models/numerics/codec.h"

#include <cmath>
#include <limits>

#include "models/numerics/check.h"

namespace guardbit::numerics {
namespace {

constexpr float kCarrierNan = std::numeric_limits<float>::quiet_NaN();

bool is_nan_code(std::uint32_t magnitude, bool negative, const FloatFormat& format) {
  switch (format.specials) {
    case SpecialCodes::kIeee: return magnitude > format.infinity_code();
    case SpecialCodes::kNanAllOnes: return magnitude == format.nan_code();
    case SpecialCodes::kNanNegZero: return negative && magnitude == 0;
    case SpecialCodes::kNone: return false;
  }
  return false;  // unreachable
}

}  // namespace

Unrounded decode(std::uint32_t code, const FloatFormat& format) {
  GUARDBIT_CHECK(format.storage_bits() == 32 || code >> format.storage_bits() == 0, "code is wider than its format");
  const bool negative = (code & format.sign_code()) != 0;
  const std::uint32_t magnitude = code & (format.sign_code() - 1);
  if (is_nan_code(magnitude, negative, format)) return {.number_class = NumberClass::kNan};
  if (format.has_infinity() && magnitude == format.infinity_code()) {
    return {.number_class = NumberClass::kInfinity, .negative = negative};
  }
  if (magnitude == 0) return {.number_class = NumberClass::kZero, .negative = negative};

  const std::uint32_t field = magnitude & ((1u << format.trailing_bits) - 1);
  const int biased_exponent = static_cast<int>(magnitude >> format.trailing_bits);
  const bool subnormal = biased_exponent == 0;
  return {.number_class = NumberClass::kFinite,
          .negative = negative,
          .significand = subnormal ? field : field | (1u << format.trailing_bits),
          .exponent = format.quantum_exponent() + (subnormal ? 0 : biased_exponent - 1)};
}

float to_carrier(std::uint32_t code, const FloatFormat& format) {
  const Unrounded value = decode(code, format);
  const float sign = value.negative ? -1.0F : 1.0F;
  switch (value.number_class) {
    case NumberClass::kNan: return kCarrierNan;
    case NumberClass::kInfinity: return sign * std::numeric_limits<float>::infinity();
    case NumberClass::kZero: return sign * 0.0F;
    case NumberClass::kFinite: break;
  }
  return sign * std::ldexp(static_cast<float>(value.significand), value.exponent);
}

std::uint32_t from_carrier(float value, const FloatFormat& format) {
  if (format == kFp32 && !std::isnan(value)) return std::bit_cast<std::uint32_t>(value);
  const Rounded rounded = round_to_format(decode(value), {.format = format, .rounding = RoundingMode::kTowardZero});
  GUARDBIT_CHECK(rounded.events.empty() || std::isnan(value), "carrier holds a value that its format does not have");
  return rounded.code;
}

Unrounded decode(float value) { return decode(std::bit_cast<std::uint32_t>(value), kFp32); }

Unrounded decode(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  constexpr int kTrailingBits = 52;
  constexpr std::uint64_t kFieldMask = (std::uint64_t{1} << kTrailingBits) - 1;
  constexpr int kQuantumExponent = -1074;
  const bool negative = (bits >> 63) != 0;
  const int biased_exponent = static_cast<int>((bits >> kTrailingBits) & 0x7FF);
  const std::uint64_t field = bits & kFieldMask;
  if (biased_exponent == 0x7FF) {
    return {.number_class = field == 0 ? NumberClass::kInfinity : NumberClass::kNan,
            .negative = field == 0 && negative};
  }
  if (biased_exponent == 0 && field == 0) return {.number_class = NumberClass::kZero, .negative = negative};
  return {.number_class = NumberClass::kFinite,
          .negative = negative,
          .significand = biased_exponent == 0 ? field : field | (kFieldMask + 1),
          .exponent = kQuantumExponent + (biased_exponent == 0 ? 0 : biased_exponent - 1)};
}

float round_carrier(double value, const FloatSpec& spec, EventSet& events, std::uint32_t random) {
  const Rounded rounded = round_to_format(decode(value), spec, random);
  events |= rounded.events;
  return to_carrier(rounded.code, spec.format);
}

float max_finite(const FloatFormat& format) { return to_carrier(format.max_finite_code(), format); }
float min_normal(const FloatFormat& format) { return to_carrier(1u << format.trailing_bits, format); }

}  // namespace guardbit::numerics
