#include "models/kernels/scalar_rounder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "models/numerics/check.h"

namespace guardbit::kernels {
namespace {

using numerics::Event;
using numerics::EventSet;
using numerics::NumberClass;
using numerics::RoundingMode;

// Binary64: sign 1, biased exponent 11, trailing significand 52 bits.
constexpr int kTrailingBits = 52;
constexpr int kBias = 1023;
constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;
constexpr std::uint64_t kImplicitBit = std::uint64_t{1} << kTrailingBits;
constexpr std::uint64_t kInfinityBits = std::uint64_t{0x7FF} << kTrailingBits;
constexpr int kMaxDropBits = 62;  ///< 53 significand bits plus any increment below 2^62 stay within 64 bits

constexpr std::uint64_t low_mask(int bits) { return (std::uint64_t{1} << bits) - 1; }

/// Moves a rounded-to-nearest-even `value` with non-zero error (exact = value + error) to the odd neighbour that
/// encloses the exact value. Consecutive magnitudes are consecutive integers; an odd value already is the answer.
double to_odd(double value, double error) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  if (error == 0 || (bits & 1) != 0) return value;
  const bool away_from_zero = (error < 0) == std::signbit(value);
  return std::bit_cast<double>(away_from_zero ? bits + 1 : bits - 1);
}

void add_events(EventSet set, EventCounts& counts) {
  if (set.empty()) return;
  if (set == EventSet{Event::kInexact}) {
    ++counts[Event::kInexact];
  } else {
    counts.add(set);
  }
}

bool is_invalid_nan(double result, bool has_nan_operand) { return std::isnan(result) && !has_nan_operand; }

}  // namespace

OddDouble product_of(float a, float b) { return {static_cast<double>(a) * static_cast<double>(b)}; }

// TwoSum (Knuth): sum + error is a + b exactly. |a|, |b| <= 2^256 and their lowest bits >= 2^-298, so nothing here
// overflows or becomes subnormal in binary64. An inexact sum is not zero, so to_odd() may step by one in magnitude.
OddDouble sum_of(double a, double b) {
  const double sum = a + b;
  if (!std::isfinite(sum)) return {sum};
  const double b_virtual = sum - a;
  const double a_virtual = sum - b_virtual;
  const double error = (a - a_virtual) + (b - b_virtual);
  return {to_odd(sum, error)};
}

OddDouble fma_of(float a, float b, float c) { return sum_of(product_of(a, b).value, static_cast<double>(c)); }

// The remainder of a correctly rounded quotient is representable, so std::fma (exact by IEEE 754 5.4.1) returns it
// exactly; its sign over b's sign tells on which side of the rounded quotient the exact one lies.
OddDouble quotient_of(float a, float b) {
  const double quotient = static_cast<double>(a) / static_cast<double>(b);
  if (!std::isfinite(quotient) || quotient == 0) return {quotient};
  const double remainder = std::fma(-quotient, static_cast<double>(b), static_cast<double>(a));
  return {to_odd(quotient, std::signbit(b) ? -remainder : remainder)};
}

ScalarRounder::ScalarRounder(const FloatSpec& spec)
    : spec_(spec),
      max_finite_bits_(std::bit_cast<std::uint64_t>(static_cast<double>(numerics::max_finite(spec.format)))),
      quantum_(std::ldexp(1.0, spec.format.quantum_exponent())),
      min_normal_(numerics::min_normal(spec.format)),
      emin_(spec.format.emin()),
      quantum_exponent_(spec.format.quantum_exponent()),
      normal_drop_bits_(kTrailingBits - spec.format.trailing_bits),
      zero_{0.0F, spec.format.has_negative_zero() ? -0.0F : 0.0F} {
  GUARDBIT_CHECK(
      spec.rounding != RoundingMode::kStochastic || spec.format.precision_bits() + spec.random_bits <= kTrailingBits,
      "a stochastic rounding looks at more bits than a double holds");
  const auto delivery_of = [&](double value) {
    const numerics::Rounded rounded = numerics::round_to_format(numerics::decode(value), spec);
    return Delivery{numerics::to_carrier(rounded.code, spec.format), rounded.events};
  };
  constexpr double kBeyondEveryFormat = 0x1p200;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  overflow_ = {delivery_of(kBeyondEveryFormat), delivery_of(-kBeyondEveryFormat)};
  infinity_ = {delivery_of(kInfinity), delivery_of(-kInfinity)};
  nan_ = delivery_of(std::numeric_limits<double>::quiet_NaN());
}

float ScalarRounder::deliver(const Delivery& delivery, EventSet& events) const {
  events |= delivery.events;
  return delivery.carrier;
}

