#include "models/numerics/block_format.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/numerics/check.h"
#include "models/numerics/codec.h"
#include "models/numerics/fixed_format.h"

namespace guardbit::numerics {
namespace {

constexpr int kE8M0Bias = 127;
constexpr std::uint8_t kE8M0Nan = 0xFF;
constexpr int kInt8FractionBits = 6;
constexpr std::int64_t kInt8Max = 127;

/// value / divisor, both finite and not zero: 73 quotient bits or more, the rest in the sticky bit (never decisive:
/// with divisors of 28 bits a quotient that is no short number shows within 60 bits). Dividing by a power of two is
/// exact.
Unrounded quotient(const Unrounded& value, const Unrounded& divisor) {
  constexpr int kDividendBits = 126;
  const int shift = kDividendBits - bit_width(value.significand);
  const Uint128 dividend = value.significand << shift;
  return {.number_class = NumberClass::kFinite,
          .negative = value.negative != divisor.negative,
          .significand = dividend / divisor.significand,
          .exponent = value.exponent - shift - divisor.exponent,
          .sticky = dividend % divisor.significand != 0};
}

float largest_finite_magnitude(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) {
    if (std::isfinite(value)) largest = std::max(largest, std::fabs(value));
  }
  return largest;
}

std::uint8_t e8m0_scale(float amax, const BlockFormat& format) {
  if (amax == 0) return 0;
  const int exponent = std::ilogb(amax) - format.element_max_exponent();
  return static_cast<std::uint8_t>(std::clamp(exponent, -kE8M0Bias, kE8M0Bias) + kE8M0Bias);
}

std::uint8_t e4m3_scale(float amax, const BlockFormat& format, float tensor_scale) {
  if (amax == 0) return 0;
  const double divisor = static_cast<double>(max_finite(format.element)) * tensor_scale;  // 2 + 24 bits: exact
  const FloatSpec spec{.format = kFp8E4M3, .overflow = OverflowPolicy::kSaturate};
  return static_cast<std::uint8_t>(round_to_format(quotient(decode(amax), decode(divisor)), spec).code);
}

/// The element nearest to an already scaled value.
Rounded round_element(const Unrounded& value, const BlockFormat& format, const BlockRounding& rounding,
                      std::uint32_t random) {
  if (format.element_kind == BlockElement::kFloat) {
    const FloatSpec spec{.format = format.element,
                         .rounding = rounding.rounding,
                         .overflow = OverflowPolicy::kSaturate,
                         .random_bits = rounding.random_bits};
    return round_to_format(value, spec, random);
  }
  // q2.6 without its least value.
  const FixedSpec spec{.format = {.integer_bits = 2, .fraction_bits = kInt8FractionBits},
                       .rounding = rounding.rounding,
                       .overflow = IntOverflow::kSaturate,
                       .random_bits = rounding.random_bits};
  const FixedResult fixed = round_to_fixed(value, spec, random);
  Rounded result{.code = 0, .events = fixed.events};
  std::int64_t code = fixed.code.low_bits();
  if (code < -kInt8Max) {
    code = -kInt8Max;
    result.events |= {Event::kSaturated, Event::kInexact};
  }
  if (result.events.has(Event::kSaturated)) result.events.add(Event::kOverflow);
  result.code = static_cast<std::uint8_t>(code);
  return result;
}

bool element_has_nan(const BlockFormat& format) {
  return format.element_kind == BlockElement::kFloat && format.element.has_nan();
}

}  // namespace

const NamedBlockFormat* find_block_format(std::string_view name) {
  for (const NamedBlockFormat& row : kBlockFormats) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

double scale_value(std::uint8_t scale, BlockScale kind) {
  if (kind == BlockScale::kE4M3) return to_carrier(scale, kFp8E4M3);
  if (scale == kE8M0Nan) return std::numeric_limits<double>::quiet_NaN();
  return std::ldexp(1.0, scale - kE8M0Bias);
}

QuantizedBlock quantize_block(std::span<const float> values, const BlockFormat& format, const BlockRounding& rounding,
                              float tensor_scale, EventCounts& events) {
  GUARDBIT_CHECK(!values.empty() && values.size() <= static_cast<std::size_t>(format.block_size),
                 "a block has 1 .. block_size values");
  GUARDBIT_CHECK(tensor_scale > 0 && std::isfinite(tensor_scale), "a tensor's scale is positive");
  GUARDBIT_CHECK(format.scale == BlockScale::kE4M3 || tensor_scale == 1.0F, "MX formats have no scale per tensor");
  GUARDBIT_CHECK(rounding.rounding != RoundingMode::kStochastic || rounding.random.size() == values.size(),
                 "stochastic rounding takes a random word per element");
  QuantizedBlock block;
  block.codes.assign(values.size(), 0);
  const bool any_nan = std::any_of(values.begin(), values.end(), [](float value) { return std::isnan(value); });
  if (any_nan && !element_has_nan(format)) {
    block.scale = format.scale == BlockScale::kE8M0 ? kE8M0Nan : static_cast<std::uint8_t>(kFp8E4M3.nan_code());
    return block;
  }
  const float amax = largest_finite_magnitude(values);
  block.scale = format.scale == BlockScale::kE8M0 ? e8m0_scale(amax, format) : e4m3_scale(amax, format, tensor_scale);
  // At most 4 + 24 bits: exact.
  const Unrounded divisor = decode(scale_value(block.scale, format.scale) * tensor_scale);
  for (std::size_t i = 0; i < values.size(); ++i) {
    Unrounded value = decode(values[i]);
    const bool is_zero = value.number_class == NumberClass::kZero;
    if (divisor.number_class == NumberClass::kZero) {
      events.add(is_zero ? EventSet{} : EventSet{Event::kZeroed, Event::kFlushed, Event::kInexact});
      continue;
    }
    if (value.number_class == NumberClass::kFinite) value = quotient(value, divisor);
    const std::uint32_t random = rounding.random.empty() ? 0 : rounding.random[i];
    Rounded element = round_element(value, format, rounding, random);
    if (element.events.has(Event::kOverflow)) element.events.add(Event::kClipped);
    if (element.events.has(Event::kFlushed)) element.events.add(Event::kZeroed);
    events.add(element.events);
    block.codes[i] = static_cast<std::uint8_t>(element.code);
  }
  return block;
}

double dequantize(std::uint8_t code, std::uint8_t scale, const BlockFormat& format, float tensor_scale) {
  const double element = format.element_kind == BlockElement::kInt8
                             ? std::ldexp(static_cast<double>(static_cast<std::int8_t>(code)), -kInt8FractionBits)
                             : static_cast<double>(to_carrier(code, format.element));
  return element * (scale_value(scale, format.scale) * tensor_scale);
}

float nvfp4_tensor_scale(float tensor_amax) {
  const double largest = static_cast<double>(max_finite(kFloatFormats[10].format)) * max_finite(kFp8E4M3);
  // A quotient by 2688 = 21 * 2^7 is a binary32 midpoint or further from one than binary64 rounds: one rounding.
  const auto scale = static_cast<float>(static_cast<double>(tensor_amax) / largest);
  return std::isnormal(scale) && scale > 0 ? scale : 1.0F;
}

}  // namespace guardbit::numerics
