#include "models/units/rsqrt_unit.h"

#include <bit>
#include <cmath>
#include <limits>

#include "models/kernels/float_environment.h"

namespace guardbit::units {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int kTrailingBits = 23;  ///< of binary32

}  // namespace

RsqrtUnit::RsqrtUnit(const RsqrtConfig& config)
    : table_bits_(static_cast<int>(config.table_bits)),
      newton_steps_(static_cast<int>(config.newton_steps)),
      round_(conversion_spec(config.format)) {
  const kernels::FloatEnvironment environment;
  numerics::EventSet ignored;  // the table is read-only memory: its rounding happened when the hardware was made
  const int half = 1 << (table_bits_ - 1);
  for (int parity = 0; parity < 2; ++parity) {
    for (int i = 0; i < half; ++i) {
      const double midpoint = (1 + (i + 0.5) / half) * (parity == 0 ? 1 : 2);
      // IEEE 754 square root and division: the same entry on every host.
      table_.push_back(numerics::round_carrier(1 / std::sqrt(midpoint), round_.spec(), ignored));
    }
  }
}

float RsqrtUnit::operator()(float v, kernels::EventCounts& events) const {
  if (std::isnan(v)) return round_({v}, events);
  if (v == 0) return round_({kInfinity}, events);
  if (v < 0) {
    ++events[numerics::Event::kInvalid];
    return round_({std::numeric_limits<double>::quiet_NaN()}, events);
  }
  if (v == kInfinity) return 0;

  int exponent = 0;
  const float significand = 2 * std::frexp(v, &exponent);  // [1, 2)
  --exponent;
  const int parity = exponent & 1;  // of two's complement: 1 for odd negative exponents too
  const int h = (exponent - parity) / 2;
  const std::uint32_t trailing = std::bit_cast<std::uint32_t>(significand) & ((1u << kTrailingBits) - 1);
  const std::uint32_t half = 1u << (table_bits_ - 1);
  float y = table_[static_cast<std::uint32_t>(parity) * half + (trailing >> (kTrailingBits - (table_bits_ - 1)))];

  const double f = std::ldexp(static_cast<double>(significand), parity);
  const float g = round_({f / 2}, events);
  for (int step = 0; step < newton_steps_; ++step) {
    const float a = round_.multiply(y, y, events);
    const float b = round_.multiply(g, a, events);
    const float c = round_.add(1.5F, -b, events);
    y = round_.multiply(y, c, events);
  }
  return round_({std::ldexp(static_cast<double>(y), -h)}, events);
}

}  // namespace guardbit::units