/// What is added to a significand so that dropping its low bits rounds it: the carry out of the dropped bits.
///   K...K L R S...S   + 0 0 0...0  toward zero       + 0 R' ..  ties away: half
///         ^drop_bits  + 0 1 1...1  away from zero    ties to even: half - 1 + L     odd: all ones if L = 0
std::uint64_t ScalarRounder::increment(std::uint64_t significand, int drop_bits, bool negative,
                                       std::uint32_t random) const {
  const std::uint64_t all_ones = low_mask(drop_bits);
  const std::uint64_t is_odd = (significand >> drop_bits) & 1;
  switch (spec_.rounding) {
    case RoundingMode::kTiesToEven: return (all_ones >> 1) + is_odd;
    case RoundingMode::kTiesToAway: return (all_ones >> 1) + 1;
    case RoundingMode::kTowardZero: return 0;
    case RoundingMode::kTowardPositive: return negative ? 0 : all_ones;
    case RoundingMode::kTowardNegative: return negative ? all_ones : 0;
    case RoundingMode::kToOdd: return is_odd != 0 ? 0 : all_ones;
    // drop_bits >= 53 - p > random_bits by the constructor's check: the carry is floor(tail * 2^n) + r >= 2^n.
    case RoundingMode::kStochastic: return (random & low_mask(spec_.random_bits)) << (drop_bits - spec_.random_bits);
  }
  return 0;  // unreachable: the switch is exhaustive (-Wswitch-enum)
}

/// Called for magnitudes below 2^emin. Only the binade just below can round up to 2^emin.
bool ScalarRounder::is_tiny(std::uint64_t magnitude, bool negative) const {
  if (spec_.tininess == numerics::Tininess::kBeforeRounding || spec_.rounding == RoundingMode::kStochastic) return true;
  const int exponent = static_cast<int>(magnitude >> kTrailingBits) - kBias;
  if (exponent < emin_ - 1) return true;
  const std::uint64_t significand = (magnitude & low_mask(kTrailingBits)) | kImplicitBit;
  return significand + increment(significand, normal_drop_bits_, negative, 0) < kImplicitBit << 1;
}

float ScalarRounder::round_special(double value, EventSet& events) const {
  if (std::isnan(value)) return deliver(nan_, events);
  const bool negative = std::signbit(value);
  if (std::isinf(value)) return deliver(infinity_[negative], events);
  if (value == 0) return zero_[negative];
  const numerics::Rounded rounded = numerics::round_to_format(numerics::decode(value), spec_);
  events |= rounded.events;
  return numerics::to_carrier(rounded.code, spec_.format);
}

/// Magnitudes below twice the smallest subnormal: at most the leading bit is kept.
float ScalarRounder::round_small(std::uint64_t magnitude, bool negative, bool tiny, EventSet& events,
                                 std::uint32_t random) const {
  const int exponent = static_cast<int>(magnitude >> kTrailingBits) - kBias;
  const std::uint64_t significand = (magnitude & low_mask(kTrailingBits)) | kImplicitBit;
  int drop_bits = quantum_exponent_ - (exponent - kTrailingBits);
  std::uint64_t kept = 0;
  if (drop_bits <= kMaxDropBits) {
    kept = (significand + increment(significand, drop_bits, negative, random)) >> drop_bits;
  } else if (spec_.rounding == RoundingMode::kStochastic) {
    const int shift = drop_bits - spec_.random_bits;
    const std::uint64_t tail = shift > kMaxDropBits ? 0 : significand >> shift;
    kept = (tail + (random & low_mask(spec_.random_bits))) >> spec_.random_bits;
  } else {  // far below half of the smallest subnormal: only the direction matters
    kept = (significand + increment(significand, kMaxDropBits, negative, random)) >> kMaxDropBits;
  }
  const bool inexact = drop_bits > kTrailingBits || kept << drop_bits != significand;
  if (inexact) events.add(Event::kInexact);
  if (inexact && tiny) events.add(Event::kUnderflow);
  if (kept == 0) {
    events.add(Event::kFlushed);
    return zero_[negative];
  }
  const double result = static_cast<double>(kept) * quantum_;
  return static_cast<float>(negative ? -result : result);
}

float ScalarRounder::round(double value, EventSet& events, std::uint32_t random) const {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const std::uint64_t magnitude = bits & ~kSignBit;
  const bool negative = (bits & kSignBit) != 0;
  if (magnitude - kImplicitBit >= kInfinityBits - kImplicitBit) [[unlikely]]
    return round_special(value, events);

  const int exponent = static_cast<int>(magnitude >> kTrailingBits) - kBias;
  int drop_bits = normal_drop_bits_;
  bool tiny = false;
  if (exponent < emin_) {
    tiny = is_tiny(magnitude, negative);
    if (tiny && spec_.flush_output) {
      events |= {Event::kUnderflow, Event::kFlushed, Event::kInexact};
      return zero_[negative];
    }
    drop_bits = quantum_exponent_ - (exponent - kTrailingBits);
    if (drop_bits >= kTrailingBits) return round_small(magnitude, negative, tiny, events, random);
  }
  // The last kept bit is a stored one, and a carry into the exponent field is the next binade.
  const std::uint64_t rounded = (magnitude + increment(magnitude, drop_bits, negative, random)) & ~low_mask(drop_bits);
  if (rounded > max_finite_bits_) [[unlikely]]
    return deliver(overflow_[negative], events);
  if (rounded != magnitude) {
    events.add(Event::kInexact);
    if (tiny) events.add(Event::kUnderflow);
  }
  return static_cast<float>(std::bit_cast<double>(rounded | (bits & kSignBit)));
}

float ScalarRounder::flushed_input(float operand, EventSet& events) const {
  if (!spec_.flush_input || operand == 0 || !(std::fabs(operand) < min_normal_)) return operand;
  events.add(Event::kFlushed);
  return std::copysign(0.0F, operand);
}

/// A sum that is exactly zero is -0 under kTowardNegative unless both addends are +0 (IEEE 754 section 6.3).
double ScalarRounder::signed_sum(double a, double b) const {
  const double sum = sum_of(a, b).value;
  if (sum == 0 && spec_.rounding == RoundingMode::kTowardNegative && (std::signbit(a) || std::signbit(b) || a != 0)) {
    return -0.0;
  }
  return sum;
}

float ScalarRounder::operator()(OddDouble exact, EventCounts& events, std::uint32_t random) const {
  EventSet set;
  const float result = round(exact.value, set, random);
  add_events(set, events);
  return result;
}

float ScalarRounder::add(float a, float b, EventCounts& events, std::uint32_t random) const {
  EventSet set;
  a = flushed_input(a, set);
  b = flushed_input(b, set);
  const double sum = signed_sum(static_cast<double>(a), static_cast<double>(b));
  if (is_invalid_nan(sum, std::isnan(a) || std::isnan(b))) set.add(Event::kInvalid);
  const float result = round(sum, set, random);
  add_events(set, events);
  return result;
}

float ScalarRounder::multiply(float a, float b, EventCounts& events, std::uint32_t random) const {
  EventSet set;
  a = flushed_input(a, set);
  b = flushed_input(b, set);
  const double product = product_of(a, b).value;
  if (is_invalid_nan(product, std::isnan(a) || std::isnan(b))) set.add(Event::kInvalid);
  const float result = round(product, set, random);
  add_events(set, events);
  return result;
}

float ScalarRounder::multiply_add(float a, float b, float c, EventCounts& events, std::uint32_t random) const {
  EventSet set;
  a = flushed_input(a, set);
  b = flushed_input(b, set);
  c = flushed_input(c, set);
  const double sum = signed_sum(product_of(a, b).value, static_cast<double>(c));
  if (is_invalid_nan(sum, std::isnan(a) || std::isnan(b) || std::isnan(c))) set.add(Event::kInvalid);
  const float result = round(sum, set, random);
  add_events(set, events);
  return result;
}

float ScalarRounder::divide(float a, float b, EventCounts& events, std::uint32_t random) const {
  EventSet set;
  a = flushed_input(a, set);
  b = flushed_input(b, set);
  const double quotient = quotient_of(a, b).value;
  if (is_invalid_nan(quotient, std::isnan(a) || std::isnan(b))) set.add(Event::kInvalid);
  const float result = round(quotient, set, random);
  add_events(set, events);
  return result;
}

float ScalarRounder::accumulate(float acc, float addend, EventCounts& events, std::uint32_t random) const {
  return accumulate_product(acc, addend, 1.0F, events, random);
}

/// `product_of_nan`: a NaN product came from a NaN operand.
float ScalarRounder::add_to(float acc, double product, bool product_of_nan, EventSet set, EventCounts& events,
                            std::uint32_t random) const {
  const double sum = signed_sum(product, static_cast<double>(acc));
  if (is_invalid_nan(sum, product_of_nan || std::isnan(acc))) set.add(Event::kInvalid);
  const float result = round(sum, set, random);
  if (result == acc && acc != 0 && product != 0 && std::isfinite(acc) && std::isfinite(product)) {
    set.add(Event::kSwamped);
  }
  add_events(set, events);
  return result;
}

float ScalarRounder::accumulate_product(float acc, float a, float b, EventCounts& events, std::uint32_t random) const {
  EventSet set;
  acc = flushed_input(acc, set);
  a = flushed_input(a, set);
  b = flushed_input(b, set);
  return add_to(acc, product_of(a, b).value, std::isnan(a) || std::isnan(b), set, events, random);
}

float ScalarRounder::accumulate_scaled(float acc, float scale, std::int32_t sum, EventCounts& events,
                                       std::uint32_t random) const {
  const double product = static_cast<double>(scale) * sum;
  return add_to(acc, product, std::isnan(scale), {}, events, random);
}

}  // namespace guardbit::kernels
